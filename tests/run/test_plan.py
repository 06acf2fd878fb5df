"""Plans of painted and of real slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.stand_ins import MPP, make_settings, paint, write_slide
from wsi_edt.errors import MissingMppError, SlideError
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.plan import SlidePlan, plan_slide
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.staining import Staining


def plan(path: Path, *, fallback_mpp: float | None = None) -> SlidePlan:
    ref = SlideRef(SlideSource(path, fallback_mpp), path.name)
    return plan_slide(ref, make_settings(tile_px=512).cells)[0]


def test_a_painted_slide(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.png", paint(0))
    found = plan(path, fallback_mpp=MPP)
    assert found.staining is Staining.DAB
    assert found.header.extent == (900, 300)
    assert (found.header.slide_mpp, found.header.mpp_stated) == (MPP, False)
    # Half of the slide is tissue; the mask reaches a unit or so beyond, which is no area, but not to the speck 110 px away.
    half = 0.5 * 900 * 300 * (MPP / 1000) ** 2
    assert found.tissue.area_mm2 == pytest.approx(half, rel=0.01)
    assert 1.05 * half < found.tissue.mask.sum() * (found.tissue.unit_mpp / 1000) ** 2 < 1.4 * half
    assert found.tissue.holds(np.array([100.0, 560.5]), np.array([150.0, 150.5])).tolist() == [True, False]
    again = plan(path, fallback_mpp=MPP)
    assert again.header == found.header
    assert again.shards == found.shards


def test_twice_the_scale_is_twice_the_extent(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.png", paint(0))
    assert plan(path, fallback_mpp=2 * MPP).header.extent == (1800, 600)


def test_a_slide_too_coarse_for_nuclei_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.png", paint(0))
    ref = SlideRef(SlideSource(path, 1.01), "a.png")
    with pytest.raises(SlideError) as caught:
        plan_slide(ref, make_settings().cells)
    assert str(caught.value) == (
        f"{path} has 1.01 µm/px, which is too coarse for nuclei (over 1 µm/px); "
        "export a finer level, or pass --allow-coarse"
    )
    assert plan_slide(ref, make_settings().cells, allow_coarse=True)[0].header.slide_mpp == 1.01
    assert plan(path, fallback_mpp=1.0).header.slide_mpp == 1.0


def test_the_plane_that_is_read_is_remarked(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    size = {"axes": "ZYXS", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
    tifffile.imwrite(path, np.stack([paint(0).pixels, paint(1).pixels]), photometric="rgb", metadata=size)
    assert plan(path).remark == "plane 1 of 2 is read"


@pytest.mark.slide
def test_real_slides(data_dir: Path) -> None:
    slides = data_dir / "slides"
    found = plan(slides / "ki67-scanner-a.tif")
    assert found.staining is Staining.DAB
    assert found.header.slide_mpp == pytest.approx(0.2271, abs=1e-4)
    assert found.header.mpp_stated
    assert len(found.shards) == 1
    with pytest.raises(SlideError, match="fluorescence"):
        plan(slides / "fluorescence-dapi.ndpi", fallback_mpp=0.5)
    with pytest.raises(MissingMppError, match="--mpp"):
        plan(slides / "no-mpp.svs")
    assert not plan(slides / "no-mpp.svs", fallback_mpp=0.25).header.mpp_stated
    assert plan(slides / "CMU-1-Small-Region.svs", fallback_mpp=9.0).header.slide_mpp == pytest.approx(0.499)
