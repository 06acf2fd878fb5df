from __future__ import annotations

import ast
from pathlib import Path

import pytest

from wsi_edt.qupath.scripts import ScriptSlide, literal, script


def made(name: str) -> ScriptSlide:
    folder = Path("/out") / name
    return ScriptSlide(name, Path("/slides") / name, folder, folder / "cells.geojson.gz", dab=True)


@pytest.mark.parametrize(
    "text",
    [
        "plain.svs",
        "it's",
        "back\\slash",
        "$HOME ${1}",
        "ümlaut µ 細胞 𝛼",
        "two\nlines\r\t\0",
        "']; evil(); //",
        "\\u0027",
    ],
)
def test_any_name_stays_a_text(text: str) -> None:
    written = literal(text)
    assert written.isascii()
    # Python reads such literals as Groovy does, but for letters of two halves.
    read = str(ast.literal_eval(written)).encode("utf-16", "surrogatepass").decode("utf-16")
    assert read == text


def test_no_escape_of_a_letter_could_end_the_text_early() -> None:
    # Groovy replaces \uXXXX before it looks for the end of a text.
    for code in range(0x80):
        written = literal(chr(code))[1:-1]
        assert written not in (r"\u0027", r"\u005c", r"\u000a", r"\u000d")


@pytest.mark.parametrize("kind", ["import", "export"])
def test_a_script_lists_its_slides_and_is_balanced(kind: str) -> None:
    text = script("import" if kind == "import" else "export", [made("a.svs"), made("it's.svs")])
    assert "@" not in text
    first = (
        "name: 'a.svs', slide: '/slides/a.svs', folder: '/out/a.svs', cells: '/out/a.svs/cells.geojson.gz'"
    )
    assert f"[{first}, dab: true]," in text
    assert r"slide: '/slides/it\'s.svs'" in text
    plain = text.replace(r"\'", "")
    assert all(plain.count(one) == plain.count(other) for one, other in ("()", "[]", "{}"))


def test_the_calls_are_those_of_the_source_that_was_read() -> None:
    both = script("import", []) + script("export", [])
    for call in (
        "project.getImageList()",
        ".getURIs()",
        "ImageServerProvider.getPreferredUriImageSupport(BufferedImage.class, ",
        "support.getBuilders().get(0)",
        "project.addImage(",
        "entry.readImageData()",
        "PathIO.readObjectsFromGeoJSON(",
        "getHierarchy().addObjects(",
        "entry.saveImageData(data)",
        "project.syncChanges()",
        "entry.readHierarchy().getAllObjects(false)",
        "PathIO.exportObjectsAsGeoJSON(edited, objects, PathIO.GeoJsonExportOptions.FEATURE_COLLECTION)",
    ):
        assert call in both, call
