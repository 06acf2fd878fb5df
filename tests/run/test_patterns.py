"""Patterns of paths."""

from __future__ import annotations

import glob
import itertools
import os
from pathlib import Path

import pytest

from wsi_edt.run.patterns import Pattern

PATTERNS = [
    "*.svs",
    "**/*.svs",
    "*/*.svs",
    "a/*",
    "a/**/b/?.svs",
    "**/[ab].svs",
    "**/b/*.svs",
    "[!a]/**/*.svs",
    "*",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_files_are_those_that_a_shell_would_find(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for depth in range(4):
        for folders in itertools.product("ab", repeat=depth):
            folder = tmp_path.joinpath(*folders)
            folder.mkdir(exist_ok=True)
            for name in ("a.svs", "b.svs", "cc.svs", "a.txt"):
                (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    matched = {Path(found) for found in glob.glob(pattern, recursive=True)}  # noqa: PTH207 - the oracle
    expected = {found for found in matched if found.is_file()}
    # A folder that fits stands for all that lies in it.
    expected |= {file for folder in matched for file in folder.rglob("*") if file.is_file()}
    one = Pattern.of(Path(pattern))
    assert one is not None
    below = [
        Path(folder, name).relative_to(one.base) for folder, _, names in os.walk(one.base) for name in names
    ]
    found = {path for path in below if one.takes(path.parts)}
    assert {one.base / path for path in found} == expected
    assert expected
    for path in found:
        assert all(one.leads(path.parts[:depth]) for depth in range(len(path.parts))), path


def test_folders_that_hold_nothing_of_it_are_not_looked_into() -> None:
    pattern = Pattern.of(Path("/data/2024*/scans/**/*.svs"))
    assert pattern == Pattern(Path("/data"), ("2024*", "scans", "**", "*.svs"))
    assert not pattern.leads(("2023",))
    assert not pattern.leads(("2024-1", "other"))
    assert pattern.leads(("2024-1", "scans", "any", "depth"))
    assert Pattern.of(Path("/data/a.svs")) is None
