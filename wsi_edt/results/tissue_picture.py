"""tissue.png: where cells were looked for. It is drawn when a slide is planned, or reported by other regions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wsi_edt.files import remove
from wsi_edt.qupath.regions import BoolArray
from wsi_edt.results import names
from wsi_edt.results.store import SlideStore
from wsi_edt.results.written import keep_aside, other_than_written
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.tissue import save_tissue_picture


def draw_tissue(store: SlideStore, folder: Path, overview: RgbArray, searched: BoolArray) -> None:
    """Draw the picture in place of an earlier one, which is kept aside only if somebody else changed it.

    Parameters
    ----------
    overview, searched : see `save_tissue_picture`

    Raises
    ------
    OutputError
        If the system refuses.
    """
    _forget(store, folder)
    save_tissue_picture(folder / names.TISSUE, overview, searched)


def remove_tissue(store: SlideStore, folder: Path) -> None:
    """Remove the picture, which shows something else now; one that somebody changed is kept aside."""
    _forget(store, folder)
    remove(folder / names.TISSUE)


def _forget(store: SlideStore, folder: Path) -> None:
    """Take the picture out of the mark of a finished slide: what lies there next is of this program again."""
    mark = SlideStore.read_finished(store.path)
    if mark is None or names.TISSUE not in mark.files:
        return
    others = {name: state for name, state in mark.files.items() if name != names.TISSUE}
    keep_aside(folder, other_than_written(folder, {names.TISSUE: mark.files[names.TISSUE]}))
    store.mark_finished(replace(mark, files=others))
