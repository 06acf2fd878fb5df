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
        If the file can't be read or has no such variable; it names both.
    """
    if not path.is_file():
        raise AnnotationError("is missing", where=path)
    try:
        variables = loadmat(path)
    except NotImplementedError as error:
        raise AnnotationError("is a MATLAB 7.3 file", where=path, remedy="save it with -v7") from error
    except Exception as error:  # scipy raises anything for damaged files
        raise AnnotationError(f"can't be read as a MATLAB file: {error}", where=path) from error
    if name not in variables:
        held = ", ".join(key for key in variables if not key.startswith("__")) or "nothing"
        raise AnnotationError(f"has no variable {name!r}, but {held}", where=path)
    return np.asarray(variables[name])
