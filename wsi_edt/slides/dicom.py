"""DICOM files: what each is, which belong together as one slide, and which file stands for it.

A whole slide in DICOM is a series: a file a level, and files of its label, its overview and its thumbnail. Only headers
are read here, up to the description of single frames, which can be longer than everything else.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from wsi_edt.errors import SlideError

DICOM_SUFFIX = ".dcm"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_DIRECTORY = "1.2.840.10008.1.3.10"  # DICOMDIR: a table of contents
_LABEL_MAP_CLASS, _LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7", "Label Map Segmentation Storage"  # of 2024
_MARK, _MARK_AT = b"DICM", 128
_PER_FRAME = 0x52009230
_TAGS: list[BaseTag | int] = [
    Tag(name)
    for name in (
        "ImageType",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "DimensionOrganizationType",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsAllocated",
        "TotalPixelMatrixColumns",
        "TotalPixelMatrixRows",
        "NumberOfOpticalPaths",
        "ConcatenationUID",
        "TotalPixelMatrixFocalPlanes",
    )
]


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """What a DICOM file says of itself.

    Attributes
    ----------
    kind : its SOP class, in words if DICOM's dictionary has them
    is_whole_slide : whether it is of the class for whole slides: a level, a label, an overview or a thumbnail
    instance, series : its own UID and that of its series; empty if unstated
    image_type : the four words of DICOM's Image Type, fewer if unstated
    size : (width, height) px of its whole matrix; (0, 0) if unstated
    colours : the photometric interpretation
    bits : a sample
    focal_planes, optical_paths : 1 if unstated
    concatenation : the UID that the parts of a level that was cut into files share; empty if it is whole
    transfer_syntax : the UID of the compression
    packing : the compression in words
    lacks_places : whether its tiles lie anywhere (TILED_SPARSE) and it doesn't say where
    """

    kind: str
    is_whole_slide: bool
    instance: str
    series: str
    image_type: tuple[str, ...]
    size: tuple[int, int]
    colours: str
    bits: int
    focal_planes: int
    optical_paths: int
    concatenation: str
    transfer_syntax: str
    packing: str
    lacks_places: bool

    @property
    def is_level(self) -> bool:
        """Whether it is a level of a whole slide, and no label, overview or thumbnail."""
        return self.is_whole_slide and self.image_type[2:3] == ("VOLUME",)

    @property
    def is_resampled(self) -> bool:
        """Whether it was made from a finer level."""
        return self.image_type[3:4] == ("RESAMPLED",)


@dataclass(frozen=True, slots=True)
class DicomSeries:
    """The slides among DICOM files.

    Attributes
    ----------
    slides : the file that stands for each slide: the finest level of its series
    others : the kinds of the files that belong to no slide, as many as there are files
    """

    slides: tuple[Path, ...]
    others: tuple[str, ...]


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do; False for one that can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MARK_AT + len(_MARK))[_MARK_AT:] == _MARK
    except OSError:
        return False


def may_be_dicom(name: str) -> bool:
    """Whether a file of that name is looked into: it ends in .dcm or .dicom, in nothing, or in numbers, as UIDs do."""
    _, dot, suffix = name.rpartition(".")
    return not dot or suffix.isdecimal() or f".{suffix.lower()}" in (DICOM_SUFFIX, ".dicom")


def dicom_header(path: Path) -> DicomHeader:
    """What a DICOM file says of itself.

    Raises
    ------
    SlideError
        If it isn't DICOM, or its header is damaged or ends too early.
    """
    try:
        state = path.stat()
        header = _header(path, state.st_size, state.st_mtime_ns)
        if not _is_complete(header):
            raise ValueError("it ends too early")
        return header
    except Exception as error:  # pydicom raises what it likes for damaged files
        what = "has a DICOM header that can't be read" if is_dicom(path) else "is no DICOM file"
        raise SlideError(
            what, where=path, remedy="the file is damaged or truncated, or misnamed: copy or export it again"
        ) from error


def series_of(files: Iterable[Path]) -> DicomSeries:
    """The slides among DICOM files; those whose header can't be read are slides of their own, to be told of as such.

    openslide puts a slide together from the files of one folder. So of a series that lies in several folders each is a
    slide of its own that holds the finest level of all (copies of one series); a folder that holds only coarser levels
    belongs to the slide beside it.
    """
    folders: dict[str, dict[Path, list[tuple[Path, DicomHeader]]]] = defaultdict(lambda: defaultdict(list))
    slides, others = [], []
    for path in files:
        try:
            header = dicom_header(path)
        except SlideError:
            slides.append(path)
            continue
        if header.is_whole_slide:
            folders[header.series or str(path)][path.parent].append((path, header))
        elif header.kind != UID(_DIRECTORY).name:
            others.append(header.kind)
    for by_folder in folders.values():
        finest = {folder: _finest(members) for folder, members in by_folder.items()}
        area = max((_area(one[1]) for one in finest.values() if one), default=None)
        whole = {folder: one[0] for folder, one in finest.items() if one and _area(one[1]) == area}
        if not whole:
            others.extend(
                "label or overview without its slide" for members in by_folder.values() for _ in members
            )
        if whole:
            others.extend(
                "coarser level of a slide in another folder"
                for folder, members in by_folder.items()
                if folder not in whole
                for _ in members
            )
        slides.extend(whole.values())
        others.extend(
            "copy of another file" for members in by_folder.values() for _ in range(_copies(members))
        )
    return DicomSeries(tuple(slides), tuple(others))


def level_files(path: Path) -> tuple[Path, ...]:
    """The other levels of a DICOM slide, in its folder; none of what is no slide in DICOM."""
    if path.suffix.lower() != DICOM_SUFFIX and not is_dicom(path):
        return ()
    try:
        return tuple(file for file, _ in series_files(path) if file != path)
    except SlideError:
        return ()


def slide_file(path: Path) -> Path:
    """The file that stands for the slide which a file belongs to, of those in its folder.

    Itself if it is no DICOM file, belongs to no slide, or is another picture of its series' finest size.
    """
    if path.suffix.lower() != DICOM_SUFFIX and not is_dicom(path):
        return path
    try:
        own, levels = dicom_header(path), series_files(path)
    except SlideError:
        return path
    if not levels or (
        own.is_level and own.size == levels[0][1].size and own.instance != levels[0][1].instance
    ):
        return path
    return levels[0][0]


def identity(path: Path) -> Path:
    """The same for all ways to name a file, and for all files of one slide in DICOM in one folder."""
    if may_be_dicom(path.name) and is_dicom(path):
        with suppress(SlideError):
            header = dicom_header(path)
            if header.is_whole_slide:
                return path.parent.resolve() / header.series
    return Path(os.path.realpath(path))  # `resolve` raises for links that lead in a circle


def series_files(path: Path) -> tuple[tuple[Path, DicomHeader], ...]:
    """The levels of the series that a file belongs to, of those in its folder; the finest first.

    Raises
    ------
    SlideError
        If the file's own header can't be read.
    """
    series = dicom_header(path).series
    members = [(path, dicom_header(path))]
    for other in sorted(path.parent.iterdir()):
        if other == path or not may_be_dicom(other.name) or not is_dicom(other):
            continue
        try:
            header = dicom_header(other)
        except SlideError:
            continue
        if series and header.series == series:
            members.append((other, header))
    return tuple(_by_size(members))


def _is_complete(header: DicomHeader) -> bool:
    """Whether it has what every object has, and every whole slide; a truncated one would pass for another object."""
    if not header.is_whole_slide:
        return header.kind == UID(_DIRECTORY).name or bool(header.instance and header.series)
    stated = (
        header.instance and header.series and len(header.image_type) > 2 and header.bits and header.colours
    )
    return bool(stated) and _area(header) > 0


def _finest(members: Sequence[tuple[Path, DicomHeader]]) -> tuple[Path, DicomHeader] | None:
    return next(iter(_by_size(members)), None)


def _by_size(members: Iterable[tuple[Path, DicomHeader]]) -> list[tuple[Path, DicomHeader]]:
    """The levels, the largest first; of equal ones the first by name."""
    return sorted((one for one in members if one[1].is_level), key=lambda one: (-_area(one[1]), one[0]))


def _copies(members: Sequence[tuple[Path, DicomHeader]]) -> int:
    """How many files of a folder have the number of another one of them."""
    return len(members) - len({header.instance for _, header in members})


def _area(header: DicomHeader) -> int:
    return header.size[0] * header.size[1]


@lru_cache(maxsize=1 << 15)
def _header(path: Path, size: int, modified_ns: int) -> DicomHeader:
    """The header of a file in that state: folders of many series are gone through for each of them."""
    stopped_at = []

    def is_beyond(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if tag >= _PER_FRAME:
            stopped_at.append(int(tag))
        return bool(tag >= _PER_FRAME)

    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")  # of values that DICOM's rules don't allow
        data = read_partial(file, is_beyond, specific_tags=_TAGS)
        words = data.get("ImageType") or ()
        sop_class = UID(str(data.get("SOPClassUID", "")))
        is_sparse = str(data.get("DimensionOrganizationType", "")) == "TILED_SPARSE"
        syntax = str(getattr(data.file_meta, "TransferSyntaxUID", ""))
        return DicomHeader(
            kind=_LABEL_MAP if sop_class == _LABEL_MAP_CLASS else sop_class.name,
            is_whole_slide=sop_class == WHOLE_SLIDE,
            instance=str(data.get("SOPInstanceUID", "")),
            series=str(data.get("SeriesInstanceUID", "")),
            image_type=(words,) if isinstance(words, str) else tuple(str(word) for word in words),
            size=(int(data.get("TotalPixelMatrixColumns") or 0), int(data.get("TotalPixelMatrixRows") or 0)),
            colours=str(data.get("PhotometricInterpretation", "")),
            bits=int(data.get("BitsAllocated") or 0),
            focal_planes=int(data.get("TotalPixelMatrixFocalPlanes") or 1),
            optical_paths=int(data.get("NumberOfOpticalPaths") or 1),
            concatenation=str(data.get("ConcatenationUID", "")),
            transfer_syntax=syntax,
            packing=UID(syntax).name,
            lacks_places=is_sparse and stopped_at[:1] != [_PER_FRAME],
        )
