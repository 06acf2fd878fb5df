"""Tables as spreadsheets and other programs write them: cells for `evaluate`, slides for `run`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsi_edt.cli.main import run_command

ROWS = ("100.5,100.5,positive", "200.5,200.5,positive", "300.5,300.5,negative")
COMMAS = "\n".join(("x,y,class", *ROWS, ""))
SEMICOLONS = COMMAS.replace(",", ";").replace(".", ",")  # as half of Europe's spreadsheets write it
TABS = COMMAS.replace(",", "\t").replace(".", ",")
READ = {
    "semicolons, decimal commas": SEMICOLONS,
    "tabs, decimal commas": TABS,
    "quoted decimal commas": "x,y,class\n"
    + "".join(f'"{n},5","{n},5",positive\n' for n in (100, 200))
    + ROWS[2],
    "sep=": "sep=;\r\n" + SEMICOLONS,
    '"sep="': '"sep=;"\r\n\r\n' + SEMICOLONS,
    "sep= saved again": "sep=;;\r\n" + SEMICOLONS,
    "empty lines above": "\n\n" + COMMAS,
    "empty rows above": ",,\n,,\n" + COMMAS,
    "empty lines, then sep=": "\n\nsep=;\n" + SEMICOLONS,
    "empty rows at the end": COMMAS + ",,\n,,,\n\n\n",
    "empty rows of semicolons": SEMICOLONS + ";;\n;;\n",
    "comments above": "# exported by hand, 2024\n#\n" + COMMAS,
    "comments within": COMMAS.replace("200.5", "# the second, and third\n200.5", 1),
    "a header that is a comment": "# " + COMMAS,
    "a title": "Case 7\nScanner;B\n\n" + SEMICOLONS,
    "quoted": "\n".join(",".join(f'"{one}"' for one in line.split(",")) for line in COMMAS.splitlines()),
    "spaces": COMMAS.replace(",", " , "),
    "windows' line ends": COMMAS.replace("\n", "\r\n"),
    "old Macs' line ends": SEMICOLONS.replace("\n", "\r"),
    "doubled line ends": COMMAS.replace("\n", "\r\r\n"),
    "no line end": COMMAS.rstrip(),
    "end of DOS": COMMAS + "\x1a",
    "unnamed index": "\n".join(f"{n if n else ''},{line}" for n, line in enumerate(COMMAS.splitlines())),
    "pandas' tabs": "\n".join(f"{n if n else ''}\t{line}" for n, line in enumerate(TABS.splitlines())),
    "R's names of rows": TABS.splitlines()[0]
    + "".join(f'\n"{n}"\t{line}' for n, line in enumerate(TABS.splitlines()) if n),
    "QuPath's px": COMMAS.replace("x,y,class", "Centroid X px,Centroid Y px,Classification"),
    "px in brackets": COMMAS.replace("x,y", "X [px],Y (pixels)"),
}
ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-16-be with a mark",
    "latin-1",
    "utf-32",
)
MICRO = ("µm", "\N{GREEK SMALL LETTER MU}m", "Âµm", "Î¼m", "Ã\x82Âµm", "?m", "\ufffdm", "um", "microns")


def encoded(text: str, encoding: str) -> bytes:
    marked = encoding.removesuffix(" with a mark")
    return (b"\xfe\xff" if marked != encoding else b"") + text.encode(marked)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(COMMAS)
    return path


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[list[str]], str]:
    """The exit code, the figures of all, positive and negative cells (true, found, matched), and what was said."""
    code = run_command(["evaluate", *map(str, words), "--radius", "0.1", "--bootstrap", "0"])
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    return code, [row[1:4] for row in rows if row and row[0] in ("all", "positive", "negative")], err


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("name", READ)
def test_cells_of_any_table_are_read(
    tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str], name: str, suffix: str
) -> None:
    found = tmp_path / f"found{suffix}"
    found.write_text(READ[name], newline="")
    code, figures, err = evaluate(capsys, found, truth)
    assert code == 0, err
    assert figures == [["3"] * 3, ["2"] * 3, ["1"] * 3]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_whatever_it_was_encoded_in(
    tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    found = tmp_path / "found.tsv"
    lines = "Image\tClass\tCentroid X µm\tCentroid Y µm\nMüller.svs\tPositive\t50,25\t50,25\n"
    found.write_bytes(encoded(lines, encoding))
    code, figures, _ = evaluate(capsys, found, truth, "--mpp", "0.5")  # 50.25 µm are 100.5 px
    assert (code, figures) == (0, [["3", "1", "1"], ["2", "1", "1"], ["1", "0", "0"]])


@pytest.mark.parametrize("unit", MICRO)
def test_however_its_micro_sign_came_through(
    tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str], unit: str
) -> None:
    found = tmp_path / "found.csv"
    found.write_text(f"Centroid X {unit},Centroid Y {unit},class\n50.25,50.25,Positive\n", encoding="utf-8")
    assert evaluate(capsys, found, truth, "--mpp", "0.5")[1][0] == ["3", "1", "1"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("x,y\n100,5,200,5\n", "line 2 has 4 fields, and the header 2 (a comma in one of them? quote it)"),
        ("x;y\n1.100,5;2\n", "line 2 has '1.100,5', with separators of thousands"),
        ("x;y\n2;2\n1,234,567;2\n", "line 3 has '1,234,567', with separators of thousands"),
        ("x;y\n1,100;2,200\n", "line 2 has '1,100', which may be 1100 or 1.100, and no other number tells"),
        ("x;y\n1.300;1.480\n", "line 2 has '1.300', which may be 1300 or 1.300, and no other number tells"),
        ("x\ty\n1.5\t2\t3\n", "line 2 has 3 fields, and the header 2 (name every column)"),
        ("x,y\n1.5,2\n3,4\0\0\0\n", "line 3 holds zero bytes, as files have that came to harm"),
        ("x,y\n1.5,\n", "line 2 has no y"),
        ("case,stain\n1,2\n", "has no header with x and y: its first line is 'case,stain'"),
        ("\n\n", "has no header with x and y: it is empty"),
    ],
)
def test_numbers_are_never_guessed(
    tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str], rows: str, said: str
) -> None:
    found = tmp_path / "found.csv"
    found.write_text(rows)
    code, figures, err = evaluate(capsys, found, truth)
    assert (code, figures) == (1, [])
    assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("batch.csv", "\n# of May\nPath;MPP;Case\nä b.tif;0,25;7\n;;\n", "utf-8-sig"),
        ("batch.txt", "sep=;\r\n\r\nSlide;µm/px;Patient\r\nä b.tif;0,25;7\r\n", "utf-16"),
        ("batch.tsv", "Export of case 7\n\nfile\tmicrons per pixel\tcase id\nä b.tif\t0.25\t7\n", "latin-1"),
    ],
)
def test_slides_of_any_table_are_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, encoding: str
) -> None:
    glass = np.full((300, 300, 3), 240, np.uint8)
    tifffile.imwrite(tmp_path / "ä b.tif", glass, tile=(256, 256), metadata=None)  # states no µm/px
    table = tmp_path / name
    table.write_bytes(text.encode(encoding))
    code = run_command(["run", str(table), "--out", str(tmp_path / "out"), "--dry-run"])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "ä b.tif" in out and "0.25" in out
