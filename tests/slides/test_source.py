"""A slide before it is opened: its file's fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from wsi_edt.errors import SlideError
from wsi_edt.slides import SlideSource


def test_another_picture_of_the_file_is_another_slide(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"a slide")
    unsaid, first, second = (SlideSource(path, series=series).fingerprint() for series in (None, 1, 2))
    assert len({unsaid, first, second}) == 3


def test_a_file_and_a_url_of_the_same_content_have_the_same(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a.svs").write_bytes(content)
    url = UPath("memory://wsi-edt-tests/source/a.svs")
    url.parent.mkdir(parents=True, exist_ok=True)
    url.write_bytes(content)
    found = SlideSource(url, 0.5).fingerprint()
    assert found == SlideSource(tmp_path / "a.svs").fingerprint()
    assert found.startswith("1280000-"), "its size, for people"


@pytest.mark.parametrize("changed", [b"a" * 100, b"b" + b"a" * 98, b""])
def test_another_file_has_another(tmp_path: Path, changed: bytes) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(b"a" * 99)
    before = SlideSource(path).fingerprint()
    path.write_bytes(changed)
    if changed:
        assert SlideSource(path).fingerprint() != before
    else:
        with pytest.raises(SlideError, match="is empty"):
            SlideSource(path).fingerprint()


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"missing doesn.t exist; check the path"):
        SlideSource(tmp_path / "missing").fingerprint()
