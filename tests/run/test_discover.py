"""Which slides a run is about."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsi_edt.errors import UsageError
from wsi_edt.geometry import Window
from wsi_edt.results.names import RUN_RECORD
from wsi_edt.run.discover import Discovery, find_slides


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def find(*inputs: Path, out: Path | None = None, fallback_mpp: float | None = None) -> Discovery:
    return find_slides(inputs, out=out or Path("nowhere"), fallback_mpp=fallback_mpp)


def names(found: Discovery) -> list[str]:
    return [slide.name for slide in found.slides]


def test_slides_at_any_depth_by_relative_name(tmp_path: Path) -> None:
    touch(
        tmp_path, "b.SVS", "a.svs", "deep/er/c.ome.tif", "notes.txt", ".hidden.svs", "._a.svs", ".trash/d.svs"
    )
    found = find(tmp_path)
    assert names(found) == ["a.svs", "b.SVS", "deep/er/c.ome.tif"]
    assert found.slides[2].source.path == tmp_path / "deep/er/c.ome.tif"


def test_images_only_where_wanted_or_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs", "b.png", "c.JPG")
    assert find(tmp_path) == Discovery(find(tmp_path).slides, 2, ("2 files passed over: .jpg, .png",))
    assert names(find(tmp_path)) == ["a.svs"]
    assert names(find(tmp_path, fallback_mpp=0.25)) == ["a.svs", "b.png", "c.JPG"]
    assert names(find(tmp_path / "b.png")) == ["b.png"]


def test_results_are_no_slides(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs", "out/a.svs/overview.png", "earlier/a.svs/overview.png", f"earlier/{RUN_RECORD}")
    found = find(tmp_path, out=tmp_path / "out", fallback_mpp=0.25)
    assert names(found) == ["a.svs"]
    assert found.notes == ("results of a run, whose files are no slides: 1 (earlier/)",)
    assert names(find(tmp_path, out=tmp_path / "sub/../out", fallback_mpp=0.25)) == ["a.svs"]


def test_one_file_named_twice_is_one_slide(tmp_path: Path) -> None:
    touch(tmp_path, "deep/a.svs")
    assert names(find(tmp_path, tmp_path / "deep/a.svs", tmp_path)) == ["deep/a.svs"]


def test_two_slides_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.svs", "two/a.svs")
    with pytest.raises(UsageError, match=r"one/a\.svs and .*two/a\.svs would both"):
        find(tmp_path / "one", tmp_path / "two")
    assert names(find(tmp_path)) == ["one/a.svs", "two/a.svs"]


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=r"no slides in .*\.ndpi.*\.svs"):
        find(tmp_path)
    touch(tmp_path, "a.png")
    with pytest.raises(UsageError, match="1 PNG or JPEG image; pass --mpp"):
        find(tmp_path)
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        find(tmp_path / "missing")
    with pytest.raises(UsageError, match="an empty text doesn't name a slide"):
        find_slides([""], out=tmp_path / "out")


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "store/a.svs")
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides/linked").symlink_to(tmp_path / "store")
    (tmp_path / "store/back").symlink_to(tmp_path / "slides")
    assert names(find(tmp_path / "slides")) == ["linked/a.svs"]


def test_relative_inputs_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.svs")
    monkeypatch.chdir(tmp_path)
    assert find(Path()).slides[0].source.path == tmp_path / "a.svs"


def test_a_link_that_leads_nowhere_is_a_slide_that_fails(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    (tmp_path / "b.svs").symlink_to(tmp_path / "unmounted" / "b.svs")
    assert names(find(tmp_path)) == ["a.svs", "b.svs"]


def test_results_among_the_slides_are_refused_in_those_words(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    with pytest.raises(UsageError, match="is the slides' own folder"):
        find(tmp_path, out=tmp_path)


def test_patterns_are_expanded_from_where_they_begin(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.svs", "x/deep/a.svs", "x/b.txt", "y/a.svs", "x/.hidden/a.svs", "[odd]/c.svs")
    assert names(find(tmp_path / "*/*.svs")) == ["[odd]/c.svs", "x/a.svs", "y/a.svs"]
    assert names(find(tmp_path / "x/**/*.svs")) == ["a.svs", "deep/a.svs"]
    assert names(find(tmp_path / "[xy]")) == ["x/a.svs", "x/deep/a.svs", "y/a.svs"]
    assert names(find(tmp_path / "[odd]")) == ["c.svs"]  # a folder of that name comes first
    with pytest.raises(UsageError, match="matches nothing"):
        find(tmp_path / "*.ndpi")


def test_names_are_found_in_the_other_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = "M\u00fcller.svs", "Mu\u0308ller.svs"
    touch(tmp_path, decomposed)
    assert names(find(tmp_path / composed)) == [decomposed]
    (tmp_path / "batch.csv").write_text(f"path\n{composed}\n", encoding="utf-8")
    (found,) = find(tmp_path / "batch.csv").slides
    assert found.source.path.name == decomposed


@pytest.mark.parametrize(
    "name",
    [
        "a b.svs",
        "-v.svs",
        'it\'s "q".svs',
        "<script>.svs",
        "new\nline.svs",
        "\U0001f600.svs",
        "n" * 230 + ".svs",
    ],
)
def test_any_name_that_a_disk_takes(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "slides", name)
    assert names(find(tmp_path / "slides")) == [name]
    assert names(find(tmp_path / "slides" / name)) == [name]


def test_links_in_a_circle_and_twice_to_one_file(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.svs")
    (tmp_path / "x/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b.svs").symlink_to(tmp_path / "x/a.svs")
    assert names(find(tmp_path)) == ["b.svs"]


def test_a_picture_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (2, 600, 700, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as file:
        for scan in pixels:
            file.write(
                scan,
                photometric="rgb",
                tile=(256, 256),
                metadata={"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25},
            )
    touch(tmp_path, "unreadable.svs")
    found = find_slides([tmp_path], out=tmp_path / "out", series="all").slides
    assert [(slide.name, slide.source.series) for slide in found] == [
        ("two.ome.tif#1", 1), ("two.ome.tif#2", 2), ("unreadable.svs", None)
    ]  # fmt: skip
    second = find_slides([tmp_path / "two.ome.tif"], out=tmp_path / "out", series=2).slides
    assert [(slide.name, slide.source.series) for slide in second] == [("two.ome.tif#2", 2)]
    tifffile.imwrite(tmp_path / "one/one.tif", pixels[0], photometric="rgb", tile=(256, 256))
    for number, named in ((1, ("one.tif", None)), ("all", ("one.tif", None)), (2, ("one.tif#2", 2))):
        # A file's only scan has the same results whether or not it was asked for by its number.
        (one,) = find_slides([tmp_path / "one"], out=tmp_path / "out", series=number).slides  # type: ignore[arg-type]
        assert (one.name, one.source.series) == named
    with found[1].source.open() as slide:
        assert (slide.read_level(0, Window(0, 0, 700, 600)) == pixels[1]).all()


def test_ten_thousand_files_are_found_without_opening_them(tmp_path: Path) -> None:
    for folder in range(100):
        touch(tmp_path, *(f"{folder}/{number}.svs" for number in range(100)))  # empty: none could be opened
    assert len(find(tmp_path).slides) == 10_000


def test_a_pattern_follows_links_and_passes_over_results(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "store/b.png",
        "slides/a.png",
        "slides/out/a.png/overview.png",
        f"slides/old/{RUN_RECORD}",
        "slides/old/o.png/overview.png",
    )
    (tmp_path / "slides/linked").symlink_to(tmp_path / "store")
    (tmp_path / "store/back").symlink_to(tmp_path / "slides")
    found = find(tmp_path / "slides/**/*.png", out=tmp_path / "slides/out", fallback_mpp=0.25)
    assert names(found) == ["a.png", "linked/b.png"]


@pytest.mark.parametrize("name", ["a*.svs", "[1].svs", "what?.svs"])
def test_a_file_named_like_a_pattern_is_that_file(name: str, tmp_path: Path) -> None:
    touch(tmp_path, name, "ab.svs", "1.svs")
    assert names(find(tmp_path / name)) == [name]


def test_links_in_a_circle_are_slides_that_fail(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    (tmp_path / "b.svs").symlink_to(tmp_path / "c.svs")
    (tmp_path / "c.svs").symlink_to(tmp_path / "b.svs")
    assert names(find(tmp_path)) == ["a.svs", "b.svs", "c.svs"]
    assert names(find(tmp_path / "b.svs")) == ["b.svs"], "also where it is named: shells expand *.svs"


def test_a_name_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "\udcff.svs").touch()
    (found,) = find(tmp_path).slides
    assert found.name == "\\xff.svs"
    assert found.source.path.exists()


def test_composed_and_decomposed_letters(tmp_path: Path) -> None:
    """Both are files on Linux; if only one is there, it is found under either name."""
    touch(tmp_path, "e\u0301.svs")
    assert names(find(tmp_path / "é.svs", tmp_path / "e\u0301.svs")) == ["e\u0301.svs"]
    touch(tmp_path, "é.svs")
    assert names(find(tmp_path)) == ["e\u0301.svs", "é.svs"]


def test_a_zarr_folder_is_a_slide_but_for_a_store(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "x/a.ome.zarr/zarr.json",
        "x/a.ome.zarr/0/c/0/0.tif",
        "done/a.svs/store.zarr/zarr.json",
        "b.svs",
    )
    assert names(find(tmp_path)) == ["b.svs", "x/a.ome.zarr"]
    assert names(find(tmp_path / "x/a.ome.zarr")) == ["a.ome.zarr"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.svs", "locked/b.svs")
    real = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    found = find(tmp_path)
    assert names(found) == ["a.svs"]
    (fault,) = found.faults
    assert (fault.name, fault.error.where) == ("locked/", str(tmp_path / "locked"))
    assert fault.error.what == "can't be read (Permission denied): what is in it is left out"
    with pytest.raises(UsageError, match=r"no slides in .*locked can't be read \(Permission denied\)"):
        find(tmp_path / "locked")
