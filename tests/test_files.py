"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.files import append, atomic_write, refusal_of_system, remove, sync, write_atomically


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.svs" / "cells.geojson"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_until_the_block_ends_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    (tmp_path / ".x.partial").write_bytes(b"a longer text of a run that was killed")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_sentence_with_free_space_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "cells.geojson"
    with pytest.raises(
        OutputError, match=r"No space left on device \([\d,]+ bytes free\); make room"
    ) as caught:
        write_atomically(path, b"cells")
    assert str(path) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "cells.geojson"
    with pytest.raises(
        OutputError, match=r"can't be written: (File exists|Not a directory); .*elsewhere"
    ) as caught:
        write_atomically(path, b"")
    assert caught.value.where == str(path)


def test_append_adds_to_the_end_and_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    append(path, b"step,loss\n")
    append(path, b"1,0.5\n")
    assert path.read_bytes() == b"step,loss\n1,0.5\n"
    with pytest.raises(OutputError, match=r"no folder/log.csv can't be written: No such file or directory; "):
        append(tmp_path / "no folder" / "log.csv", b"1,0.5\n")


def test_remove_takes_files_folders_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder" / "below").mkdir(parents=True)
    kept = tmp_path / "kept"
    kept.write_bytes(b"kept")
    (tmp_path / "folder" / "below" / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "link").symlink_to(kept)
    for name in ("missing", "link", "folder", "folder"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == [kept]


def test_what_cannot_be_removed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(OutputError, match="x can't be removed: Permission denied; "):
        remove(tmp_path / "x")


@pytest.mark.parametrize(("code", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_is_synced_only_if_the_system_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raised: bool
) -> None:
    """EINVAL is what network disks answer; of a file it is an error."""
    file = tmp_path / "file"
    file.write_bytes(b"")

    def refused(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match=os.strerror(code)) if raised else nullcontext():
        sync(tmp_path)
    with pytest.raises(OSError, match=os.strerror(code)):
        sync(file)


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from wsi_edt.cells import Cells
from wsi_edt.errors import OutputError
from wsi_edt.qupath.cells_out import write_geojson
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
n = 20_000
cells = Cells(np.arange(n, dtype=float), np.zeros(n), np.ones(n, np.float32), np.zeros(n, np.uint8))
try:
    write_geojson(Path(sys.argv[1]), cells, slide_name="a", radius_px=4)
except OutputError as error:
    print(error)
"""


def test_a_write_that_the_system_stops_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """The kernel's own refusal, in the middle of a GeoJSON: a limit on the size of a process's files."""
    assert resource.RLIMIT_FSIZE is not None
    path = tmp_path / "cells.geojson"
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert "File too large; files so large aren't allowed there" in run.stdout, run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "helps"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EDQUOT, "your share of that disk is used up"),
        (errno.EFBIG, "FAT32 ends at 4 GiB.*ulimit -f"),
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "check its permissions"),
        (errno.EPERM, "check its permissions"),
        (errno.ENAMETOOLONG, "use shorter names"),
        (errno.EINVAL, "names there may not hold such characters"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "end other programs"),
        (errno.ENOENT, "not mounted"),
        (errno.ENOTDIR, "is a file, not a folder"),
        (errno.EISDIR, "there is a folder of that name"),
        (errno.EEXIST, "there is something else of that name"),
        (errno.EBUSY, "another program has it open"),
        (errno.EIO, "is failing"),
        (errno.ESTALE, "see that it is mounted"),
        (errno.ENOTCONN, "see that it is mounted"),
        (errno.ENOTEMPTY, "check the path and its permissions"),
    ],
)
def test_what_helps_is_what_the_system_s_answer_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, helps: str
) -> None:
    def refused(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OutputError, match=helps) as caught:
        write_atomically(tmp_path / "x", b"")
    assert f"x can't be written: {os.strerror(code)}" in str(caught.value)
    assert ("make room" in str(caught.value)) is (code == errno.ENOSPC)
    assert ("bytes free" in str(caught.value)) is (code == errno.ENOSPC)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ESTALE, "Stale file handle"), errno.ESTALE),
        (RuntimeError("Couldn't open a.mrxs: Too many open files"), errno.EMFILE),
        (RuntimeError("a.svs: Input/output error"), errno.EIO),
        (RuntimeError("Bogus marker length"), None),
        (OSError("cannot identify image file"), None),  # Pillow's own
    ],
)
def test_a_refusal_of_the_system_is_told_from_damage(error: Exception, code: int | None) -> None:
    found = refusal_of_system(error)
    assert (None if found is None else found.errno) == code
