"""ki67.json: one slide's result, to the file and back."""

from __future__ import annotations

from pathlib import Path

import orjson

from wsi_edt.errors import OutputError
from wsi_edt.files import write_atomically
from wsi_edt.ki67.result import SlideResult


def write_ki67(path: Path, result: SlideResult) -> None:
    """Write a slide's result, atomically; the same result gives the same bytes."""
    write_atomically(
        path, orjson.dumps(result.to_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )


def read_ki67(path: Path) -> SlideResult:
    """Return the result that `write_ki67` wrote.

    Raises
    ------
    OutputError
        Where the file is missing or isn't one of ours.
    """
    try:
        fields = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise OutputError(f"can't read {path}: {error}; delete it and run again") from error
    if not isinstance(fields, dict):
        raise OutputError(f"{path} holds no result of a slide; delete it and run again")
    return SlideResult.from_json(fields)
