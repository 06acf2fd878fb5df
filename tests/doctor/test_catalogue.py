"""What is listed, and what a row says of a model that is damaged or a network that can't be made."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.bundles.bundle import write_description
from wsi_edt.detection.compute import Compute, RuntimeName
from wsi_edt.detection.runtimes.graph_cache import cache_folder
from wsi_edt.doctor import catalogue
from wsi_edt.doctor.catalogue import Entry, as_json, entries, row
from wsi_edt.errors import UnknownModelError, UsageError
from wsi_edt.networks import NetworkSpec
from wsi_edt.networks.made_by_name import named


def test_shipped_models_folders_and_networks_are_listed(tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "tiny")
    listed = entries([str(tiny.directory), str(tiny.directory)])
    assert [entry.name for entry in listed if entry.kind == "model"] == [DEFAULT_MODEL, "tiny"]
    by_title = {entry.spec.options.title: entry for entry in listed if entry.kind == "network"}
    assert by_title["M_HRNet-w18"].weights == (DEFAULT_MODEL, "tiny")
    assert by_title["M_HRNet-w48"].weights == ()
    assert by_title["HRNet-w18"].weights == ()


def test_only_what_is_named() -> None:
    assert [entry.spec.options.title for entry in entries(only=["hrnet"])] == [
        "HRNet-w18",
        "HRNet-w32",
        "HRNet-w48",
    ]
    assert [entry.spec.options.title for entry in entries(only=["U-Net", "hrnet-W32"])] == [
        "HRNet-w32",
        "U-Net",
    ]
    with pytest.raises(UsageError, match=r"no model or network 'resnet'; choose of .*m_hrnet"):
        entries(only=["resnet"])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError):
        entries([str(tmp_path)])


def test_a_row_of_the_shipped_model() -> None:
    (entry,) = entries(only=[DEFAULT_MODEL])
    told = json.loads(json.dumps(as_json(row(entry))))
    assert told["parameters"] == 9655943  # as tests/networks/test_hrnet.py counts from the publication
    assert told["flop_per_512px_tile"] / 1e9 == pytest.approx(39, abs=1)  # the design's own count
    assert told["maps"] == ["positive", "negative", "nucleus"]
    assert told["mpp"] == 0.3125
    assert told["scores"]["f1_10px"] == 0.8459
    assert told["licence"].startswith("research use only")
    assert told["speed"] is None
    assert told["problem"] is None


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.weights.write_bytes(b"other")
    (entry,) = entries([str(tiny.directory)], only=["tiny"])
    assert "isn't the file that model.toml describes" in row(entry).problem


def test_weights_of_another_network_are_said(tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "tiny")
    write_description(replace(tiny, network=NetworkSpec.from_table({"architecture": "unext"}, maps=3)))
    (entry,) = entries([str(tiny.directory)], only=["tiny"])
    assert re.search(r"weights\.safetensors holds [\d,]+ parameters, but unext", row(entry).problem)


def test_a_network_whose_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    options = named("x", "X", "x:X", stride=8, needs="no_such_library")()
    monkeypatch.setattr(catalogue, "cost_of", lambda spec: None)
    entry = Entry("network", "x", NetworkSpec(options, 3), (), "MIT")
    found = row(entry, compute=Compute("cpu", "torch", "fp32", 1))
    assert "needs no_such_library, which isn't installed" in found.problem
    assert found.speed is None


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_untrained_networks_are_measured_and_nothing_of_them_is_kept(
    runtime: RuntimeName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "TILE_PX", 64)
    (entry,) = entries(only=["unext"])
    compute = Compute("cpu", runtime, "fp32", 1)
    speed = row(entry, compute=compute, repeats=2).speed
    assert speed is not None
    assert speed.compute == compute
    assert 0 < speed.least <= speed.median <= speed.most
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path)
    assert not cache_folder().exists()


def test_what_openvino_doesnt_take_is_measured_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "TILE_PX", 64)
    real = catalogue._measured

    def refusing(bundle: object, compute: Compute, repeats: int) -> object:
        if compute.runtime == "openvino":
            raise RuntimeError("no conversion for aten::roll")
        return real(bundle, compute, repeats)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue, "_measured", refusing)
    (entry,) = entries(only=["unext"])
    compute = Compute("cpu", "openvino", "fp32", 1)
    found = row(entry, compute=compute, repeats=1)
    assert found.speed is not None
    assert found.speed.compute == replace(compute, runtime="torch")
