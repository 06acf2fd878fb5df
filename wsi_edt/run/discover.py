"""Which slides a run is about: files that were named, and what lies in folders that were named; paths or URLs."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wsi_edt.errors import AnnotationError, UsageError, readable
from wsi_edt.run.manifest import is_manifest, read_manifest
from wsi_edt.run.patterns import Pattern
from wsi_edt.run.slide_names import fitted, refuse_impossible
from wsi_edt.run.tree import Fault, PassedOver, search, search_url
from wsi_edt.slides.dicom import identity
from wsi_edt.slides.folder import slides_among
from wsi_edt.slides.location import SlidePath, file_name, is_folder, location
from wsi_edt.slides.metadata import refuse_implausible_mpp
from wsi_edt.slides.opening import SLIDE_SUFFIXES
from wsi_edt.slides.pictures import Role, list_pictures
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.zarr_reader import is_zarr

_SAME_MPP = 0.05  # of the file's µm/px

Series = int | Literal["all"] | None


@dataclass(frozen=True, slots=True)
class SlideRef:
    """A slide of a run.

    Attributes
    ----------
    source : the slide; its path is absolute
    name : of its results: the path below the folder that was given, POSIX, with extension, and perhaps #series
    case : as the laboratory calls it; "" if unknown
    listed_mpp : µm per level-0 px as a table states it for this slide; never overrules the file's own
    regions : a file of areas drawn on it
    only_regions : whether nothing of the slide but those is looked at
    refused : why it can't be run as was asked; None if it can
    """

    source: SlideSource
    name: str
    case: str = ""
    listed_mpp: float | None = None
    regions: Path | None = None
    only_regions: bool = False
    refused: AnnotationError | None = None

    def regions_hash(self) -> str | None:
        """SHA-256 of the file of regions; None without one, "" if it can't be read, of which planning tells."""
        if self.regions is None:
            return None
        try:
            return hashlib.sha256(self.regions.read_bytes()).hexdigest()
        except OSError:
            return ""

    def mpp_note(self, slide_mpp: float) -> str:
        """What to say if the µm/px that are used, the file's own, are others than the table's; "" if they are the same."""
        listed = self.listed_mpp
        if listed is None or abs(slide_mpp - listed) <= _SAME_MPP * slide_mpp:
            return ""
        return f"the file states {slide_mpp:.4g} µm/px, which is used; the table says {listed:.4g}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The slides found, sorted by name, how many plain images were skipped, and what a user should know.

    Attributes
    ----------
    faults : the folders that couldn't be looked into, of which slides may be missing
    """

    slides: tuple[SlideRef, ...]
    images_left_out: int
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def find_slides(
    inputs: Sequence[str | SlidePath], *, out: Path, fallback_mpp: float | None = None, series: Series = None
) -> Discovery:
    """The slides among files, folders (searched to any depth; hidden files and folders are skipped) and tables of slides.

    Parameters
    ----------
    inputs : paths and URLs; a text with :// in it is a URL, one with * ? or [ that isn't a path is a pattern, and a
        .csv or .tsv is a table, see `read_manifest`
    out : the results folder; neither it nor another results folder is searched
    fallback_mpp : µm per level-0 px of slides that state none. Plain images (PNG, JPEG) state none: without it, those in
        folders are skipped. A file that is named is always taken
    series : the number of the picture to take of each file, or "all" of its scans; opens each file

    Raises
    ------
    UsageError
        If an input is missing or can't be reached, a table is wrong, two slides would have the same name, or there is no
        slide at all.
    """
    if fallback_mpp is not None:
        refuse_implausible_mpp(fallback_mpp)
    found: dict[SlidePath, list[SlideRef]] = {}  # by the file; a table may name one twice, under two names
    images_left_out = 0
    notes: list[str] = []
    passed = PassedOver()
    for given in sorted(inputs, key=_is_no_table):  # what a table says of a slide goes before its folder
        if given == "":
            raise UsageError(
                "an empty text doesn't name a slide (an unset variable?)", remedy="for this folder give ."
            )
        base = as_on_disk(location(given))
        if isinstance(base, Path) and is_manifest(base):
            refs, unknown = _listed(base, fallback_mpp)
            notes += [f"{base.name}: columns that mean nothing here: {', '.join(unknown)}"] if unknown else []
            for ref in refs:
                found.setdefault(_identity(ref.source.path), []).append(ref)
            continue
        files = _files_of(base, passed, out=out)
        content = slides_among(files, given=base, images=fallback_mpp is not None)
        images_left_out += content.images_left_out
        notes.extend(content.notes)
        passed.suffixes += content.others
        for path, name in content.slides:
            absolute = path.absolute() if isinstance(path, Path) else path
            ref = SlideRef(SlideSource(absolute, fallback_mpp), name)
            first, *_ = found.setdefault(_identity(path), [ref])
            if os.path.normpath(str(absolute)) != os.path.normpath(str(first.source.path)):
                passed.again.append(f"{name}, which is {first.name}")
    faults = _of_different_names(passed.faults)
    notes += passed.notes()
    if not found:
        raise _nothing_found(
            inputs, images_left_out, [*(fault.error.sentence() for fault in faults), *notes], out=out
        )
    taken = (one for of_one_file in found.values() for ref in of_one_file for one in with_series(ref, series))
    slides = [_with_possible_name(one) for one in taken]
    slides.sort(key=lambda ref: ref.name)
    refuse_impossible([(ref.source, ref.name) for ref in slides])
    _refuse_own_folder(slides, out)
    return Discovery(tuple(slides), images_left_out, tuple(notes), faults)


def _of_different_names(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The faults, each once; where two folders have one name, they are called by their whole paths."""
    by_place = {fault.error.where: fault for fault in faults}
    often = Counter(fault.name for fault in by_place.values())
    return tuple(
        fault if often[fault.name] == 1 else replace(fault, name=f"{readable(str(place))}/")
        for place, fault in by_place.items()
    )


def _with_possible_name(ref: SlideRef) -> SlideRef:
    name = fitted(readable(ref.name))
    return ref if name == ref.name else replace(ref, name=name)


def _is_no_table(given: str | SlidePath) -> bool:
    path = location(given)
    return not (isinstance(path, Path) and is_manifest(path))


def _listed(table: Path, fallback_mpp: float | None) -> tuple[list[SlideRef], tuple[str, ...]]:
    """The slides of a table, and the columns that mean nothing."""
    rows, unknown = read_manifest(table)
    refs = [
        SlideRef(
            SlideSource(as_on_disk(row.path), row.mpp or fallback_mpp, row.series),
            row.name,
            row.case,
            row.mpp,
            row.regions,
        )
        for row in rows
    ]
    return refs, unknown


def with_series(ref: SlideRef, series: Series) -> list[SlideRef]:
    """The slide with the picture that was asked for, or each scan of its file as a slide of its own; opens the file.

    A file's only scan keeps its name. A file that can't be read stays one slide, which fails with its reason.
    """
    if series is None or ref.source.series is not None:
        return [ref]
    try:
        pictures = list_pictures(ref.source.path)
    except Exception:  # whatever is wrong with one file is told in its row
        asked = None if series == "all" else series
        return [replace(ref, source=replace(ref.source, series=asked))]
    scans = [picture.number for picture in pictures if picture.role is Role.SCAN]
    numbers = scans if series == "all" else [series]
    if numbers == scans and len(scans) == 1:  # which is taken anyway
        return [ref]
    return [
        replace(ref, source=replace(ref.source, series=number), name=f"{ref.name}#{number}")
        for number in numbers
    ]


def as_on_disk(path: SlidePath) -> SlidePath:
    """The path with its letters as the disk has them: é may be one character or two, and a table was typed elsewhere."""
    if not isinstance(path, Path) or os.path.lexists(path):
        return path
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((form for form in forms if os.path.lexists(form)), path)


def _files_of(base: SlidePath, passed: PassedOver, *, out: Path) -> Iterator[tuple[SlidePath, str]]:
    """The path and the name of each file that an input stands for."""
    pattern = Pattern.of(base) if isinstance(base, Path) and not os.path.lexists(base) else None
    if pattern is not None:
        yield from _matching(pattern, passed, out=out)
    elif not _is_out_of_reach(base) and not is_zarr(base) and is_folder(base):
        yield from _below(base, passed, out=out)
    else:
        yield base, _named(base)


def _is_out_of_reach(path: SlidePath) -> bool:
    """Whether it is something, but can't be looked at: a slide that can't be read, rather than nothing."""
    if not isinstance(path, Path):
        return False
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return os.path.lexists(path)  # a link to what isn't there
    except OSError:
        return True
    return False


def _matching(pattern: Pattern, passed: PassedOver, *, out: Path) -> Iterator[tuple[Path, str]]:
    """The path and the name of each file that a pattern takes; names start where the wildcards do."""
    base, nothing, beside = pattern.base.absolute(), True, PassedOver()
    for path in search(base, beside, out=out, leads=pattern.leads):
        below = path.relative_to(base)
        if pattern.takes(below.parts):
            nothing = False
            yield path, below.as_posix()
    passed.add_faults(beside)
    if nothing and not beside.faults:
        raise UsageError("matches nothing", where=pattern, remedy="check the pattern")


def _named(path: SlidePath) -> str:
    """The name of a slide that was given itself."""
    name = file_name(path)
    if name in ("", ".."):  # a web server answers to any address
        raise UsageError("doesn't name a file", where=path, remedy="give the address of a slide")
    return name


def _identity(path: SlidePath) -> SlidePath:
    """The same for all ways to name one slide."""
    if not isinstance(path, Path):
        return path
    try:
        return identity(path)
    except Exception:  # whatever is wrong with one file is told in its row
        return path.absolute()


def _below(folder: SlidePath, passed: PassedOver, *, out: Path) -> Iterator[tuple[SlidePath, str]]:
    """The path and the name of each file below a folder, but for hidden ones and results."""
    if not isinstance(folder, Path):
        yield from search_url(folder, passed)
        return
    base = folder.absolute()
    for path in search(base, passed, out=out):
        yield path, path.relative_to(base).as_posix()


def _refuse_own_folder(slides: Sequence[SlideRef], out: Path) -> None:
    """UsageError if a slide lies where its own results would be."""
    for ref in slides:
        path = ref.source.path
        with suppress(OSError):  # there is nothing yet, or what is out of reach
            if isinstance(path, Path) and (out / ref.name).samefile(path):
                raise UsageError(
                    f"--out {out} is the own folder of {ref.name}: its results would be in a folder of that name",
                    remedy="choose another --out",
                )


def _nothing_found(
    inputs: Sequence[str | SlidePath], images_left_out: int, notes: Sequence[str], *, out: Path
) -> UsageError:
    where = ", ".join(map(str, inputs))
    if any(_identity(location(given)) == out.resolve() for given in inputs):
        return UsageError(
            f"--out {out} is the slides' own folder, and results aren't searched for slides",
            remedy="choose another --out",
        )
    if images_left_out:
        return UsageError(
            f"no slides in {where}, but {images_left_out} PNG or JPEG image{'' if images_left_out == 1 else 's'}",
            remedy="pass --mpp (for example 0.25) to take PNG and JPEG as slides",
        )
    skipped = "".join(f"; {note}" for note in notes)
    return UsageError(
        f"no slides in {where}{skipped}", remedy=f"looked for {' '.join(sorted(SLIDE_SUFFIXES))}"
    )
