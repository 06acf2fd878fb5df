"""What a results folder holds: its finished slides, and what was found on each, without a network or the slide."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

from wsi_edt.cells import Cells
from wsi_edt.corrections import NOTHING, CorrectionsFile, Record
from wsi_edt.errors import OutputError, UsageError, WsiEdtError
from wsi_edt.ki67 import Conventions, SlideFindings
from wsi_edt.ki67.findings import classes_of_stain
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.lock import who_writes
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.results.seen import RUN_AGAIN, Drawn, Seen, read_seen
from wsi_edt.results.store import Finished, SlideStore, StoreHeader
from wsi_edt.run.failed import failed_slides
from wsi_edt.run.finalise import shards_of, slide_findings, stitched_cells
from wsi_edt.run.settings import CellSettings

_REMEDY = "name the folder that was --out of a run"


@dataclass(frozen=True, slots=True, eq=False)
class StoredSlide:
    """A slide whose cells are all in its store.

    Attributes
    ----------
    folder : of its results
    header : of its store
    cells : the settings that its cells were found with
    seen : what is known of it beside its cells
    mark : of its last report
    conventions : the rules of that report
    output : how its files were written
    """

    folder: Path
    header: StoreHeader
    cells: CellSettings
    seen: Seen
    mark: Finished
    conventions: Conventions
    output: OutputOptions

    @classmethod
    def read(cls, folder: Path) -> StoredSlide | None:
        """The slide that has its results in a folder; None if they aren't complete.

        Raises
        ------
        OutputError
            If the store is of another version, or damaged.
        """
        path = folder / names.STORE
        header, mark = SlideStore.read_header(path), SlideStore.read_finished(path)
        if header is None or mark is None:
            return None
        cells, seen = CellSettings.from_json(header.cells), read_seen(path)
        try:
            conventions = TypeAdapter(Conventions).validate_python(mark.written_as["conventions"])
            output = OutputOptions.from_json(mark.written_as)
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(
                "doesn't say how its slide was reported", where=path, remedy=RUN_AGAIN
            ) from error
        return cls(folder, header, cells, seen, mark, conventions, output)

    @property
    def name(self) -> str:
        """The slide's relative path, POSIX, extension included."""
        return self.seen.slide

    @property
    def threshold(self) -> float:
        """The score that the cells exceed which it was last reported with."""
        threshold = self.mark.written_as.get("threshold", self.cells.decode.threshold)
        assert isinstance(threshold, float)
        return threshold

    def seconds(self, drawn: Drawn | None = None) -> float | None:
        """How long workers took for all that decides about the slide's cells; None if some of it is missing.

        Parameters
        ----------
        drawn : the regions to report; by default the last report's
        """
        needed = shards_of(self._seen_with(drawn), self.cells)
        done = self._store.done_shards(needed)
        return sum(done.values()) if len(done) == len(needed) else None

    @property
    def corrections(self) -> CorrectionsFile:
        """What a person corrected, which may be more than the last report had."""
        return CorrectionsFile(self.folder / names.CORRECTIONS)

    def reported_record(self) -> Record:
        """The corrections that the last report was made with."""
        revision = self.reported_revision
        return self.corrections.read().at(revision) if revision else NOTHING

    @property
    def reported_revision(self) -> int:
        """How many corrections the last report was made with."""
        revision = self.mark.written_as.get("corrections", 0)
        return revision if isinstance(revision, int) else 0

    def findings(
        self,
        *,
        threshold: float | None = None,
        drawn: Drawn | None = None,
        record: Record | None = None,
    ) -> SlideFindings:
        """What was found on the slide.

        Parameters
        ----------
        drawn : the regions to report; by default the last report's
        threshold : the score that a cell must exceed, not below that of the run; by default the last report's
        record : of corrections; by default those of the last report

        Raises
        ------
        UsageError
            If the threshold is below that of the run, which kept no weaker cells.
        OutputError
            If shards are missing, or one can't be read back.
        """
        if self.seconds(drawn) is None:
            if drawn is None:
                raise OutputError("isn't finished", where=self.folder, remedy=RUN_AGAIN)
            if not drawn.alone:
                raise OutputError(
                    "was computed in its regions alone",
                    where=self.folder,
                    remedy="give the slide to wsi-edt run without --roi, which computes the rest",
                )
            raise OutputError(
                "wasn't computed everywhere in these regions",
                where=self.folder,
                remedy="give them to wsi-edt run, which computes what is missing",
            )
        record = self.reported_record() if record is None else record
        wanted = self.threshold if threshold is None else threshold
        raised = None if wanted == self.cells.decode.threshold else wanted
        seen = self._seen_with(drawn)
        return slide_findings(seen, self._store, self.cells, threshold=raised, record=record)

    def every_cell(self) -> Cells:
        """All cells that the run stored, level-0 px, ordered by y and x: the order that corrections number them by.

        Raises
        ------
        OutputError
            If a shard can't be read back.
        """
        return classes_of_stain(stitched_cells(self.seen, self._store, self.cells), self.seen.staining)

    def _seen_with(self, drawn: Drawn | None) -> Seen:
        return self.seen if drawn is None else replace(self.seen, drawn=drawn)

    @property
    def _store(self) -> SlideStore:
        return SlideStore(self.folder / names.STORE, self.header)


@dataclass(frozen=True, slots=True, eq=False)
class StoredResults:
    """What a results folder holds.

    Attributes
    ----------
    root : the results folder itself, which is above what was named if that is a slide's folder
    slides : the finished ones, by name
    unfinished : the folders of slides that aren't finished, relative to the root, POSIX
    faults : the same of results that can't be read, and why
    failed : the rows of slides that failed in their run and aren't finished now
    is_whole : whether the root is what was named
    """

    root: Path
    slides: tuple[StoredSlide, ...]
    unfinished: tuple[str, ...]
    faults: tuple[tuple[str, WsiEdtError], ...]
    failed: tuple[SummaryRow, ...]
    is_whole: bool

    @property
    def one_that_failed(self) -> SummaryRow | None:
        """The slide that was named, if it failed in its run; else None."""
        alone = not (self.is_whole or self.slides or self.unfinished or self.faults)
        return self.failed[0] if alone and len(self.failed) == 1 else None

    def why_none(self) -> OutputError:
        """Why no slide is finished."""
        if holder := who_writes(self.root):
            return OutputError(
                f"has no finished slide yet: a run is going on there ({holder})",
                where=self.root,
                remedy="wait for it",
            )
        if (row := self.one_that_failed) is not None:
            return OutputError(f"failed in its run: {row.error}", where=self.root / row.slide)
        return OutputError("has no finished slide", where=self.root, remedy=RUN_AGAIN)


def stored_results(results: Path) -> StoredResults:
    """What a results folder holds, or the folder of one slide in it, or one between them.

    Raises
    ------
    UsageError
        If it isn't a folder with results.
    """
    folders = _slide_folders(results)
    named = Path(os.path.abspath(results))  # noqa: PTH100 - without .., which would lead past a link
    listed_in, failed = failed_slides(named)
    if not folders and not failed and who_writes(named) is None:
        raise UsageError("holds no results of a run", where=results, remedy=_REMEDY)
    slides: list[StoredSlide] = []
    unfinished: list[Path] = []
    faults: list[tuple[Path, WsiEdtError]] = []
    for folder in folders:
        try:
            slide = StoredSlide.read(folder)
        except WsiEdtError as error:
            faults.append((folder, error))
            continue
        if slide is None:
            unfinished.append(folder)
        else:
            slides.append(slide)
    if slides:
        root = _root(named, [(slide.folder, slide.name) for slide in slides])
    elif failed:
        root = listed_in
    else:
        root = _root(named, list(_seen_names(unfinished)))
    slides.sort(key=lambda slide: slide.name)
    known = {slide.name for slide in slides} | {_name(folder, root) for folder, _ in faults}
    named_failed = {row.slide for row in failed}
    return StoredResults(
        root,
        tuple(slides),
        tuple(name for folder in unfinished if (name := _name(folder, root)) not in named_failed),
        tuple((_name(folder, root), error) for folder, error in faults),
        tuple(row for row in failed if row.slide not in known),
        is_whole=root == named,
    )


def stored_slides(results: Path) -> tuple[StoredSlide, ...]:
    """The finished slides of a results folder, by name.

    Raises
    ------
    UsageError
        If it isn't a folder with results.
    OutputError
        If those of a slide can't be read.
    """
    found = stored_results(results)
    for _, error in found.faults:
        raise error
    return found.slides


def _slide_folders(results: Path) -> list[Path]:
    """The folders that have a slide's store, below a folder or it itself."""
    if not results.is_dir():
        what = "is a file, not a results folder" if results.exists() else "doesn't exist"
        raise UsageError(what, where=results, remedy=_REMEDY)
    found = []
    for folder, subfolders, _ in os.walk(os.path.abspath(results)):  # noqa: PTH100 - as above
        if names.STORE in subfolders:
            found.append(Path(folder))
        subfolders[:] = sorted(name for name in subfolders if name not in names.ZARRS)
    return found


def _seen_names(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Folders of slides that aren't finished, with the slides' names, as far as they are known."""
    for folder in folders:
        with suppress(OutputError):
            yield folder, read_seen(folder / names.STORE).slide


def _name(folder: Path, root: Path) -> str:
    """A slide's folder relative to the results folder, POSIX; its own name if it was named itself."""
    return folder.relative_to(root).as_posix() if folder != root else folder.name


def _root(results: Path, slides: list[tuple[Path, str]]) -> Path:
    """The folder that the slides' names start at; what was named if they lie otherwise by now."""
    roots = set()
    for folder, name in slides:
        parts = PurePosixPath(name).parts
        at_home = folder.parts[-len(parts) :] == parts
        roots.add(folder.parents[len(parts) - 1] if at_home else results)
    root = roots.pop() if len(roots) == 1 else results
    return root if results.is_relative_to(root) else results
