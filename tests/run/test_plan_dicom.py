"""Planning a slide in DICOM whose finest level is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.slides.made_dicom import write_series
from tests.stand_ins import make_settings
from wsi_edt.errors import SlideError
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.plan import plan_slide
from wsi_edt.slides import SlideSource


def test_a_level_is_no_slide_without_the_finer_one_that_it_was_made_from(tmp_path: Path) -> None:
    write_series(tmp_path, np.full((200, 300, 3), 230, np.uint8), ["0.dcm", "1.dcm"], mpp=0.25)
    (tmp_path / "0.dcm").unlink()
    ref = SlideRef(SlideSource(tmp_path / "1.dcm"), "1.dcm")
    with pytest.raises(
        SlideError, match=r"lacks its finest level: .*; copy the whole series .* --allow-coarse"
    ):
        plan_slide(ref, make_settings().cells)
    assert plan_slide(ref, make_settings().cells, allow_coarse=True)[0].header.slide_mpp == pytest.approx(0.5)
