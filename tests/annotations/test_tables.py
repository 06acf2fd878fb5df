"""Tables whose columns have a name less, or an empty one, as pandas, R and ImageJ write them.

The texts are what those programs write: pandas' `to_csv(sep="\\t")`, R's `write.table`, ImageJ's table of results.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.annotations.tables import Table, open_table
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError
from wsi_edt.run.manifest import read_manifest

COLUMNS = {"x": ("x",), "y": ("y",), "class": ("class",)}


def table_of(text: str) -> Table:
    return open_table(
        text, Path("a.tsv"), columns=COLUMNS, suffice=lambda found: {"x", "y"} <= set(found), needs="x and y"
    )


def places(folder: Path, text: str, name: str = "a.tsv") -> list[tuple[float, float]]:
    path = folder / name
    path.write_text(text, newline="", encoding="utf-8")
    (cells,) = read_points(path).values()
    return list(zip(cells.x.tolist(), cells.y.tolist(), strict=True))


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.csv"])
@pytest.mark.parametrize(
    "text",
    [
        "\tx\ty\tarea\n0\t100.25\t200.5\t\n1\t7.5\t8.5\t\n",  # pandas
        '""\t"x"\t"y"\n"1"\t100.25\t200.5\n"2"\t7.5\t8.5\n',  # R with col.names = NA
        " \tArea\tMean\tX\tY\n1\t12\t99.5\t100.25\t200.5\n2\t12\t99.5\t7.5\t8.5\n",  # ImageJ
        "\ufeff \tArea\tX\tY\r\n1\t12\t100.25\t200.5\r\n2\t12\t7.5\t8.5\r\n",
        "# \tx\ty\n0\t100.25\t200.5\n1\t7.5\t8.5\n",
        "#\tx\ty\n0\t100.25\t200.5\n1\t7.5\t8.5\n",
        "\t\tx\ty\na\t0\t100.25\t200.5\na\t1\t7.5\t8.5\n",  # pandas with two indices
        " ;x;y\n0;100,25;200,5\n1;7,5;8,5\n",
        ",x,y\n0,100.25,200.5\n1,7.5,8.5\n",
        "|x|y\n0|100.25|200.5\n1|7.5|8.5\n",
        '  "x", y\n100.25,200.5\n7.5,8.5\n',
        # R's write.table: no name for the rows' names
        '"x"\t"y"\t"class"\n"1"\t100.25\t200.5\t"positive"\n"2"\t7.5\t8.5\t"negative"\n',
        '"x"\t"y"\n"17"\t100.25\t200.5\n"4"\t7.5\t8.5\n',  # some rows of a data frame
        '"x","y"\r\n\r\n"cell, 1",100.25,200.5\r\n"b",7.5,8.5\r\n',
        "x\ty\ncell_a\t100.25\t200.5\ncell_b\t7.5\t8.5\n",
        '"x";"y"\n"1";100,25;200,5\n"2";7,5;8,5\n',
    ],
)
def test_a_first_column_without_a_name_moves_none(tmp_path: Path, text: str, name: str) -> None:
    assert places(tmp_path, text, name) == [(100.25, 200.5), (7.5, 8.5)]


def test_commas_are_believed_to_separate_names_of_rows_only_if_there_are_some(tmp_path: Path) -> None:
    rows = "".join(f'"{n}",{n}00.5,{n}50.5\n' for n in (1, 2, 3))
    assert places(tmp_path, f'"x","y"\n{rows}') == [(n * 100 + 0.5, n * 100 + 50.5) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # whose last column has no name: these are coordinates
        (
            "x\ty\n100.5\t200.5\t3\n101.5\t7.5\t3\n",
            r"line 2 has 3 fields, and the header 2 \(name every column\)",
        ),
        ("x\ty\n100\t200\t3\n250\t7\t3\n", r"line 2 has 3 fields, and the header 2 \(name every"),
        ('x\ty\n"100"\t"200"\t3\n"250"\t"7"\t3\n', r"line 2 has 3 fields, and the header 2 \(name every"),
        ('x\ty\n"9"\t200\t3\n"9"\t7\t3\n', r"line 2 has 3 fields, and the header 2 \(name every"),
        ("x\ty\na\t1.5\t2.5\na\t3.5\t4.5\n", r"line 2 has 3 fields, and the header 2 \(name every"),
        ("x\ty\n1\t1.5\t2.5\n2\t3.5\t4.5\n3\t4.5\n", r"line 2 has 3 fields, and the header 2 \(name every"),
        ("x;y\n1,5;2,5;z\n", r"line 2 has 3 fields, and the header 2 \(name every column\)"),
        # decimal commas among commas
        ('x,y\n"1,5",2,5\n"3,5",4,5\n', r"line 2 has 3 fields, and the header 2 \(a comma in one"),
        ("x,y\n1,200,5\n2,210,5\n", r"line 2 has 3 fields, and the header 2 \(a comma in one of them"),
        (
            "x,y,class\ncell, one,1.5,2.5\ncell b,2.5,,\n",
            r"line 2 has 4 fields, and the header 3 \(a comma in",
        ),
    ],
)
def test_otherwise_a_field_too_many_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(AnnotationError, match=says):
        places(tmp_path, text)


def test_the_remedy_fits_the_separator(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError) as raised:
        places(tmp_path, "x\ty\n100.5\t200.5\t3\n")
    assert raised.value.remedy.startswith("write a name for each column")
    with pytest.raises(AnnotationError) as raised:
        places(tmp_path, "x,y\n100,5,200,5\n")
    assert raised.value.remedy == "separate the columns by semicolons or tabs"


def test_separators_at_the_ends_of_rows_are_no_column(tmp_path: Path) -> None:
    assert places(tmp_path, "x\ty\n1\t2.5\t\n2\t3.5\t\n") == [(1.0, 2.5), (2.0, 3.5)]


def test_the_others_columns_move_too() -> None:
    table = table_of("x\tnote\ty\na\t1\tn\t2\nb\t3\tm\t4\n")
    assert (dict(table.columns), dict(table.others), table.width) == ({"x": 1, "y": 3}, {"note": 2}, 4)
    assert [line for line, _ in table.rows] == [2, 3]


@pytest.mark.parametrize(
    "text",
    ["\tpath\tmpp\n0\ta.svs\t0.25\n1\tb.svs\t\n", '"path"\t"mpp"\n"1"\t"a.svs"\t0.25\n"2"\t"b.svs"\tNA\n'],
)
def test_tables_of_slides_are_tables(tmp_path: Path, text: str) -> None:
    path = tmp_path / "slides.tsv"
    path.write_text(text.replace("NA", ""))
    rows, others = read_manifest(path)
    assert [(row.path, row.mpp) for row in rows] == [(tmp_path / "a.svs", 0.25), (tmp_path / "b.svs", None)]
    assert others == ()
