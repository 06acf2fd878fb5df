"""`--roi`: which file of regions belongs to which slide, told by its name."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.progress import counted
from wsi_edt.run.tree import PassedOver, search
from wsi_edt.slides.location import file_name
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES

_SUFFIXES = (".geojson", ".json", ".xml", ".ndpa")
_PACKED = ".gz"
_MOST_NAMED = 3

Files = Mapping[tuple[str, ...], list[Path]]


def with_roi(
    slides: Sequence[SlideRef], roi: Path, *, out: Path
) -> tuple[tuple[SlideRef, ...], tuple[str, ...]]:
    """The slides with the regions that nothing else of them is looked at for, and what a user should know.

    One file serves a run of one slide. Of a folder, the file that is called as a slide is its own, with or without the
    slide's extension: case7.geojson, case7.svs.geojson and case7.xml of case7.svs, packed (.gz) or not. A file in
    subfolders belongs to a slide whose path ends with the same folders. A slide without a file, or with several, or that
    shares one with another, is refused, but the others are run.

    Parameters
    ----------
    roi : the file or folder
    out : the results folder, which isn't searched

    Raises
    ------
    UsageError
        If there is no such file or folder, a file is given for several slides, no file of the folder is any slide's, or a
        table names regions of its own.
    """
    _refuse_regions_of_tables(slides, roi)
    if not roi.exists():
        raise UsageError("doesn't exist", where=roi, remedy="check what --roi names")
    if not roi.is_dir():
        if len(slides) > 1:
            raise UsageError(
                f"is one file of regions for {len(slides)} slides",
                where=roi,
                remedy="give --roi a folder with a file for each of them, called as the slide is",
            )
        return tuple(replace(ref, regions=roi.absolute(), only_regions=True) for ref in slides), ()
    files = _files_in(roi, out)
    claims = [_claimed(ref, files) for ref in slides]
    if slides and not any(claims):
        stem = _stems(file_name(slides[0].source.path))[-1]
        held = counted(sum(map(len, files.values())), "file") if files else "no file"
        raise UsageError(
            f"holds {held} of regions, and none is called as a slide is",
            where=roi,
            remedy=f"name them such as {stem}.geojson or {stem}.xml",
        )
    times = Counter(path for claimed in claims for path in claimed)
    matched = tuple(
        _with_regions(ref, claimed, roi, times) for ref, claimed in zip(slides, claims, strict=True)
    )
    unused = sorted(path for paths in files.values() for path in paths if path not in times)
    return matched, _notes(unused, roi)


def _with_regions(ref: SlideRef, claimed: Sequence[Path], roi: Path, times: Counter[Path]) -> SlideRef:
    """The slide with the only file that is its alone, or why it is refused."""
    refused = None
    if not claimed:
        stem = _stems(file_name(ref.source.path))[-1]
        refused = AnnotationError(
            f"has no regions in {roi}",
            where=ref.source,
            remedy=f"put {stem}.geojson there, or leave the slide out",
        )
    elif len(claimed) > 1:
        names = " and ".join(str(path.relative_to(roi)) for path in claimed)
        refused = AnnotationError(
            f"has several files of regions in {roi}: {names}", where=ref.source, remedy="leave one of them"
        )
    elif times[claimed[0]] > 1:
        name = claimed[0].relative_to(roi)
        refused = AnnotationError(
            f"shares its name with another slide, and which of them {name} in {roi} belongs to can't be told",
            where=ref.source,
            remedy="name a file for each, with the slide's extension or in its folder",
        )
    if refused is not None:
        return replace(ref, refused=refused)
    return replace(ref, regions=claimed[0].absolute(), only_regions=True)


def _refuse_regions_of_tables(slides: Sequence[SlideRef], roi: Path) -> None:
    own = next((ref for ref in slides if ref.regions is not None), None)
    if own is not None:
        raise UsageError(
            f"--roi {roi} names regions, and so does the table for {own.name} ({own.regions})",
            remedy="leave out --roi, or the table's column regions",
        )


def _files_in(roi: Path, out: Path) -> Files:
    """The folder's files of regions by the parts of their paths below it, without the suffixes of such files."""
    found: defaultdict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in search(roi, PassedOver(), out=out):
        name = path.name.lower().removesuffix(_PACKED)
        suffix = next((one for one in _SUFFIXES if name.endswith(one)), None)
        if suffix is not None:
            parts = (*path.relative_to(roi).parent.parts, name.removesuffix(suffix))
            found[tuple(map(_alike, parts))].append(path)
    return found


def _claimed(ref: SlideRef, files: Files) -> list[Path]:
    """The files called as the slide is: those in folders like its own rather than others, with its extension too."""
    for parents, name in _names(ref):
        for depth in range(len(parents), -1, -1):
            for stem in _stems(name):
                found = files.get((*parents[len(parents) - depth :], _alike(stem)))
                if found:
                    return found
    return []


def _names(ref: SlideRef) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the slide is called, with the folders above it: by its path, as a picture of its file, and in the results."""
    path, named = ref.source.path, PurePosixPath(ref.name)
    parents = path.parent.parts[1:] if isinstance(path, Path) else named.parent.parts
    folders = tuple(map(_alike, parents))
    if ref.source.series is not None:
        yield folders, f"{file_name(path)}#{ref.source.series}"
    yield folders, file_name(path)
    yield tuple(map(_alike, named.parent.parts)), named.name


def _stems(name: str) -> list[str]:
    """A slide's name with its extension and without, as QuPath calls its exports; both of .ome.tif go."""
    stems = [name]
    suffix = PurePosixPath(name).suffix
    if suffix.lower() in SLIDE_SUFFIXES or suffix.lower() in IMAGE_SUFFIXES:
        stems.append(name.removesuffix(suffix))
        if stems[-1].lower().endswith(".ome"):
            stems.append(stems[-1][: -len(".ome")])
    return stems


def _alike(part: str) -> str:
    """The same for names that disks take for one: of other case, or otherwise composed."""
    return unicodedata.normalize("NFC", part).casefold()


def _notes(unused: Sequence[Path], roi: Path) -> tuple[str, ...]:
    if not unused:
        return ()
    names = [str(path.relative_to(roi)) for path in unused[:_MOST_NAMED]]
    more = ", …" if len(unused) > _MOST_NAMED else ""
    belong = "belongs" if len(unused) == 1 else "belong"
    return (
        f"{counted(len(unused), 'file')} in {roi} {belong} to no slide of this run: {', '.join(names)}{more}",
    )
