"""Variables of MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from wsi_edt.errors import AnnotationError


def read_mat(path: Path, name: str) -> npt.NDArray[np.generic]:
    """A variable of a MATLAB file of versions 4 to 7.

    Raises
    ------
    AnnotationError
        Where the file can't be read or has no such variable; it names both.
    """
    if not path.is_file():
        raise AnnotationError(f"{path} is missing")
    try:
        variables = loadmat(path)
    except NotImplementedError as error:
        raise AnnotationError(f"{path} is a MATLAB 7.3 file; save it with -v7") from error
    except Exception as error:  # scipy raises what it likes for damaged files
        raise AnnotationError(f"{path} can't be read as a MATLAB file: {error}") from error
    if name not in variables:
        held = ", ".join(key for key in variables if not key.startswith("__")) or "nothing"
        raise AnnotationError(f"{path} has no variable {name!r}; it holds {held}")
    return np.asarray(variables[name])
