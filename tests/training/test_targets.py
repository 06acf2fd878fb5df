"""Targets: what is asked where, and that a crop never changes them."""

import math
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import shapely
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.training.sets import labelled_image
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.errors import UsageError
from wsi_edt.maps import (
    KINDS,
    Density,
    Edt,
    Fidt,
    Idt,
    Kind,
    Target,
    density_map,
    edt_map,
    fidt_map,
    idt_map,
    neighbour_sigmas,
)
from wsi_edt.training.batches import cut
from wsi_edt.training.fields import field_of, image_max_distance
from wsi_edt.training.sampling import Crop
from wsi_edt.training.targets import LARGEST_REACH_PX, MAPS, NEAR_PX, CropPoints, TargetMaker

TARGETS: tuple[Target, ...] = get_args(Target)
PAPERS = Edt()
Maps = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """Of one crop, (M, H, W) each."""

    maps: Maps
    weight: Maps


def crop_targets(
    image: LabelledImage,
    crop: Crop,
    *,
    mpp: float = 0.25,
    max_distance_px: float | None = None,
    names: tuple[str, ...] = MAPS,
    kind: Kind = PAPERS,
    beside: int = 0,
) -> Targets:
    """The targets of a crop of the image, made in a batch with others in front of it."""
    field = field_of(image, model_mpp=mpp, largest_px=400)
    if max_distance_px is not None:
        field = replace(field, max_distance_px=max_distance_px)
    lone = field_of(labelled_image("glioma", [(50, 50)], [1]), model_mpp=mpp, largest_px=400)
    side = crop.side_px
    maker = TargetMaker([lone, field], crop_px=side, names=names, kind=kind)
    crops = [replace(crop, field=0)] * beside + [replace(crop, field=1)]
    points = CropPoints.of(crops, [lone, field], crop_px=side, reach_px=maker.reach_px)
    maps, weight = (torch.full((beside + 1, len(names), side, side), np.nan) for _ in range(2))
    mask = None
    if field.labelled is not None:
        everywhere = torch.ones(beside, side, side, dtype=torch.bool)
        own = cut(field.labelled[:, :, None], crop, margin_px=field.margin_px, crop_px=side) > 127
        mask = torch.cat([everywhere, own])
    maker.fill(maps, weight, points=points, fields=np.array([c.field for c in crops]), labelled=mask)
    return Targets(maps[-1].numpy(), weight[-1].numpy())


def square(x: int, y: int, side: int) -> Crop:
    return Crop(1, x, y, side, 0, False)


def test_each_class_has_its_map_and_nucleus_has_all() -> None:
    image = labelled_image("glioma", [(50.5, 60.5), (100.5, 120.5)], [1, 0])
    targets = crop_targets(image, square(0, 0, 128), max_distance_px=100)
    assert [float(targets.maps[c, 60, 50]) for c in range(3)] == [1, 0, 1]
    assert [float(targets.maps[c, 120, 100]) for c in range(3)] == [0, 1, 1]
    assert (targets.weight == 1).all()


@pytest.mark.parametrize(
    ("dataset", "at_point", "far"),
    [
        ("bcdata", [1, 1, 1], [1, 1, 0]),
        ("shidc", [1, 1, 1], [0, 0, 0]),
        ("glioma", [1, 1, 1], [1, 1, 1]),
        ("uw", [0, 0, 1], [0, 0, 1]),
    ],
)
def test_where_the_labels_are_trusted(dataset: str, at_point: list[int], far: list[int]) -> None:
    image = labelled_image(dataset, [(64.5, 64.5)], [2])
    targets = crop_targets(image, square(0, 0, 128), max_distance_px=100)
    assert targets.weight[:, 64, 64].tolist() == at_point
    assert targets.weight[:, 64, 64 + NEAR_PX].tolist() == at_point
    assert targets.weight[:, 64, 64 + NEAR_PX + 1].tolist() == far
    # A nucleus of neither class is background for both.
    assert targets.maps[:2].max() == 0


def test_maps_come_as_they_are_named() -> None:
    image = labelled_image("bcdata", [(50.5, 60.5), (100.5, 120.5)], [1, 0])
    crop = square(0, 0, 128)
    whole = crop_targets(image, crop, max_distance_px=100)
    some = crop_targets(image, crop, max_distance_px=100, names=("nucleus", "positive"))
    assert np.array_equal(some.maps, whole.maps[[2, 0]])
    assert np.array_equal(some.weight, whole.weight[[2, 0]])


@pytest.mark.parametrize(
    ("target", "by_hand"),
    [  # the value 4 px from a lone cell, by the paper's formulas
        ("edt", 1 / (4 ** (10 * 4 / 100 + 0.5) + 1)),
        ("idt", 1 / 5),
        ("fidt", 1 / (4 ** (0.02 * 4 + 0.75) + 1)),
        ("density", math.exp(-(4**2) / (2 * 4.0**2))),
    ],
)
def test_kinds_of_maps(target: Target, by_hand: float) -> None:
    image = labelled_image("glioma", [(64.5, 64.5)], [1])
    maps = crop_targets(image, square(0, 0, 128), max_distance_px=100, kind=KINDS[target]()).maps
    assert maps.dtype == np.float32
    assert maps[0, 64, 64] == pytest.approx(1, abs=1e-4)
    assert maps[0, 64, 68] == pytest.approx(by_hand, abs=1e-4)
    assert maps[0, 60, 64] == pytest.approx(by_hand, abs=1e-4)
    assert maps[1].max() == 0


OWN: tuple[Kind, ...] = (Edt(c1=2, c2=0.8, c3=2), Fidt(alpha=0.01), Density(2.5), Density(adaptive=True))


@pytest.mark.parametrize("kind", [*(KINDS[target]() for target in TARGETS), *OWN], ids=str)
@pytest.mark.parametrize("max_distance_px", [20.0, 80.0])
def test_a_crop_never_changes_its_target(kind: Kind, max_distance_px: float) -> None:
    rng = np.random.default_rng(0)
    image = labelled_image("shidc", rng.uniform(0, 256, (60, 2)).tolist(), rng.integers(0, 3, 60).tolist())
    whole = crop_targets(image, square(0, 0, 256), max_distance_px=max_distance_px, kind=kind)
    for x, y in ((0, 0), (37, 91), (128, 128), (200, 3)):
        crop = crop_targets(image, square(x, y, 56), max_distance_px=max_distance_px, kind=kind, beside=2)
        # Density adds up in another order, the others take the largest.
        expected = whole.maps[:, y : y + 56, x : x + 56]
        assert np.allclose(crop.maps, expected, atol=1e-6 * isinstance(kind, Density))
        assert np.array_equal(crop.weight, whole.weight[:, y : y + 56, x : x + 56])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("distance", [60.0, 150.0, 400.0])
def test_maps_are_those_of_the_formulas(target: Target, distance: float) -> None:
    """Against `wsi_edt.maps`, which its own tests hold against the paper's formulas."""
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 128, (50, 2))
    image = labelled_image("glioma", points.tolist(), [1] * 50, side=128)
    found = crop_targets(image, square(0, 0, 128), max_distance_px=distance, kind=KINDS[target]()).maps[0]
    expected = {
        "edt": edt_map(points, (128, 128), max_distance_px=distance),
        "idt": idt_map(points, (128, 128)),
        "fidt": fidt_map(points, (128, 128)),
        "density": density_map(points, (128, 128), sigma_px=4.0) * (2 * np.pi * 4.0**2),
    }[target]
    # A density's Gaussians sum to 1 over their px there, and peak at 1 here.
    assert np.allclose(found, expected, atol=2e-3 if target == "density" else 1e-6)


@pytest.mark.parametrize(
    ("kind", "at_4_px"),
    [  # by hand: max(DT) is 100
        (Edt(c1=5, c2=1, c3=2), 1 / (4 ** (5 * 4 / 100 + 1) + 2)),
        (Edt(c2=2), 1 / (4 ** (10 * 4 / 100 + 2) + 1)),
        (Idt(c=0.5), 1 / 4.5),
        (Fidt(alpha=0.1, beta=0.5, c=4), 1 / (4 ** (0.1 * 4 + 0.5) + 4)),
        (Density(sigma_px=2), math.exp(-2)),
    ],
    ids=str,
)
def test_constants_are_those_that_are_given(kind: Kind, at_4_px: float) -> None:
    image = labelled_image("glioma", [(64.5, 64.5)], [1])
    found = crop_targets(image, square(0, 0, 128), max_distance_px=100, kind=kind).maps[0]
    centre = {Edt: 1 / getattr(kind, "c3", 1), Idt: 2, Fidt: 1 / 4, Density: 1}[type(kind)]
    assert found[64, 64] == pytest.approx(centre)
    assert found[60, 64] == found[64, 68] == pytest.approx(at_4_px)


def test_adaptive_gaussians_have_equal_mass_and_their_neighbours_width() -> None:
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(20, 236, 40), np.sort(rng.uniform(20, 236, 40))])
    points[0], points[1] = (20.5, 20.5), (21.5, 20.5)  # two clicks on one nucleus, far from the rest
    image = labelled_image("glioma", points.tolist(), rng.integers(0, 2, 40).tolist())
    found = crop_targets(image, square(0, 0, 256), kind=Density(adaptive=True)).maps
    sigmas = np.clip(neighbour_sigmas(points), 2, 15)
    assert np.ptp(sigmas) > 3
    # Unit masses, so that one of σ = 4 px has its peak at 1 / (2π · 16).
    expected = density_map(points, (256, 256), sigma_px=sigmas) * (2 * np.pi * 4.0**2)
    assert np.allclose(found[2], expected, atol=1e-3 * expected.max())
    assert np.allclose(found[0] + found[1], found[2], atol=1e-5)
    # Lone cells are as wide as is allowed, and all have the nearest neighbours of all classes.
    lone = crop_targets(image_of_one(), square(0, 0, 256), kind=Density(adaptive=True)).maps[0]
    assert lone[128, 128] == pytest.approx((4 / 15) ** 2)


def image_of_one() -> LabelledImage:
    return labelled_image("glioma", [(128.5, 128.5)], [1])


def test_a_map_that_reaches_too_far_is_refused() -> None:
    field = field_of(image_of_one(), model_mpp=0.25, largest_px=400)
    # 1 / (√d + 1) is 0.01 at 9801 px.
    with pytest.raises(
        UsageError, match=rf"maps\.target reaches farther than {LARGEST_REACH_PX} px with c1 = 0,"
    ):
        TargetMaker([field], crop_px=64, kind=Edt(c1=0))
    assert TargetMaker([field], crop_px=64, kind=Edt(c1=1)).reach_px < LARGEST_REACH_PX


def test_a_turned_crop_has_the_turned_target() -> None:
    rng = np.random.default_rng(1)
    # Centres of px: on a px's border a point would fall into another px once it is turned.
    points = rng.integers(0, 128, (40, 2)) + 0.5
    image = labelled_image(
        "shidc", points.tolist(), rng.integers(0, 3, 40).tolist(), region=shapely.box(3, 40, 100, 128)
    )
    straight = crop_targets(image, square(10, 20, 96))
    for quarter_turns in range(4):
        for flip in (False, True):
            found = crop_targets(image, Crop(1, 10, 20, 96, quarter_turns, flip))
            for name in ("maps", "weight"):
                expected = np.rot90(getattr(straight, name), quarter_turns, axes=(1, 2))
                if flip:
                    expected = expected[:, :, ::-1]
                assert np.array_equal(getattr(found, name), expected), (name, quarter_turns, flip)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(5, 250), st.floats(5, 250)), min_size=3, max_size=9),
    st.sampled_from([0.2, 0.25, 0.3125]),
    st.integers(-20, 150),
    st.integers(-20, 150),
    st.sampled_from(["glioma", "shidc", "uw"]),
)
def test_nothing_is_asked_outside_a_region(
    outline: list[tuple[float, float]], mpp: float, left: int, top: int, dataset: str
) -> None:
    region = shapely.MultiPoint(outline).convex_hull
    assume(region.area > 1)
    rng = np.random.default_rng(0)
    marked = rng.uniform(0, 256, (40, 2))
    marked = marked[shapely.contains_xy(region, marked[:, 0], marked[:, 1])]
    classes = rng.integers(0, 3, len(marked)).tolist()
    inside = labelled_image(dataset, marked.tolist(), classes, region=region)
    everywhere = labelled_image(dataset, marked.tolist(), classes)
    crop = square(left, top, 96)
    found = crop_targets(inside, crop, mpp=mpp, max_distance_px=80)
    free = crop_targets(everywhere, crop, mpp=mpp, max_distance_px=80)
    assert np.array_equal(found.maps, free.maps)
    x, y = ((first + np.arange(96) + 0.5) * mpp / 0.25 for first in (left, top))
    grid_x, grid_y = np.meshgrid(x, y)
    held = shapely.contains_xy(region, grid_x, grid_y)
    off_the_outline = shapely.distance(region.boundary, shapely.points(grid_x, grid_y)) > 1e-6
    assert (found.weight[:, ~held & off_the_outline] == 0).all()
    assert np.array_equal(found.weight[:, held & off_the_outline], free.weight[:, held & off_the_outline])
    # A crop of the crop is asked the same.
    inner = crop_targets(inside, square(left + 13, top + 7, 40), mpp=mpp, max_distance_px=80)
    assert np.array_equal(inner.weight, found.weight[:, 7:47, 13:53])
    assert np.array_equal(inner.maps, found.maps[:, 7:47, 13:53])


def test_max_distance_of_one_field_by_hand() -> None:
    # 640 px at 0.25 µm/px are one field of 512 px at 0.3125; one point in a corner leaves the far one 511·√2 px away.
    image = labelled_image("bcdata", [(0.5, 0.5)], [1], side=640)
    assert image_max_distance(image, model_mpp=0.3125) == 150
    assert image_max_distance(image, model_mpp=0.3125, clamp=False) == pytest.approx(511 * math.sqrt(2))
    # A lattice of points 16 px apart, 12.8 at 0.3125 µm/px, leaves no px farther than 10: clamped from below.
    lattice = [(float(x), float(y)) for x in range(8, 640, 16) for y in range(8, 640, 16)]
    image = labelled_image("bcdata", lattice, [1] * len(lattice), side=640)
    assert image_max_distance(image, model_mpp=0.3125) == 60
    assert 6 < image_max_distance(image, model_mpp=0.3125, clamp=False) < 10


def test_max_distance_without_cells_gives_empty_maps() -> None:
    image = labelled_image("bcdata", [], [])
    for clamp in (True, False):
        distance = image_max_distance(image, model_mpp=0.25, clamp=clamp)
        targets = crop_targets(image, square(0, 0, 64), max_distance_px=distance)
        assert targets.maps.max() == 0


def test_max_distance_is_of_the_region_alone() -> None:
    """A lattice of points in the region's box; the rest of the image has none, since nobody looked there."""
    lattice = [(float(x), float(y)) for x in range(100, 200, 16) for y in range(100, 200, 16)]
    image = labelled_image(
        "qupath", lattice, [1] * len(lattice), side=640, region=shapely.box(92, 92, 204, 204)
    )
    assert image_max_distance(image, model_mpp=0.25, clamp=False) < 16
    assert (
        image_max_distance(labelled_image("qupath", lattice, [1] * len(lattice), side=640), model_mpp=0.25)
        == 150
    )


def test_the_papers_target_of_a_whole_field() -> None:
    """One 512×512 image without clamping is Eq. 6 with max(DT) of that image."""
    rng = np.random.default_rng(1)
    positions = rng.uniform(0, 512, (30, 2))
    image = labelled_image("uw", positions.tolist(), [2] * 30, side=512, mpp=0.5)
    distance = image_max_distance(image, model_mpp=0.5, clamp=False)
    columns, rows = np.meshgrid(np.arange(512), np.arange(512))
    pixels = np.floor(positions)
    brute = np.min([np.hypot(columns - x, rows - y) for x, y in pixels], axis=0)
    assert distance == pytest.approx(brute.max(), abs=1e-3)
    found = crop_targets(image, square(0, 0, 512), mpp=0.5, max_distance_px=distance, names=("nucleus",))
    expected = 1 / (brute ** (10 * brute / brute.max() + 0.5) + 1)
    expected[expected < 0.01] = 0
    assert np.allclose(found.maps[0], expected, atol=1e-4)
    assert np.allclose(found.maps[0], edt_map(positions, (512, 512), max_distance_px=distance))


def test_the_unified_map_of_the_paper_by_configuration() -> None:
    """With nuclei = "everywhere" BCData teaches one map of all its cells."""
    image = labelled_image("bcdata", [(64.5, 64.5)], [1])
    stated = LabelledImage(
        image.path,
        image.dataset,
        image.case,
        image.pixels,
        image.image_mpp,
        image.points,
        image.class_id,
        image.classes,
        Labelled.EVERYWHERE,
    )
    targets = crop_targets(stated, square(0, 0, 128), max_distance_px=100, names=("nucleus",))
    assert targets.weight.shape == (1, 128, 128)
    assert (targets.weight == 1).all()
