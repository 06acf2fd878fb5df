"""What a text on the command line means, and what can go wrong there."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from upath import UPath

from tests.conftest import MPP
from tests.slides.web import serve
from wsi_edt.errors import SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide, read_window
from wsi_edt.slides.location import file_name, files_below, is_folder, location, open_binary, unreadable


@pytest.fixture
def memory() -> UPath:
    """A folder that only this process has."""
    folder = UPath("memory://wsi-edt-tests/slides")
    if folder.exists():
        folder.fs.rm(folder.path, recursive=True)
    return folder


def put(file: UPath, content: bytes) -> UPath:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def nobody() -> str:
    """The address of a server that isn't there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("slides/a.svs", "slides/a.svs"),
        ("file:///slides/a.svs", "/slides/a.svs"),
        ("file://localhost/slides/a%20b.svs", "/slides/a b.svs"),
        (UPath("file:///slides/a.svs"), "/slides/a.svs"),
        (Path("/slides"), "/slides"),
    ],
)
def test_what_lies_here_is_a_path(given: str | Path | UPath, path: str) -> None:
    assert location(given) == Path(path)
    assert isinstance(location(given), Path)


def test_a_url_stays_one_and_goes_to_other_processes(memory: UPath) -> None:
    url = location(str(memory / "a.svs"))
    assert isinstance(url, UPath)
    assert pickle.loads(pickle.dumps(url)) == url
    assert {url: 1}[pickle.loads(pickle.dumps(url))] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "s3://bucket/slides",
            "s3://bucket/slides needs the package s3fs, which isn't installed; pip install s3fs",
        ),
        ("nothing://bucket/a.svs", r"nothing://bucket/a.svs can't be read \(.*nothing"),
        ("file://slides/a.svs", "names another machine; write file:///"),
    ],
)
def test_what_nothing_reads_is_one_sentence(
    given: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # also where somebody has it
    with pytest.raises(UsageError, match=message):
        location(given)


def test_names_of_urls() -> None:
    assert file_name(UPath("https://host/slides/case%207.svs?X-Signature=a/b&c=d")) == "case 7.svs"
    assert file_name(UPath("https://host/")) == ""
    assert file_name(UPath("memory://bucket/case 7?.svs")) == "case 7?.svs"
    assert file_name(Path("slides/a.svs")) == "a.svs"


def test_files_and_folders(memory: UPath) -> None:
    file = put(memory / "deep/a.svs", b"a slide")
    assert [is_folder(url) for url in (file, memory, memory / "deep")] == [False, True, True]
    with pytest.raises(UsageError, match=r"slides/b\.svs doesn't exist; check the URL"):
        is_folder(memory / "b.svs")


def test_what_is_no_file_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dead.svs").symlink_to("gone.svs")
    (tmp_path / "self.svs").symlink_to("self.svs")
    (tmp_path / "a.svs").write_bytes(b"a slide")
    (tmp_path / "linked.svs").symlink_to("a.svs")
    assert [is_folder(tmp_path / name) for name in ("a.svs", "linked.svs", ".")] == [False, False, True]
    for name, says in (
        ("b.svs", "b.svs is neither a file nor a folder"),
        ("a.svs/b.svs", "b.svs is neither a file nor a folder"),
        ("dead.svs", "dead.svs is a link to gone.svs, which isn't there"),
        ("self.svs", "self.svs is a link that leads in a circle"),
        ("a" * 300, r"can't be read \(File name too long\); use shorter names"),
    ):
        with pytest.raises(UsageError, match=says):
            is_folder(tmp_path / name)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(
        UsageError, match=r"a\.svs can't be read \(Permission denied\); check its permissions"
    ):
        is_folder(tmp_path / "a.svs")


def test_a_listing_has_names_that_stay_in_the_folder(memory: UPath) -> None:
    for name in ("b.svs", "deep/er/a b#1.svs", ".hidden.svs", ".trash/c.svs"):
        put(memory / name, b"a slide")
    memory.fs.pipe_file(f"{memory.path}/x/../../../evil.svs", b"object stores allow such names")
    assert any("evil" in name for name in memory.fs.find(memory.path)), "the case isn't exercised"
    found = {name: url for url, name in files_below(memory).files}
    assert sorted(found) == ["b.svs", "deep/er/a b#1.svs"]
    assert all(url.read_bytes() == b"a slide" for url in found.values())


def test_the_web_lists_folders_too(tmp_path: Path) -> None:
    for name in ("a.svs", "deep/case 7.svs", "deep/%2e%2e.svs"):
        (tmp_path / "slides" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "slides" / name).write_bytes(b"a slide")
    with serve(tmp_path) as web:
        for folder in (UPath(f"{web.address}/slides/"), UPath(f"{web.address}/slides")):
            assert is_folder(folder)
            found = {name: url for url, name in files_below(folder).files}
            assert sorted(found) == ["a.svs", "deep/%2e%2e.svs", "deep/case 7.svs"]
            assert found["deep/case 7.svs"].read_bytes() == b"a slide"
        assert not is_folder(UPath(f"{web.address}/slides/a.svs"))
        with pytest.raises(UsageError, match=r"b\.svs doesn't exist; check the URL"):
            is_folder(UPath(f"{web.address}/slides/b.svs"))
    with pytest.raises(UsageError, match=r"a\.svs can't be read \(.+\); check the URL, the network and your"):
        is_folder(UPath(f"{nobody()}/a.svs"))


def test_two_readers_of_one_file_have_positions_of_their_own(memory: UPath) -> None:
    file = put(memory / "a.bin", bytes(range(100)))
    with open_binary(file) as one, open_binary(file) as two:
        one.seek(50)
        assert (two.read(2), one.read(2)) == (b"\x00\x01", b"\x32\x33")


@pytest.mark.parametrize("fixture", ["ihc_slide_path", "ruler_slide_path"])
def test_a_url_has_the_pixels_of_its_file(fixture: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(fixture)
    with serve(path.parent) as web, open_slide(path) as slide:
        with open_slide(UPath(f"{web.address}/{path.name}")) as remote:
            assert (slide.reader, remote.reader) == ("openslide", "tifffile")
            assert remote.level_dimensions == slide.level_dimensions
            assert remote.mpp == pytest.approx(MPP)
            for mpp, window in ((MPP, Window(100, 200, 512, 400)), (0.6, Window(-20, 30, 300, 200))):
                assert np.array_equal(
                    read_window(remote, window, wanted_mpp=mpp), read_window(slide, window, wanted_mpp=mpp)
                )
        assert web.sent > 0


def test_ome_tiffs_and_plain_images_open_from_urls(memory: UPath, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    size = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="rgb", metadata=size)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    for name, mpp in (("a.ome.tif", 0.5), ("a.png", 0.3), ("a.tif", 0.3)):
        with open_slide(put(memory / name, (tmp_path / name).read_bytes()), 0.3) as slide:
            assert slide.mpp == mpp
            assert np.array_equal(slide.read_level(0, Window(0, 0, 400, 300)), pixels)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.svs", b"", "is empty"),
        ("text.svs", b"not a slide at all, only words\n" * 50, "is neither a slide"),
        ("head.tif", b"II*\0" + bytes(60), "is damaged or truncated"),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "the connection failed, or the file is damaged"),
        ("thumbnail.mrxs", b"\xff\xd8\xff" + bytes(40), "read from local files only; copy it"),
    ],
)
def test_damaged_files_at_urls(memory: UPath, name: str, content: bytes, message: str) -> None:
    url = put(memory / name, content)
    with pytest.raises(SlideError, match=message) as caught:
        open_slide(url, 0.25)
    assert str(caught.value).startswith(f"memory://wsi-edt-tests/slides/{name} ")


def test_a_truncated_file_is_known_when_it_is_opened(memory: UPath, ihc_slide_path: Path) -> None:
    whole = ihc_slide_path.read_bytes()
    with pytest.raises(SlideError, match=rf"is truncated: it has {len(whole) - 5000} bytes"):
        open_slide(put(memory / "a.tif", whole[:-5000]))


def test_a_server_that_stops_answering_is_one_sentence(ihc_slide_path: Path) -> None:
    with serve(ihc_slide_path.parent) as web:
        url = UPath(f"{web.address}/{ihc_slide_path.name}")
        assert unreadable(url) is None
        with open_slide(url) as slide:
            web.broken.add(url.name)
            with pytest.raises(
                SlideError, match=r"can't be read at level 0 \(.*503.*\); the connection failed"
            ):
                slide.read_level(0, Window(1024, 1024, 512, 512))
        assert unreadable(url) is not None
        with pytest.raises(SlideError, match=r"can't be read \(.*503.*\); check the URL"):
            open_slide(url)


def test_what_is_missing_or_a_folder_is_no_slide(memory: UPath) -> None:
    put(memory / "deep/a.svs", b"a slide")
    with pytest.raises(SlideError, match=r"b\.svs doesn't exist; check the URL"):
        open_slide(memory / "b.svs")
    with pytest.raises(SlideError, match="deep is a folder, not a slide"):
        open_slide(memory / "deep")
