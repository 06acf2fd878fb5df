"""What a person changed of a slide's findings: the record of it, its file, and its effect on cells. Knows no server."""

from wsi_edt.corrections.applied import Corrected, corrected
from wsi_edt.corrections.kept import CorrectionsFile
from wsi_edt.corrections.kinds import (
    Add,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Redo,
    Threshold,
    Undo,
)
from wsi_edt.corrections.record import NOTHING, Entry, Record
from wsi_edt.corrections.wire import parsed_change

__all__ = [
    "NOTHING",
    "Add",
    "Corrected",
    "Correction",
    "CorrectionsFile",
    "Delete",
    "Entry",
    "Exclude",
    "Flip",
    "MakeRegion",
    "NamedCells",
    "Record",
    "Redo",
    "Threshold",
    "Undo",
    "corrected",
    "parsed_change",
]
