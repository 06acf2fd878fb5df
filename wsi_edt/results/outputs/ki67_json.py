"""ki67.json: one slide's result, to the file and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from wsi_edt.errors import OutputError
from wsi_edt.files import write_atomically
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.results import names


@dataclass(frozen=True, slots=True)
class Ki67Json:
    """The result of a slide for programs."""

    name: str = names.KI67
    other_names: tuple[str, ...] = ()

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file; see `Output`."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        fields = result.to_json()
        if fields["heterogeneity"] is not None:
            fields["heterogeneity"]["hexagons"] = _lines(fields["heterogeneity"]["hexagons"])
        write_atomically(folder / self.name, orjson.dumps(fields, option=options))


def _lines(items: Iterable[object]) -> list[orjson.Fragment]:
    """Each item as a line: of large tissue there are ten thousand hexagons."""
    return [orjson.Fragment(orjson.dumps(item)) for item in items]


def read_ki67(path: Path) -> Ki67Result:
    """The result in a ki67.json.

    Raises
    ------
    OutputError
        If the file is missing, damaged, or of another version.
    """
    try:
        fields = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise OutputError(f"can't be read: {error}", where=path, remedy="delete it and run again") from error
    if not isinstance(fields, dict):
        raise OutputError("doesn't hold a slide's result", where=path, remedy="delete it and run again")
    return Ki67Result.from_json(fields)
