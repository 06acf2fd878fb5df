"""Searches folders of this machine for files: what lies in them, and what of it was passed over or couldn't be reached."""

from __future__ import annotations

import errno
import json
import mimetypes
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from upath import UPath

from wsi_edt.errors import SlideError, readable
from wsi_edt.results import names
from wsi_edt.results.kept_maps import holds_maps
from wsi_edt.results.written import aside_name
from wsi_edt.run.progress import counted
from wsi_edt.slides.folder import by_count
from wsi_edt.slides.location import files_below
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES
from wsi_edt.slides.zarr_reader import ZARR_SUFFIX, is_zarr

# What tells that a folder holds a run's results, or a slide's; a lock tells nothing, since a refused run may have left it.
_RESULTS = {
    *(names.RUN_RECORD, names.SUMMARY),
    *(names.CELLS, names.CELLS_GZIPPED, names.KI67),
}
_OWN = _RESULTS | {
    names.BATCH_REPORT,
    names.REPORT_RECORD,
    names.REPORT,
    names.REPORT_PDF,
    names.REGIONS,
    names.OVERVIEW,
    names.TISSUE,
    names.ERROR_LOG,
    *names.TABLES,
}
_OWN |= {aside_name(name) for name in _OWN}
_APPLE_DOUBLE = "._"  # macOS's attributes of the file of that name
_NOWHERE = {errno.ENOENT, errno.ELOOP}
_SPECIAL = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_MOST_NAMED = 5

Leads = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """A folder that couldn't be looked into, or what may be one: slides may be missing from the run.

    Attributes
    ----------
    name : below the folder that was given, as a slide's, with / at its end
    error : what is wrong with it
    """

    name: str
    error: SlideError


@dataclass(slots=True)
class PassedOver:
    """What searching passed over, in all folders of a run."""

    faults: list[Fault] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    in_out: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    suffixes: Counter[str] = field(default_factory=Counter)

    def add_faults(self, other: PassedOver) -> None:
        """Take what a search for some names of files couldn't reach; what it passed over was never asked for."""
        self.faults += other.faults
        self.in_out += other.in_out

    def notes(self) -> list[str]:
        """It in words, a clause for each kind."""
        kinds = [
            (self.in_out, "in --out, which isn't searched for slides"),
            (self.results, "results of a run, whose files are no slides"),
            (self.again, "left out, since it is here under another name"),
            (self.hidden, "left out as hidden"),
            (self.special, "left out, since it is no file"),
        ]
        notes = [f"{why}: {_some(found)}" for found, why in kinds if found]
        if self.suffixes:
            notes.append(f"{counted(self.suffixes.total(), 'file')} passed over: {by_count(self.suffixes)}")
        return notes


def search(base: Path, passed: PassedOver, *, out: Path, leads: Leads = lambda below: True) -> Iterator[Path]:
    """All files and Zarr folders below a folder, but hidden ones and a run's own; links are followed, each folder once.

    A folder's files come before those of its folders, each by name. Links that lead nowhere are given if they are called
    like files.

    Parameters
    ----------
    passed : is told of what is passed over
    out : the results folder, which isn't searched
    leads : whether a folder is looked into, given its parts below the base
    """
    results = os.path.realpath(out)
    visited: set[str] = set()
    pending = [_Folder(base, base)]
    while pending:
        folder = pending.pop()
        here = os.path.realpath(folder.path)
        if here in visited:
            passed.again.append(folder.name)
            continue
        visited.add(here)
        if here == results:
            passed.in_out += sorted(_slides_in(folder.path))
            continue
        content = folder.content(passed)
        yield from (folder.path / name for name in content.zarrs)
        yield from (folder.path / name for name in content.files)
        passed.faults += (fault for below, fault in content.faults if leads(below.parts))
        pending += (below for below in reversed(content.folders) if leads(below.parts))


def search_url(base: UPath, passed: PassedOver) -> Iterator[tuple[UPath, str]]:
    """The same for a folder at a URL: each file, and each Zarr folder, with its name.

    Raises
    ------
    UsageError
        If the folder can't be listed.
    """
    listing = files_below(base)
    for url, reason in listing.unreadable:
        name = f"{str(url).removeprefix(str(base)).strip('/')}/"
        what = f"can't be listed ({reason}): what is in it is left out"
        passed.faults.append(
            Fault(name, SlideError(what, where=url, remedy="check your credentials, or try again"))
        )
    passed.hidden += [
        name
        for name in listing.hidden
        if _is_called_a_slide(name) and not PurePosixPath(name).name.startswith(_APPLE_DOUBLE)
    ]
    of_runs = {
        PurePosixPath(name).parent for _, name in listing.files if PurePosixPath(name).name in _RESULTS
    }
    passed.results += sorted(
        f"{'' if folder.name else base.name}{folder.as_posix() if folder.name else ''}/"
        for folder in of_runs
        if of_runs.isdisjoint(folder.parents)
    )
    zarrs: set[str] = set()
    for url, name in listing.files:
        path = PurePosixPath(name)
        zarr = next((k for k, part in enumerate(path.parts) if part.lower().endswith(ZARR_SUFFIX)), None)
        if zarr is not None:
            slide = "/".join(path.parts[: zarr + 1])
            kept = path.parts[zarr] == names.MAPS and PurePosixPath(*path.parts[:zarr]) in of_runs
            if path.parts[zarr] != names.STORE and not kept and slide not in zarrs:
                zarrs.add(slide)
                yield base / slide, slide
        elif path.name not in _OWN or of_runs.isdisjoint(path.parents):
            yield url, name


@dataclass(slots=True)
class _Content:
    """What a folder holds: the names of its files and Zarr folders, its other folders, and what may be folders."""

    files: list[str] = field(default_factory=list)
    zarrs: list[str] = field(default_factory=list)
    folders: list[_Folder] = field(default_factory=list)
    faults: list[tuple[_Folder, Fault]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is searched.

    Attributes
    ----------
    base : below which it is named
    of_run : whether it lies in a run's results
    """

    path: Path
    base: Path
    of_run: bool = False

    @property
    def name(self) -> str:
        if self.path == self.base:
            return f"{self.base.name}/"
        return f"{self.path.relative_to(self.base).as_posix()}/"

    @property
    def parts(self) -> tuple[str, ...]:
        return self.path.relative_to(self.base).parts

    def fault(self, error: OSError, what: str = "can't be read") -> Fault:
        reason = error.strerror or type(error).__name__
        return self._fault(
            f"{what} ({reason}): what is in it is left out", "check its permissions and its disk"
        )

    def _fault(self, what: str, remedy: str) -> Fault:
        return Fault(readable(self.name), SlideError(what, where=self.path, remedy=remedy))

    def content(self, passed: PassedOver) -> _Content:
        """What it holds; as much as could be listed."""
        entries: list[os.DirEntry[str]] = []
        try:
            with os.scandir(self.path) as listed:
                entries.extend(listed)
        except OSError as error:
            what = "can't be read to its end" if entries else "can't be read"
            passed.faults.append(self.fault(error, what))
        entries.sort(key=lambda entry: entry.name)
        own = _RESULTS.intersection(entry.name for entry in entries)
        if own and not self.of_run:
            passed.results.append(self.name)
        inside = _Folder(self.path, self.base, self.of_run or bool(own))
        content = _Content()
        for entry in entries:
            if entry.name.startswith("."):
                inside._pass_hidden(entry, passed)
            else:
                inside._take(entry, content, passed)
        return content

    def _take(self, entry: os.DirEntry[str], content: _Content, passed: PassedOver) -> None:
        path = self.path / entry.name
        below = _Folder(path, self.base, self.of_run)
        suffix = PurePath(entry.name).suffix.lower()
        try:
            if entry.is_file():
                if not (self.of_run and entry.name in _OWN):
                    content.files.append(entry.name)
            elif not entry.is_dir():
                kind = _SPECIAL.get(stat.S_IFMT(entry.stat().st_mode), "special file")
                passed.special.append(f"{path.relative_to(self.base).as_posix()}, a {kind}")
            elif (entry.name == names.STORE and _is_store(path)) or (
                entry.name == names.MAPS and holds_maps(path)
            ):
                pass
            elif suffix == ZARR_SUFFIX and is_zarr(path):
                content.zarrs.append(entry.name)
            elif suffix == ZARR_SUFFIX and not any(_is_called_a_slide(one.name) for one in path.iterdir()):
                what = "is called a slide in Zarr, but has no zarr.json, .zgroup or .zattrs"
                content.faults.append((below, below._fault(what, "copy it whole, or rename it")))
            else:
                content.folders.append(below)
        except OSError as error:
            if suffix in SLIDE_SUFFIXES | IMAGE_SUFFIXES or mimetypes.guess_type(entry.name)[0]:
                content.files.append(entry.name)
            elif error.errno in _NOWHERE and entry.is_symlink():
                how = "leads in a circle" if error.errno == errno.ELOOP else "isn't there"
                what = f"is a link to {path.readlink()}, which {how}: what should be in it is left out"
                content.faults.append(
                    (below, below._fault(what, "mount what it leads to, or remove the link"))
                )
            else:
                content.faults.append((below, below.fault(error)))

    def _pass_hidden(self, entry: os.DirEntry[str], passed: PassedOver) -> None:
        """Keep the name of a hidden folder, or of a hidden file that looks like a slide."""
        if entry.name.startswith(_APPLE_DOUBLE):
            return
        path = (self.path / entry.name).relative_to(self.base).as_posix()
        try:
            is_folder = entry.is_dir()
        except OSError:
            is_folder = False
        if is_folder or _is_called_a_slide(entry.name):
            passed.hidden.append(f"{path}/" if is_folder else path)


def _is_called_a_slide(name: str) -> bool:
    return PurePath(name).suffix.lower() in SLIDE_SUFFIXES


def _slides_in(out: Path) -> Iterator[str]:
    """The files in a results folder that are called like slides."""
    for folder, subfolders, files in os.walk(out):
        subfolders[:] = [name for name in subfolders if name not in names.ZARRS]
        yield from (
            str(Path(folder, name)) for name in files if _is_called_a_slide(name) and not name.startswith(".")
        )


def _is_store(path: Path) -> bool:
    """Whether a folder called like a slide's store is one, or what is left of one; and no slide in Zarr."""
    try:
        group = json.loads((path / "zarr.json").read_bytes())
    except FileNotFoundError:
        return not is_zarr(path)
    except (OSError, ValueError):
        return True
    return "cells_hash" in group.get("attributes", {})


def _some(found: Sequence[str]) -> str:
    """How many there are, and the names of the first of them."""
    more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return f"{len(found):,} ({', '.join(found[:_MOST_NAMED])}{more})"
