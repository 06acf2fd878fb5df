"""Names of slides and of their results' folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.errors import UsageError, readable
from wsi_edt.results import names
from wsi_edt.run.slide_names import fault_of, fitted, placeless, refuse_alike, refuse_impossible

OUT = Path("/results")


@pytest.mark.parametrize(
    "name", ["a.svs", "K-17/a b.svs", "-a", "ä 🔬", "=cmd", "<script>", "report.html/a", "n" * 255]
)
def test_names_that_folders_can_have(name: str) -> None:
    assert (fault_of(name) is None) == (name != "report.html/a")


@pytest.mark.parametrize(
    "name",
    [
        "/a",
        "../a",
        "a/../b",
        "",
        "a//b",
        "a/",
        ".a",
        "a/.b",
        "a\nb",
        "a\0",
        "Summary.CSV",
        "run.json",
        "ü" * 128,
    ],
)
def test_names_that_they_cannot_have(name: str) -> None:
    assert fault_of(name)


def test_a_name_too_long_is_cut_and_stays_its_own() -> None:
    assert fitted("deep/" + "n" * 255) == "deep/" + "n" * 255
    one, other = fitted("ü" * 200 + "1.svs"), fitted("ü" * 200 + "2.svs")
    assert one != other
    for name in (one, other):
        assert 250 < len(name.encode()) <= 255
        assert name.startswith("ü" * 100) and name.endswith(".svs")


def test_bytes_that_are_no_text_can_be_written() -> None:
    undecodable = b"a\xff.svs".decode("utf-8", "surrogateescape")
    assert readable(undecodable) == "a\\xff.svs"
    assert readable("ä\n🔬") == "ä\n🔬"


def test_results_that_cannot_lie_beside_each_other() -> None:
    def refused(*slides: str) -> str:
        with pytest.raises(UsageError) as error:
            refuse_impossible([(f"/slides/{number}", name) for number, name in enumerate(slides)])
        return str(error.value)

    refuse_impossible([("1", "a"), ("2", "A"), ("3", "a-b"), ("4", "b/report.html"), ("5", "b/c")])
    assert refused("a", "a").startswith("/slides/0 and /slides/1 would both have their results in a;")
    assert "/slides/1 would have its results among those of /slides/0" in refused(
        "a.svs", "a.svs/x/b.svs", "a.svs-2"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("report.html", "report.html is called as a file in the results folder is; rename it"),
        ("Summary.CSV/a.svs", "Summary.CSV/a.svs is called as a file"),
        ("/".join(["n" * 250] * 16), "too long for a folder below /results"),
    ],
)
def test_names_that_have_no_place(name: str, says: str) -> None:
    assert says in str(placeless(name, OUT))
    assert placeless(f"b/{name[:3000]}", OUT) is None


@pytest.mark.parametrize("other", ["A.svs", "é.svs", "ß.svs"])
def test_names_that_the_disk_takes_for_one(other: str, tmp_path: Path) -> None:
    """The disk is asked by its lock's name: this one tells case apart, until a second file makes it seem otherwise."""
    slides = ["a.svs", "e\u0301.svs", "ss.svs", "b.svs", other]
    (tmp_path / names.LOCK).touch()
    refuse_alike(slides, tmp_path)
    (tmp_path / names.LOCK.upper()).touch()
    refuse_alike(slides[:-1], tmp_path)
    with pytest.raises(UsageError, match="are one folder on the disk"):
        refuse_alike(slides, tmp_path)
