"""Which of the files in a folder are slides: one a slide, whatever it consists of, and what is left out in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from wsi_edt.errors import SlideError
from wsi_edt.slides.companions import belonging_to_others, lone_folders
from wsi_edt.slides.dicom import DICOM_SUFFIX, is_dicom, may_be_dicom, series_of, slide_file
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES
from wsi_edt.slides.tiff_file import is_tiff
from wsi_edt.slides.unsupported import unread_format


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The slides among a folder's files.

    Attributes
    ----------
    slides : the file that stands for each, and its name as it was given
    images_left_out : how many plain images weren't wanted
    others : how many files were passed over, such images among them, by suffix
    notes : what else was left out that might pass for slides, a clause each
    """

    slides: tuple[tuple[SlidePath, str], ...]
    images_left_out: int
    others: Counter[str]
    notes: tuple[str, ...]


def slides_among(files: Iterable[tuple[SlidePath, str]], *, given: SlidePath, images: bool) -> FolderContent:
    """The slides among files, each given with its name.

    Parameters
    ----------
    given : what the user named; a file that was named is always taken, and stands for the slide that it belongs to
    images : whether plain images (PNG, JPEG) are slides too
    """
    listed = list(files)
    local = [path for path, _ in listed if isinstance(path, Path)]
    companions = belonging_to_others(local)
    slides: list[tuple[SlidePath, str]] = []
    dicom: dict[Path, str] = {}
    unread: Counter[str] = Counter()
    others: Counter[str] = Counter()
    images_left_out = 0
    for path, name in listed:
        suffix = PurePath(name).suffix.lower()
        unread_suffix = unread_format(name)
        if path == given:
            file = slide_file(path) if isinstance(path, Path) else path
            slides.append((file, name if file == path else file.name))
        elif path in companions:
            continue
        elif isinstance(path, Path) and _is_dicom(path, suffix):
            dicom[path] = name
        elif unread_suffix is not None:
            unread[unread_suffix] += 1
        elif suffix in SLIDE_SUFFIXES or (images and suffix in IMAGE_SUFFIXES):
            slides.append((path, name))
        elif suffix in IMAGE_SUFFIXES:
            images_left_out += 1
            others[suffix] += 1
        elif not suffix and isinstance(path, Path) and _is_tiff(path):
            slides.append((path, name))
        else:
            others[suffix or "without a suffix"] += 1
    series = series_of(dicom)
    slides.extend((path, dicom[path]) for path in series.slides)
    notes = [
        f"{folder} left out: it is the folder of {folder.name}.mrxs, which is missing"
        for folder in lone_folders(local)
    ]
    if unread:
        notes.append(
            _counted(unread, "file of a format that isn't read", "files of formats that aren't read")
        )
    if series.others:
        kinds = Counter(kind.removesuffix(" Storage") for kind in series.others)
        notes.append(_counted(kinds, "DICOM file that is no slide", "DICOM files that are no slides"))
    return FolderContent(tuple(slides), images_left_out, others, tuple(notes))


def _is_dicom(path: Path, suffix: str) -> bool:
    return suffix == DICOM_SUFFIX or (may_be_dicom(path.name) and is_dicom(path))


def _is_tiff(path: Path) -> bool:
    try:
        return is_tiff(path)
    except SlideError:  # empty, or can't be read
        return False


def by_count(kinds: Counter[str]) -> str:
    """The kinds, each with how many there are of it: ".lif, .vsi (2)"."""
    return ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in sorted(kinds.items()))


def _counted(kinds: Counter[str], one: str, many: str) -> str:
    """How many were left out, and of which kinds: "3 files of formats that aren't read left out: .lif, .vsi (2)"."""
    total = kinds.total()
    return f"{total} {one if total == 1 else many} left out: {by_count(kinds)}"
