"""Standard output and error that end no command: what can't be written there is lost, and the loss is told at the end."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class HarmlessStream(io.RawIOBase):
    """Writes where `raw` does, as long as that goes well.

    Attributes
    ----------
    refused : the first error of the system, for example because a disk is full or a pipe was closed; None so far
    """

    def __init__(self, raw: io.RawIOBase | BinaryIO) -> None:
        self._raw = raw
        self.refused: OSError | None = None

    def write(self, data: WriteableBuffer, /) -> int | None:
        """Write the bytes, or as many as the system takes; all of them count as written where it refuses."""
        try:
            written = self._raw.write(data)
            if written is None:  # a terminal or a pipe that doesn't wait
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        except OSError as error:
            self.refused = self.refused or error
            return memoryview(data).nbytes
        return written

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def fileno(self) -> int:
        """Of the file below."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()


def harmless_streams() -> tuple[HarmlessStream | None, HarmlessStream | None]:
    """Put such streams in the place of Python's standard output and error, which take any letter.

    Returns
    -------
    What is below each; None for one that is closed.
    """
    _fill_closed()
    sys.stdout, out = _harmless(sys.stdout)
    sys.stderr, err = _harmless(sys.stderr)
    return out, err


def _fill_closed() -> None:
    """Let standard streams that are closed lead nowhere, or the next file that is opened takes their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _harmless(stream: object) -> tuple[io.TextIOWrapper, HarmlessStream | None]:
    """The stream, written through a `HarmlessStream`; what isn't Python's own (or None) stays as it is."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None  # type: ignore[return-value]
    stream.flush()
    buffer = stream.buffer
    below = HarmlessStream(buffer.raw if isinstance(buffer, io.BufferedWriter) else buffer)
    text = io.TextIOWrapper(
        io.BufferedWriter(below),
        encoding=stream.encoding,
        errors="backslashreplace",  # µ in a console of ASCII
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, below
