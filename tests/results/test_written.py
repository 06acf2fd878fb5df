"""Files as they were written: what is missing, cut or changed later."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.results.written import (
    Written,
    as_written,
    aside_name,
    is_as_written,
    keep_aside,
    other_than_written,
)


def test_a_file_is_its_size_and_its_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"cells")
    expected = Written(5, hashlib.sha256(b"cells").hexdigest())
    assert as_written(tmp_path, ["a"]) == {"a": expected}
    with pytest.raises(OutputError, match="No such file"):
        as_written(tmp_path, ["b"])


@pytest.mark.parametrize("harm", [b"", b"cel", b"cellS", b"cells and more"])
def test_what_changed_is_noticed(tmp_path: Path, harm: bytes) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"cells")
    written = as_written(tmp_path, "ab")
    assert is_as_written(tmp_path, "ab", written)
    assert not is_as_written(tmp_path, "abc", written), "another output than those that were written"
    (tmp_path / "b").write_bytes(harm)
    assert not is_as_written(tmp_path, "ab", written)
    assert is_as_written(tmp_path, "a", written)
    assert other_than_written(tmp_path, written) == ("b",)
    (tmp_path / "b").unlink()
    assert not is_as_written(tmp_path, "ab", written)
    assert other_than_written(tmp_path, written) == (), "nothing is there to be kept"


def test_what_a_person_changed_is_kept(tmp_path: Path) -> None:
    (tmp_path / "cells.geojson.gz").write_bytes(b"a person's")
    keep_aside(tmp_path, ["cells.geojson.gz"])
    assert [path.name for path in tmp_path.iterdir()] == ["cells.changed.geojson.gz"]
    assert aside_name("report.html") == "report.changed.html"


def test_a_folder_in_the_place_of_what_is_kept_is_named(tmp_path: Path) -> None:
    (tmp_path / "cells.geojson").write_bytes(b"a person's")
    (tmp_path / "cells.changed.geojson").mkdir()
    with pytest.raises(
        OutputError, match=r"cells\.changed\.geojson can't be written: Is a directory; there is a folder"
    ):
        keep_aside(tmp_path, ["cells.geojson"])
    assert (tmp_path / "cells.geojson").read_bytes() == b"a person's"
