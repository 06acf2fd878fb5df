"""Figures hold what they say where they say it: read back from their SVG and their pictures."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.report.full import BREAST, box, full_findings, full_result
from wsi_edt.cells import CellClass
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.ki67.areas import areas_of
from wsi_edt.ki67.heterogeneity import Hexagon
from wsi_edt.ki67.hotspots import Hotspot, Order
from wsi_edt.ki67.profiles import NO_PROFILE
from wsi_edt.report.axis import index_axis
from wsi_edt.report.frame import HEIGHT, WIDTH, Frame, scale_bar, view_of
from wsi_edt.report.histogram import density_histogram
from wsi_edt.report.maps import Maps, draw_maps
from wsi_edt.report.palette import VIRIDIS, hexadecimal
from wsi_edt.report.shown import Shown

SIZE = (1600, 1200)  # level-0 px of 0.5 µm
REGION = box("Tumour", 200, 300, 600, 900, "Tumor")


def parsed(figure: str | None) -> ElementTree.Element:
    assert figure is not None
    return ElementTree.fromstring(figure)


def picture_in(figure: ElementTree.Element) -> npt.NDArray[np.int64]:
    (image,) = figure.iter("image")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image.attrib["href"].split(",")[1])))).astype(
        np.int64
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[SlideFindings, Ki67Result, Maps]:
    found = full_findings(tmp_path_factory.mktemp("slide"), regions=[REGION])
    result = full_result(found)
    with found.source.open() as slide:
        maps = draw_maps(Shown.of(next(iter(areas_of(found))), found), found, result, slide)
    return found, result, maps


def test_places_stand_where_they_are(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    _, result, maps = drawn
    figure = parsed(maps.slide)
    circles = {
        (float(c.attrib["cx"]), float(c.attrib["cy"]), float(c.attrib["r"])) for c in figure.iter("circle")
    }
    per_px = WIDTH / SIZE[0]
    places = [area.place for area in result.areas if area.place is not None]
    assert len(places) == 10
    expected = {
        tuple(round(value * per_px, 1) for value in (place.x, place.y, place.size_px / 2)) for place in places
    }
    for x, y, reach in expected:
        assert any(np.allclose((x, y, reach), circle, atol=0.11) for circle in circles), (x, y, reach)
    words = [text.text for text in figure.iter("text")]
    assert words == [
        *(f"H{k}" for k in (1, 2, 3)),
        *(f"D{k}" for k in (1, 2, 3)),
        *(f"F{k}" for k in (1, 2, 3, 4)),
        "R1",
        "200 µm",
    ]


def test_a_region_is_outlined_where_it_was_drawn(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    found, _, maps = drawn
    with_region = picture_in(parsed(maps.slide))
    bare = replace(found, regions=())
    with bare.source.open() as slide:
        other = draw_maps(Shown.of(next(iter(areas_of(bare))), bare), bare, full_result(bare), slide)
    changed = np.argwhere(np.abs(with_region - picture_in(parsed(other.slide))).sum(axis=2) > 200)
    per_px = 1000 / SIZE[0]
    np.testing.assert_allclose(changed.min(axis=0), [300 * per_px, 200 * per_px], atol=4)
    np.testing.assert_allclose(changed.max(axis=0), [900 * per_px, 600 * per_px], atol=4)


def test_the_scale_bar_is_as_long_as_it_says(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    _, _, maps = drawn
    for figure in (maps.slide, maps.index, maps.density, maps.hexagons):
        assert figure is not None
        found = re.search(r"v8h([\d.]+)v-8", figure)
        assert found is not None
        assert float(found[1]) == pytest.approx(200 / 0.5 * WIDTH / SIZE[0], abs=0.1)
        assert "200 µm" in figure


def test_the_map_of_the_index_is_lighter_where_more_is_positive(
    drawn: tuple[SlideFindings, Ki67Result, Maps],
) -> None:
    """Viridis grows lighter; the right half of the slide has three times as many positive cells."""
    picture = picture_in(parsed(drawn[2].index))
    light = picture[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    assert light[:, 200:].mean() > light[:, :120].mean() + 40
    known = {tuple(colour) for colour in VIRIDIS.tolist()} | {(225, 228, 232)}
    assert {tuple(colour) for colour in np.unique(picture[..., :3].reshape(-1, 3), axis=0).tolist()} <= known


def test_hexagons_have_the_colour_of_their_index(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    """On a scale to 100 %: 9 and 50 % are on the 2nd and the 11th of 20 steps; 20 cells are too few."""
    found, result, _ = drawn
    assert result.heterogeneity is not None
    hexagons = [
        Hexagon(100.0 * k, 600.0, positive, total - positive)
        for k, (positive, total) in enumerate([(9, 100), (50, 100), (100, 100), (10, 20)] * 3)
    ]
    uneven = replace(result.heterogeneity, hexagons=tuple(hexagons), width_mm=0.05)
    shown = Shown.of(next(iter(areas_of(found))), found)
    figure = parsed(draw_maps(shown, found, replace(result, heterogeneity=uneven), None).hexagons)
    assert "9 hexagons of 0.05 mm" in figure.attrib["aria-label"]
    filled = {
        path.attrib["fill"]: path.attrib["d"]
        for path in figure.iter("path")
        if path.attrib["d"].endswith("z")
    }
    step = {
        percent: hexadecimal(tuple(VIRIDIS[at].tolist())) for percent, at in ((9, 1), (50, 10), (100, 19))
    }
    assert set(filled) == {*step.values(), "none"}
    x, y = (float(value) for value in re.findall(r"[\d.]+", filled[step[50]])[:2])
    width = 100 * WIDTH / SIZE[0]
    assert x + width / 2 == pytest.approx(100 * WIDTH / SIZE[0], abs=0.11)
    assert y + width / 3**0.5 / 2 == pytest.approx(600 * WIDTH / SIZE[0], abs=0.11)


def test_few_hexagons_make_no_map(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    found, result, _ = drawn
    assert result.heterogeneity is not None
    few = replace(result, heterogeneity=replace(result.heterogeneity, hexagons=(Hexagon(1.0, 1.0, 50, 99),)))
    assert draw_maps(Shown.of(next(iter(areas_of(found))), found), found, few, None).hexagons is None


def test_a_frame_fits_what_it_shows() -> None:
    wide = Frame.of(Window(100, 200, 4000, 1000), slide_mpp=0.25)
    assert (wide.width, wide.height) == (WIDTH, 130.0)
    assert (wide.x(100), wide.y(1200)) == (0.0, 130.0)
    tall = Frame.of(Window(0, 0, 1000, 4000), slide_mpp=0.25)
    assert tall.height == HEIGHT
    assert tall.x(1000) == pytest.approx(HEIGHT / 4)
    bar = scale_bar(0.13 / 0.25, 130.0)
    assert bar.label == "200 µm"
    assert bar.length == pytest.approx(104.0)
    assert scale_bar(0.01, 130.0).label == "10 mm"


def test_the_view_is_what_holds_tissue_and_regions() -> None:
    scale = Scale(0.25, 0.3125)  # a unit of 32 model px is 40 level-0 px
    tissue = np.zeros((100, 200), np.float32)
    extent = (200 * 32, 100 * 32)
    assert view_of(tissue, [], extent, scale) == Window(0, 0, 8000, 4000)
    tissue[40:60, 50:150] = 1
    assert view_of(tissue, [], extent, scale) == Window(1840, 1440, 4320, 1120)  # 4 % of 4000 px around it
    far = box("far", 7000, 3000, 7900, 3900).polygon
    assert view_of(tissue, [far], extent, scale) == Window(1764, 1364, 6236, 2636)  # to the slide's own edge


def test_the_axis_has_the_index_between_its_cutoffs(drawn: tuple[SlideFindings, Ki67Result, Maps]) -> None:
    whole = drawn[1].whole
    assert whole.index_percent is not None
    figure = parsed(index_axis(whole, BREAST.profile))
    words = [text.text for text in figure.iter("text")]
    assert words[:6] == ["5", "13.25", "20", "30", "0", "40 %"]
    at = {path.attrib["d"]: path for path in figure.iter("path")}
    lines = [float(re.findall(r"[\d.]+", d)[0]) for d in at if d.endswith("v37")]
    np.testing.assert_allclose(lines, [12 + 616 * cutoff / 40 for cutoff in (5, 13.25, 20, 30)], atol=0.06)
    diamond = next(float(re.findall(r"[\d.]+", d)[0]) for d in at if d.endswith("z"))
    assert diamond == pytest.approx(12 + 616 * whole.index_percent / 40, abs=0.06)
    interval = next(re.findall(r"[\d.]+", d) for d in at if "H" in d)
    assert [float(interval[0]), float(interval[2])] == pytest.approx(
        [12 + 616 * 19.1 / 40, 12 + 616 * 26.4 / 40], abs=0.06
    )
    plain = parsed(index_axis(whole, NO_PROFILE))
    assert [text.text for text in plain.iter("text")][:4] == ["8", "16", "24", "32"]
    assert "cut-offs" not in plain.attrib["aria-label"]


def test_the_histogram_counts_each_class(tmp_path: Path) -> None:
    cells = full_findings(tmp_path).cells
    assert cells.dab_od is not None
    figure = parsed(density_histogram(cells, (0.2, 0.4, 0.6)))
    for path, kind in zip(
        [one for one in figure.iter("path") if one.attrib["d"].endswith("z")],
        (CellClass.POSITIVE, CellClass.NEGATIVE),
        strict=True,
    ):
        tops = np.array([float(top) for top in re.findall(r"V([\d.]+)h", path.attrib["d"])])
        upper = 1.5
        expected, _ = np.histogram(
            np.minimum(cells.dab_od[cells.class_id == kind], upper), bins=60, range=(0, upper)
        )
        np.testing.assert_allclose((150 - tops) / 150, expected / expected.max(), atol=0.02)
    lines = [
        float(re.findall(r"[\d.]+", one.attrib["d"])[0])
        for one in figure.iter("path")
        if "stroke-dasharray" in one.attrib
    ]
    np.testing.assert_allclose(lines, [520 * cutoff / 1.5 for cutoff in (0.2, 0.4, 0.6)], atol=0.06)
    positive = np.median(cells.dab_od[cells.class_id == CellClass.POSITIVE])
    assert f"positive cells with a median of {positive:.2f}" in figure.attrib["aria-label"]


def test_cells_without_a_density_are_in_no_histogram(tmp_path: Path) -> None:
    cells = full_findings(tmp_path).cells
    assert cells.dab_od is not None
    unmeasured = cells.dab_od.copy()
    unmeasured[cells.class_id == CellClass.NEGATIVE] = np.nan
    figure = parsed(density_histogram(replace(cells, dab_od=unmeasured), (0.2, 0.4, 0.6)))
    assert "negative" not in figure.attrib["aria-label"]
    assert "nan" not in ElementTree.tostring(figure, encoding="unicode")
    nothing = replace(cells, dab_od=np.full(len(cells), np.nan, np.float32))
    assert density_histogram(nothing, (0.2, 0.4, 0.6)) is None


def labels_at(figure: ElementTree.Element) -> dict[str, tuple[float, float]]:
    return {
        text.text or "": (float(text.attrib["x"]), float(text.attrib["y"]))
        for text in figure.iter("text")
        if text.attrib.get("font-weight") == "700"
    }


def test_a_region_that_reaches_beyond_the_slide_is_labelled_where_it_is_seen(tmp_path: Path) -> None:
    """Its own middle lies outside, so does all of another; a third is cut to a strip at the edge."""
    regions = [
        box("beyond", 1400, 300, 4000, 900),
        box("outside", 2000, 300, 4000, 900),
        box("corner", -5000, -5000, 200, 200),
    ]
    found = full_findings(tmp_path, regions=regions)
    with found.source.open() as slide:
        shown = Shown.of(next(iter(areas_of(found))), found)
        figure = parsed(draw_maps(shown, found, full_result(found), slide).slide)
    at = labels_at(figure)
    per_px = WIDTH / SIZE[0]
    assert "R2" not in at
    assert at["R1"][0] == pytest.approx(1500 * per_px, abs=1.5)
    assert 200 * per_px > at["R3"][0] >= 14
    assert 200 * per_px > at["R3"][1] >= 10


def test_excluded_areas_are_veiled_and_nothing_else(tmp_path: Path) -> None:
    whole = full_findings(tmp_path)
    found = replace(whole, regions=(box("fold", 300, 200, 900, 700, "Ignore*"),))
    with whole.source.open() as slide:
        plain, veiled = (
            picture_in(
                parsed(
                    draw_maps(Shown.of(next(iter(areas_of(one))), one), one, full_result(one), slide).slide
                )
            )
            for one in (whole, found)
        )
    per_px = plain.shape[1] / SIZE[0]
    left, top, right, bottom = (round(side * per_px) for side in (300, 200, 900, 700))
    changed = np.abs(plain - veiled).max(axis=2) > 12
    assert changed[top + 6 : bottom - 6, left + 6 : right - 6].mean() > 0.98
    changed[top - 6 : bottom + 6, left - 6 : right + 6] = False
    assert changed.mean() < 0.01


def test_of_many_hotspots_the_first_three_of_each_order_are_marked(tmp_path: Path) -> None:
    found = full_findings(tmp_path)
    result = full_result(found)
    assert result.hotspots is not None
    like = next(area for area in result.areas if area.name == result.hotspots.found[0].area)
    spots = [Hotspot(f"spot {order} {k}", order, k, 50.0, None) for order in Order for k in range(1, 21)]
    areas = tuple(replace(like, name=spot.area) for spot in spots)
    hotspots = replace(result.hotspots, found=tuple(spots))
    many = replace(result, areas=(*result.areas, *areas), hotspots=hotspots)
    with found.source.open() as slide:
        shown = Shown.of(next(iter(areas_of(found))), found)
        figure = parsed(draw_maps(shown, found, many, slide).slide)
    marked = sorted(label for label in labels_at(figure) if label[0] in "HD")
    assert marked == ["D1", "D2", "D3", "H1", "H2", "H3"]
