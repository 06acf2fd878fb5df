"""ki67.json on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wsi_edt.errors import OutputError
from wsi_edt.ki67.index import Ki67Score
from wsi_edt.ki67.result import SlideResult
from wsi_edt.results.ki67_json import read_ki67, write_ki67

RESULT = SlideResult("a µ.svs", Ki67Score(150, 450, 0, 0.25, None), "haematoxylin and DAB", 1.0, False, "m 1")


def test_the_file_is_readable_json_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "a µ.svs" / "ki67.json"
    write_ki67(path, RESULT)
    assert json.loads(path.read_text())["index_percent"] == 25.0
    assert path.read_text().count("\n") == len(RESULT.to_json()) + 2  # a field a line
    assert read_ki67(path) == RESULT


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_ki67(tmp_path / name, RESULT)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null"])
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ki67.json").write_bytes(content)
    with pytest.raises(OutputError):
        read_ki67(tmp_path / "ki67.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"can't read .*ki67\.json"):
        read_ki67(tmp_path / "ki67.json")
