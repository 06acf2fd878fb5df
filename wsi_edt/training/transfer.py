"""From arrays made on the host to tensors on the device that trains, without making either wait."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def sent(values: npt.NDArray[np.generic], device: torch.device | str) -> Tensor:
    """The values on the device; a GPU gets them in its turn, while the host goes on."""
    tensor = torch.from_numpy(values)
    if torch.device(device).type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
