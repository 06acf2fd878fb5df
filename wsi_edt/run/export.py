"""The cells of finished slides in another format, later: from their stores, without a network or the slides."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wsi_edt import files
from wsi_edt.errors import OutputError, UsageError, WsiEdtError
from wsi_edt.foreign import translated
from wsi_edt.results import names
from wsi_edt.results.exports import Export, exports
from wsi_edt.results.lock import refuse_unusable_out, results_lock
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.results.traces import without_empty_folders, without_lock
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.outcomes import ends_the_run
from wsi_edt.run.stored import StoredResults, StoredSlide, stored_results

_NOT_ALLOWED = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Exported:
    """How a slide ended.

    Attributes
    ----------
    slide : its folder, relative to the results folder, POSIX: the slide's name
    cells : how many were written
    path : of the file; None if the slide failed
    error : why it failed
    """

    slide: str
    cells: int = 0
    path: Path | None = None
    error: WsiEdtError | None = None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """How all slides ended, by name.

    Attributes
    ----------
    unfinished : the folders of slides that aren't finished and were left out
    failed_before : the same of slides that failed in their run, and why
    why_none : why there was nothing to export; None if there was
    """

    slides: tuple[Exported, ...]
    unfinished: tuple[str, ...]
    failed_before: tuple[tuple[str, str], ...]
    why_none: OutputError | None = None

    @property
    def failed(self) -> int:
        """How many slides failed."""
        return sum(slide.error is not None for slide in self.slides)


def export_slides(
    results: Path,
    form: str,
    *,
    out: Path | None = None,
    given: Mapping[str, object] | None = None,
    told: Callable[[Exported], None] = lambda slide: None,
) -> ExportResult:
    """Write the cells of each finished slide of a results folder in a format, as it was last reported.

    A run may be writing to that folder meanwhile, unless the files go there too.

    Parameters
    ----------
    form : one of `exports`
    out : a folder for the files, by slide as in the results folder; None puts them there, beside the others
    given : output options other than the run's, by name
    told : is told of each slide as it ends

    Raises
    ------
    UsageError
        If there are no results, the format doesn't have these options or isn't installed, or files of the run itself, or
        of another one, would be replaced by others.
    OutputError
        If another run is writing to the same folder, it can't be written to, or there is no room.
    """
    given = given or {}
    _refuse(exports(OutputOptions())[form], form, given)
    found = stored_results(results)
    if not found.slides and not found.faults:
        return _result(found, (), found.why_none())
    target = found.root if out is None else out
    _refuse_target(target, found)
    with without_empty_folders(target), _held(found, out) as elsewhere:
        found = stored_results(results)
        todo = []
        for slide in found.slides:
            place = slide.folder.relative_to(found.root)
            export = exports(replace(slide.output, **given))[form]  # type: ignore[arg-type]
            folder = (elsewhere or found.root) / place
            _refuse_replacing(slide, folder, export, given)
            todo.append((place.as_posix(), slide, folder / export.name, export))
        ended = [Exported(name, error=error) for name, error in found.faults]
        for fault in ended:
            told(fault)
        for name, slide, path, export in todo:
            ended.append(_exported(name, slide, path, export, ends=elsewhere is not None))
            told(ended[-1])
            trim_memory()
    return _result(found, ended)


def _result(
    found: StoredResults, ended: Iterable[Exported], why_none: OutputError | None = None
) -> ExportResult:
    return ExportResult(
        tuple(sorted(ended, key=lambda one: one.slide)),
        found.unfinished,
        ()
        if why_none and found.one_that_failed
        else tuple((row.slide, row.error or "") for row in found.failed),
        why_none,
    )


def _refuse_target(target: Path, found: StoredResults) -> None:
    """Raise if files can't go to a folder.

    Raises
    ------
    UsageError
        If there can't be a folder, or it is in a slide's results.
    OutputError
        If the system doesn't let us write there.
    """
    place = target.absolute().resolve()
    if place != found.root.resolve():
        for folder in (place, *place.parents):
            if folder.name in names.ZARRS or (folder / names.STORE).exists():
                raise UsageError(
                    f"is in the results of a slide ({folder})",
                    where=f"--out {target}",
                    remedy="choose another --out, or none to write beside them",
                )
    there = next((folder for folder in (place, *place.parents) if folder.is_dir()), place)
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(
            "can't be written to", where=target, remedy="check its permissions, or choose another --out"
        )
    refuse_unusable_out(target)


def _refuse(export: Export, form: str, given: Mapping[str, object]) -> None:
    other = next((name for name in given if name not in export.options), None)
    if other is not None:
        no = "no-" if given[other] is False else ""
        raise UsageError(f"--to {form} has no --{no}{other}", remedy="leave it out")
    export.refuse()


@contextmanager
def _held(found: StoredResults, out: Path | None) -> Iterator[Path | None]:
    """`out`, or None if the files go to the results folder itself, which is then held as by a run."""
    if out is not None and out.absolute().resolve() != found.root.resolve():
        with files.writing(out):
            out.mkdir(parents=True, exist_ok=True)
        yield out
        return
    with results_lock(found.root), without_lock(found.root):
        yield None


def _refuse_replacing(slide: StoredSlide, folder: Path, export: Export, given: Mapping[str, object]) -> None:
    """UsageError if the file would take the place of another one that a run wrote."""
    if folder != slide.folder:
        if (folder / names.STORE).exists():
            raise UsageError("has results of a run", where=folder, remedy="choose another --out")
        return
    changed = [name for name, value in given.items() if getattr(slide.output, name) != value]
    if changed and export.name in slide.mark.files:
        raise UsageError(
            f"is the run's own, with another --{changed[0]}",
            where=folder / export.name,
            remedy="give an --out, so that it stays",
        )


def _exported(name: str, slide: StoredSlide, path: Path, export: Export, *, ends: bool) -> Exported:
    """Write a slide's file; where it can't be, no empty folder is left.

    Parameters
    ----------
    ends : whether a place that may not be written to is so for all slides, and not as one slide's results may be

    Raises
    ------
    OutputError
        If there is no room, for this slide or any other, or no file can be written.
    """
    try:
        findings = slide.findings()
        with without_empty_folders(path.parent):
            export.write(path, findings)
    except Exception as error:  # a slide that can't be exported never stops the others
        if ends_the_run(error) or _is_refused(error, {errno.EROFS, *(_NOT_ALLOWED if ends else ())}):
            raise
        return Exported(name, error=translated(error))
    return Exported(name, len(findings.cells), path)


def _is_refused(error: Exception, codes: Set[int]) -> bool:
    """Whether a file couldn't be written for one of these reasons of the system's."""
    cause = error.__cause__
    return isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in codes
