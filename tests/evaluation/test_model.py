"""A model on a data set is run as a run would run it, with its own normalisation."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata
from wsi_edt.bundles import read_bundle, write_description
from wsi_edt.bundles.weights import load_network
from wsi_edt.datasets import SetSpec
from wsi_edt.detection.compute import Compute, RuntimeName
from wsi_edt.evaluation.model import evaluate_model
from wsi_edt.maps import decode
from wsi_edt.networks import Normalisation

MEAN, STD = (0.2, 0.5, 0.7), (0.5, 0.4, 0.3)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_a_model_has_its_own_normalisation(tmp_path: Path, runtime: RuntimeName) -> None:
    bundle = replace(tiny_bundle(tmp_path / "tiny", mpp=0.25), normalisation=Normalisation(MEAN, STD))
    write_description(bundle)
    folder = make_bcdata(tmp_path / "bcdata", images=1)
    found = evaluate_model(
        read_bundle(tmp_path / "tiny"),
        SetSpec(name="bcdata", folder=folder, split="validation"),
        compute=Compute("cpu", runtime, "fp32", threads=1),
        radii_px=(10.0,),
        resamples=0,
    )
    pixels = cv2.imread(str(folder / "images/validation/0.png"))
    assert pixels is not None
    normal = (pixels[:, :, ::-1] / 255 - MEAN) / STD
    with torch.inference_mode():
        maps = load_network(bundle)(torch.from_numpy(normal.transpose(2, 0, 1)[None]).float())[0].numpy()
    expected = decode(maps, replace(bundle.decode, threshold=0.04))
    cells = found.pairs[0].predicted
    assert len(cells) > 20
    # Float noise may move a peak of an untrained network among near equals.
    same = set(zip(expected.x + 0.5, expected.y + 0.5, strict=True)) & set(zip(cells.x, cells.y, strict=True))
    assert len(same) >= 0.98 * max(len(expected), len(cells))
    assert np.median(cells.score) == pytest.approx(np.median(expected.score), rel=1e-3)
