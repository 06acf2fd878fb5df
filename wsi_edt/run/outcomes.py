"""How slides end: the one place that turns whatever a slide does, at whatever stage, into its row; the others go on."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wsi_edt.errors import ClusterLostError, ModelError, OutputError
from wsi_edt.files import remove, write_atomically
from wsi_edt.foreign import translated
from wsi_edt.report.rows import Status, SummaryRow
from wsi_edt.results import names
from wsi_edt.results.summary import BatchFiles
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.progress import RunProgress
from wsi_edt.run.slide_names import placeless
from wsi_edt.run.tree import Fault

T = TypeVar("T")

_FULL = {errno.ENOSPC, errno.EDQUOT}


def ends_the_run(error: Exception) -> bool:
    """Whether every other slide would meet this error too: no model, no cluster, or no room on the results' disk.

    All else is the slide's. A folder of results that can't be written or read may be one slide's alone; where it is the
    whole results folder, the batch's own files can't be written either, and they aren't a slide's.
    """
    if isinstance(error, OutputError):
        return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL
    return isinstance(error, ModelError | ClusterLostError)


@dataclass(frozen=True, slots=True)
class RunResult:
    """A row for each slide that has ended, and for each folder that couldn't be looked into, ordered by name.

    Attributes
    ----------
    unfinished : slides without a row, because the run was asked to stop
    others : the slides whose rows are as they were, as nobody asked for them now
    """

    rows: tuple[SummaryRow, ...]
    unfinished: int = 0
    others: frozenset[str] = frozenset()

    @property
    def failed(self) -> int:
        """How many of the slides that were asked for failed."""
        return sum(row.status is Status.FAILED and row.slide not in self.others for row in self.rows)


class Outcomes:
    """The rows of a run's slides, as they come.

    Parameters
    ----------
    out : the results folder, whose lock the caller holds
    files : take the rows
    progress : is told of each row, once the run has begun
    model : by name, for the rows of slides that have failed
    left_by : what such a row says beside the error, of what is in the slide's folder; "" for nothing
    """

    def __init__(
        self,
        out: Path,
        files: BatchFiles,
        *,
        progress: RunProgress,
        model: str,
        left_by: Callable[[SlideRef], str] = lambda ref: "",
    ) -> None:
        self._out = out
        self._left_by = left_by
        self._files = files
        self._progress = progress
        self._model = model
        self._untold: list[SummaryRow] | None = []  # None once the run has begun

    def begin(self, slides: Sequence[SlideRef], *, others: int = 0) -> tuple[SlideRef, ...]:
        """Tell that the run begins; the slides that have no row yet.

        Parameters
        ----------
        others : slides of the batch that the run isn't about
        """
        untold, self._untold = self._untold or [], None
        finished = len(self._files.rows) - len(untold)
        self._progress.begun(slides=len(self._files.slides) - others, finished=finished)
        for row in untold:
            self._progress.ended(row)
        return tuple(slide for slide in slides if slide.name not in self._files.rows)

    def attempt(self, ref: SlideRef, stage: Callable[[], T]) -> T | None:
        """What a stage of a slide's work gives; None if it raised, and the slide has its row.

        Raises
        ------
        OutputError, ModelError, ClusterLostError
            What would end every other slide too.
        """
        try:
            return stage()
        except Exception as error:
            if ends_the_run(error):
                raise
            self.failed(ref, error)
            return None

    def unreachable(self, fault: Fault) -> None:
        """Give a folder that couldn't be looked into its row: slides may be missing from the others."""
        row = SummaryRow.failed(fault.name, fault.error.sentence(), model=self._model)
        self._files.take(row)
        self._tell(row)

    def finished_earlier(self, row: SummaryRow) -> None:
        """Take the row of a slide that an earlier run has finished; what a failure since left of it goes."""
        self._files.take(row)
        remove(self._out / row.slide / names.ERROR_LOG)

    def ended(self, ref: SlideRef, row: SummaryRow) -> None:
        """Take the row of a slide whose results are there."""
        if self.attempt(ref, lambda: self._files.take(row)) is None:
            return
        self._tell(row)
        if row.slide_mpp is not None and (note := ref.mpp_note(row.slide_mpp)):
            self._progress.note(f"{row.slide}: {note}")

    def failed(self, ref: SlideRef, error: Exception, *, tries: int = 1) -> None:
        """Give a slide its row, and its traceback to its log, if that can be written."""
        sentence = sentence_on(ref, error) + (f" (tried {tries} times)" if tries > 1 else "")
        if left := self._left_by(ref):
            sentence = f"{sentence}; {left}"
        self._log(ref, error)
        row = SummaryRow.failed(ref.name, sentence, model=self._model)
        self._files.take(row)
        self._tell(row)

    def _log(self, ref: SlideRef, error: Exception) -> None:
        if placeless(ref.name, self._out) is not None:
            return
        trace = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
        try:
            write_atomically(self._out / ref.name / names.ERROR_LOG, trace)
        except OutputError as refused:  # the row says why; that it can't be said at length is no news
            if ends_the_run(refused):
                raise

    def _tell(self, row: SummaryRow) -> None:
        self._files.write_now_and_then()
        if self._untold is None:
            self._progress.ended(row)
        else:
            self._untold.append(row)


def sentence_on(ref: SlideRef, error: Exception, *, with_remedy: bool = True) -> str:
    """The error for a reader who knows the slide by its name, which is shorter than its path."""
    ours = translated(error)
    where = ref.name if ours.where == str(ref.source) else None
    return ours.sentence(where=where, with_remedy=with_remedy)
