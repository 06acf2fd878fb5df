"""Tables of slides as laboratories keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.errors import UsageError
from wsi_edt.run.discover import SlideRef, find_slides


def table(folder: Path, content: str, *, encoding: str = "utf-8", name: str = "batch.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode(encoding))
    return path


def slides_of(path: Path, **options: object) -> dict[str, SlideRef]:
    found = find_slides([path], out=path.parent / "out", **options)  # type: ignore[arg-type]
    return {slide.name: slide for slide in found.slides}


def test_what_a_table_says_of_its_slides(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "path,mpp,name,case,series\n"
        "deep/a.svs,0.25,,K-17,\n"
        "b.tif,,second/b,K-17,2\n"
        "/elsewhere/c.ndpi,,,,\n"
        "../d.svs,,,,3\n",
    )
    found = slides_of(path, fallback_mpp=0.5)
    assert list(found) == ["c.ndpi", "d.svs#3", "deep/a.svs", "second/b"]
    a, b = found["deep/a.svs"], found["second/b"]
    assert (a.source.path, a.source.fallback_mpp, a.case) == (tmp_path / "deep/a.svs", 0.25, "K-17")
    assert (b.source.path, b.source.fallback_mpp, b.source.series) == (tmp_path / "b.tif", 0.5, 2)
    assert found["c.ndpi"].source.path == Path("/elsewhere/c.ndpi")
    assert found["d.svs#3"].case == ""


@pytest.mark.parametrize("column", ["regions", "Region", "region file", "annotations"])
def test_regions_lie_below_the_tables_folder(tmp_path: Path, column: str) -> None:
    path = table(tmp_path, f"path;{column}\na.svs;drawn/a.geojson\nb.svs;\n")
    with pytest.raises(UsageError, match=r"line 2 names the regions .*drawn/a\.geojson"):
        slides_of(path)
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn/a.geojson").touch()
    found = slides_of(path)
    assert (found["a.svs"].regions, found["b.svs"].regions) == (tmp_path / "drawn/a.geojson", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "content",
    [
        "Path;MPP;Case\nä b.svs;0,25;7\n\n;;\n",
        "sep=;\nSlide;µm/px;Patient\nä b.svs;0,25;7\n",
        "file\tmicrons per pixel\tcase id\nä b.svs\t0.25\t7\n",
        '"filename","mpp","case"\r\n"ä b.svs","0.25","7"\r\n',
    ],
)
def test_however_it_was_saved(tmp_path: Path, content: str, encoding: str) -> None:
    (found,) = slides_of(table(tmp_path, content, encoding=encoding, name="batch.TSV")).values()
    assert found.name == "ä b.svs"
    assert (found.source.fallback_mpp, found.case) == (0.25, "7")


def test_all_wrong_lines_are_told_at_once(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "path,mpp,name,series\n"
        "a.svs,0.25,,\n"
        "a.svs,,,\n"
        "b.svs,four,,\n"
        "c.svs,300,,\n"
        ",0.25,,\n"
        "d.svs,,../x,\n"
        "e.svs,,,0\n"
        "one,two.svs,,,\n"
        "two,three.svs,,,4\n"
        "f.svs,,,,,\n"
        'h.svs,"1.000,5",,\n'
        f"g.svs,,{'n' * 256},\n",
    )
    with pytest.raises(UsageError) as raised:
        slides_of(path)
    message = str(raised.value)
    for words in (
        "line 3 has the name 'a.svs' of line 2",
        "line 4 has 'four' as its µm/px",
        "line 5 has '300' as its µm/px",
        "line 6 has no path",
        "line 7 has the name '../x'",
        "line 8 has '0' as its series",
        "line 9 has 'two.svs' as its µm/px",
        "line 10 has 5 fields, and the header 4",
        "line 12 has '1.000,5' as its µm/px",
        f"line 13 has the name '{'n' * 256}', which is longer than 255 bytes",
    ):
        assert words in message
    assert "line 11 " not in message, "separators at the end hold nothing"
    assert "line 2 " not in message and "\n" not in message


def test_twenty_wrong_lines_are_enough(tmp_path: Path) -> None:
    path = table(tmp_path, "path,mpp\n" + "a.svs,x\n" * 25)
    with pytest.raises(UsageError, match=r"line 21 .*and 5 more"):
        slides_of(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no header with a column path"),
        (b"name,case\nx,y\n", "no header with a column path"),
        (b"path,case\n", "lists no slides"),
        (b'path,case\n"a', "isn't CSV"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "batch.csv").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        slides_of(tmp_path / "batch.csv")


def test_columns_that_mean_nothing_are_said(tmp_path: Path) -> None:
    path = table(tmp_path, "path,stain,mpp,Ward\na.svs,Ki-67,,3\n")
    found = find_slides([path], out=tmp_path / "out")
    assert found.notes == ("batch.csv: columns that mean nothing here: stain, ward",)


def test_one_slide_may_have_two_lines_of_other_names(tmp_path: Path) -> None:
    path = table(tmp_path, "path,name,mpp\na.svs,first,0.25\na.svs,second,0.5\n")
    (tmp_path / "a.svs").touch()
    found = find_slides([tmp_path, path], out=tmp_path / "out").slides
    assert [(slide.name, slide.listed_mpp) for slide in found] == [("first", 0.25), ("second", 0.5)]


def test_a_missing_slide_is_a_line_that_fails_alone(tmp_path: Path) -> None:
    """A wrong table is a wrong command, but a slide that isn't there (yet) must not keep the others from being run."""
    path = table(tmp_path, "path\nabsent.svs\ns3.tif\n")
    assert list(slides_of(path)) == ["absent.svs", "s3.tif"]


def test_a_spreadsheet_is_told_from_a_slide(tmp_path: Path) -> None:
    (tmp_path / "batch.XLSX").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"batch\.XLSX is a spreadsheet; save it as CSV"):
        slides_of(tmp_path / "batch.XLSX")


def test_text_is_a_table_only_with_its_header(tmp_path: Path) -> None:
    """`slides/*` names a readme too, which must end no batch."""
    table(tmp_path, "sep=;\npath;case\na.tif;7\n", encoding="utf-16", name="batch.txt")
    table(tmp_path, "Slides of May.\nAsk Ines.\n", name="readme.TXT")
    assert list(slides_of(tmp_path / "batch.txt")) == ["a.tif"]
    assert list(slides_of(tmp_path / "readme.TXT")) == ["readme.TXT"]  # a slide that fails alone
