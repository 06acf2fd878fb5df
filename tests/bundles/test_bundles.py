"""A bundle is written, found, verified and read back; a damaged one is refused in one sentence."""

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import (
    DEFAULT_MODEL,
    Bundle,
    find_bundle,
    model_names,
    read_bundle,
    write_description,
)
from wsi_edt.bundles.weights import load_network
from wsi_edt.errors import ModelError, UnknownModelError
from wsi_edt.networks import NetworkSpec
from wsi_edt.slides.stain_style import KnownStains


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def test_description_survives(bundle: Bundle) -> None:
    assert read_bundle(bundle.directory) == bundle
    assert find_bundle(str(bundle.directory)) == bundle


def test_known_stains_survive(bundle: Bundle, tmp_path: Path) -> None:
    stains = KnownStains.of([np.arange(6.0) * value for value in (0.1, 0.25, 0.3)])
    write_description(replace(bundle, directory=tmp_path, stains=stains))
    assert read_bundle(tmp_path).stains == stains
    description = tmp_path / "model.toml"
    description.write_text(description.read_text().replace("mean = [0.0, ", "mean = ["))
    with pytest.raises(ModelError, match=r"the table stains needs 6 means and a 6 × 6 covariance"):
        read_bundle(tmp_path)


def test_options_of_the_network(bundle: Bundle, tmp_path: Path) -> None:
    table = {"architecture": "hrnet", "width": 32, "stem_stride": 1}
    other = replace(bundle, directory=tmp_path.resolve(), network=NetworkSpec.from_table(table, maps=3))
    write_description(other)
    assert tomllib.loads((tmp_path / "model.toml").read_text())["network"] == table
    assert read_bundle(tmp_path) == other


def test_models_from_before_the_stem_had_a_choice(bundle: Bundle, tmp_path: Path) -> None:
    write_description(replace(bundle, directory=tmp_path))
    description = tmp_path / "model.toml"
    lines = description.read_text().splitlines()
    description.write_text("\n".join(line for line in lines if not line.startswith("stem_stride")))
    assert read_bundle(tmp_path).network.to_table() == {
        "architecture": "m_hrnet",
        "width": 18,
        "stem_stride": 2,
        "theta": 0.7,
    }


def test_models_from_before_there_was_a_method(bundle: Bundle, tmp_path: Path) -> None:
    local = replace(bundle.decode, method="peak_local_max", evidence="separate")
    write_description(replace(bundle, directory=tmp_path.resolve(), decode=local))
    assert read_bundle(tmp_path).decode == local
    description = tmp_path / "model.toml"
    text = description.read_text()
    assert "[decode]" in text and 'method = "peak_local_max"\n' in text
    description.write_text(text.replace('method = "peak_local_max"\n', ""))
    assert read_bundle(tmp_path).decode == replace(local, method="ccls")
    description.write_text(text.replace('"peak_local_max"', '"peaks"'))
    with pytest.raises(ModelError, match=r"model\.toml: there is no method 'peaks'; choose ccls, lmss"):
        read_bundle(tmp_path)


def test_models_from_before_there_was_a_gain(bundle: Bundle, tmp_path: Path) -> None:
    raised = replace(bundle.decode, negative_gain=1.4)
    write_description(replace(bundle, directory=tmp_path.resolve(), decode=raised))
    assert read_bundle(tmp_path).decode == raised
    description = tmp_path / "model.toml"
    text = description.read_text()
    assert "negative_gain = 1.4\n" in text
    description.write_text(text.replace("negative_gain = 1.4\n", ""))
    assert read_bundle(tmp_path).decode == replace(raised, negative_gain=1.0)
    description.write_text(text.replace("negative_gain = 1.4", "negative_gain = 0"))
    with pytest.raises(ModelError, match=r"model\.toml: there is no gain 0 of negative maps"):
        read_bundle(tmp_path)


def test_weights_survive_at_half_precision(bundle: Bundle) -> None:
    network = load_network(bundle)
    assert not network.training
    for value in network.state_dict().values():
        if value.dtype.is_floating_point:
            assert value.dtype == torch.float32
            assert torch.equal(value, value.half().float())


def test_changed_weights_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    data = bytearray(bundle.weights.read_bytes())
    data[-1] ^= 1
    copy = replace(bundle, directory=tmp_path)
    copy.weights.write_bytes(data)
    with pytest.raises(ModelError, match=r"isn't the file that model\.toml describes"):
        load_network(copy)


def test_weights_of_another_network_are_one_sentence(bundle: Bundle) -> None:
    wider = replace(bundle, network=NetworkSpec.from_table({"width": 32}, maps=bundle.network.maps))
    with pytest.raises(
        ModelError, match=r"doesn't hold the weights of m_hrnet \(width 32.*correct \[network\]"
    ) as caught:
        load_network(wider)
    assert len(str(caught.value).splitlines()) == 1


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="an empty text doesn't name a model"):
        find_bundle("")


def test_missing_weights(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can't be read: No such file"):
        load_network(replace(bundle, directory=tmp_path))


@pytest.mark.parametrize("text", ["", "name = 3", "not toml", 'name = "a"\nversion = "1"'])
def test_broken_description(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(
        ModelError, match=r"model\.toml (has no entry|can't be read).*; install the model again"
    ):
        find_bundle(str(tmp_path))


def test_wrong_options_of_the_network_are_the_models_fault(bundle: Bundle, tmp_path: Path) -> None:
    write_description(replace(bundle, directory=tmp_path))
    description = tmp_path / "model.toml"
    description.write_text(description.read_text().replace("width = 18", "width = 19"))
    with pytest.raises(ModelError) as raised:
        read_bundle(tmp_path)
    assert raised.value.context == (str(description),)
    assert (raised.value.where, raised.value.what) == ("network.width", "is 19")


def test_unknown_model_names_the_shipped_ones() -> None:
    with pytest.raises(UnknownModelError) as raised:
        find_bundle("nonesuch")
    assert raised.value.where == "nonesuch"
    assert DEFAULT_MODEL in raised.value.remedy


@pytest.mark.parametrize(
    "module",
    [
        "wsi_edt.bundles",
        "wsi_edt.detection.compute",
        "wsi_edt.detection.peaks",
        "wsi_edt.detection.stitching",
        "wsi_edt.results.store",
    ],
)
def test_models_are_described_without_torch(module: str) -> None:
    code = f"""if True:
        import sys, {module}
        from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
        find_bundle(DEFAULT_MODEL).verify()
        assert "torch" not in sys.modules, sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_shipped_models_are_whole() -> None:
    assert DEFAULT_MODEL in model_names()
    for name in model_names():
        bundle = find_bundle(name)
        bundle.verify()
        assert bundle.name == name
        assert bundle.weights.stat().st_size <= 25e6
