"""Images and labels that belong together by their names, and those that are left over."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wsi_edt.datasets.folders import IMAGE_SUFFIXES
from wsi_edt.errors import AnnotationError

_log = logging.getLogger(__name__)
_NAMED = 3  # of the files that are left over; the others are counted


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their names without suffixes, hidden ones left out.

    Raises
    ------
    AnnotationError
        If two have one stem, so that it isn't clear which of them a label is of.
    """
    found: dict[str, Path] = {}
    for path in sorted(paths):
        if path.name.startswith("."):
            continue
        if path.stem in found:
            raise AnnotationError(
                f"and {path.name} have one name but for their suffixes",
                where=found[path.stem],
                remedy="rename one, with its labels",
            )
        found[path.stem] = path
    return found


def refuse_unpaired(
    images: Mapping[str, Path], labels: Mapping[str, Path], *, folder: Path, masks: Mapping[str, Path]
) -> None:
    """AnnotationError, counting and naming them, if images have no CSV, or CSVs or masks have no image.

    A CSV that misses its image is as likely a mistake as an image that misses its CSV: a file renamed, forgotten, or of a
    kind that isn't read.
    """
    problems = [
        f"{_counted(kind, [files[stem] for stem in files if stem not in others])} without {missing}"
        for kind, files, others, missing in (
            ("image", images, labels, "a CSV"),
            ("CSV", labels, images, "an image"),
            ("mask", masks, images, "an image"),
        )
        if files.keys() - others.keys()
    ]
    if not problems:
        return
    unread = sorted(_unread(folder / "images"))
    if unread:
        problems.append(f"{_counted('file', unread)} in images/ that isn't read as an image")
    raise AnnotationError(
        f"holds {' and '.join(problems)}",
        where=folder,
        remedy="pair images/NAME.* with points/NAME.csv (only a header if there are no cells), and move away the rest",
    )


def warn_of_leftover(folder: Path, labels: Iterable[Path], images: Iterable[Path]) -> None:
    """Log, counting and naming them, the labels in a distribution's folder whose image isn't there."""
    known = {path.stem for path in images}
    found = sorted(path for path in labels if path.stem not in known and not path.name.startswith("."))
    if found:
        _log.warning("%s: passed over %s without an image", folder, _counted("file", found))


def warn_of_unlabelled(folder: Path, slides: Iterable[Path], used: Container[Path]) -> None:
    """Log, counting and naming them, the slides in a folder that nobody annotated."""
    found = sorted(path for path in slides if path not in used and not path.name.startswith("."))
    if found:
        _log.warning("%s: passed over %s without annotations", folder, _counted("slide", found))


def _unread(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file() and not path.name.startswith(".") and path.suffix.lower() not in IMAGE_SUFFIXES:
            yield path


def _counted(kind: str, paths: Sequence[Path]) -> str:
    named = ", ".join(path.name for path in paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
    return f"{len(paths)} {kind}{'s' if len(paths) != 1 else ''} ({named})"
