"""corrections.json: written whole or not at all, by one writer at a time, and never over what its writer hasn't seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from wsi_edt.corrections.kinds import LONGEST_NAME, Correction
from wsi_edt.corrections.record import Record
from wsi_edt.corrections.wire import record_from_json, record_to_json
from wsi_edt.errors import OutputError, StaleError, UsageError
from wsi_edt.files import write_atomically, writing

_PATIENCE_S = 10.0  # a writer holds the lock for the time of one small file


class CorrectionsFile:
    """The corrections of one slide on disk. Threads and processes may share the file; each call opens it anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record:
        """What was corrected so far; nothing if there is no file.

        Raises
        ------
        OutputError
            If it can't be read, or isn't a record of corrections.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Record()
        except OSError as error:
            raise OutputError(
                f"can't be read: {error.strerror}", where=self.path, remedy="check its permissions"
            ) from error
        try:
            return record_from_json(content)
        except ValueError as error:
            raise OutputError(
                f"isn't a record of corrections: {error}",
                where=self.path,
                remedy="put back a copy of it, or give it another name to go on without",
            ) from error

    def append(
        self, corrections: Sequence[Correction], *, who: str, seen: int, by_file: bool = False
    ) -> Record:
        """Add corrections, all or none; the record with them, which is on the disk by then.

        Parameters
        ----------
        who : corrects
        seen : the revision that they were made on
        by_file : whether they were read from a file that was edited elsewhere

        Raises
        ------
        StaleError
            If there are others since; nothing is written.
        UsageError
            If one makes no sense, see `Record.with_new`, or nobody is named.
        OutputError
            If the file can't be read or written, or another program keeps its lock.
        """
        if not 0 < len(who) <= LONGEST_NAME:
            raise UsageError(f"whoever corrects needs a name of at most {LONGEST_NAME} letters")
        if not self.path.parent.is_dir():
            raise OutputError(
                "isn't there any more", where=self.path.parent, remedy="was it moved or renamed?"
            )
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_PATIENCE_S)
        try:
            with writing(self.path):
                lock.acquire()
        except Timeout as error:
            raise OutputError(
                "is being written by another program", where=self.path, remedy="try again when it has ended"
            ) from error
        try:
            record = self.read()
            if record.revision != seen:
                raise StaleError(
                    f"has corrections that weren't seen (revision {record.revision}, not {seen})",
                    where=self.path,
                    remedy="look at them, then correct again",
                )
            record = record.with_new(corrections, who=who, when=datetime.now(UTC), by_file=by_file)
            write_atomically(self.path, record_to_json(record))
            return record
        finally:
            lock.release()
