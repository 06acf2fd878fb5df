"""Plans of painted and of real slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
    # Half of the slide is tissue; the mask reaches a unit or so beyond, but not to the speck 110 px away.
    half = 0.5 * 900 * 300 * (MPP / 1000) ** 2
    assert half < found.tissue.area_mm2 < 1.4 * half
    assert found.tissue.holds(np.array([100.0, 560.5]), np.array([150.0, 150.5])).tolist() == [True, False]
    again = plan(path, fallback_mpp=MPP)
    assert again.header == found.header
    assert again.shards == found.shards


def test_twice_the_scale_is_twice_the_extent(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "a.png", paint(0))
    assert plan(path, fallback_mpp=2 * MPP).header.extent == (1800, 600)


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
