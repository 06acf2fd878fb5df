"""A bundle is written, found, verified and read back; a damaged one is refused in one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import (
    DEFAULT_MODEL,
    Bundle,
    find_bundle,
    load_network,
    model_names,
    read_bundle,
    write_description,
)
from wsi_edt.errors import ModelError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def test_description_survives(bundle: Bundle) -> None:
    assert read_bundle(bundle.directory) == bundle
    assert find_bundle(str(bundle.directory)) == bundle


def test_stem_stride(bundle: Bundle, tmp_path: Path) -> None:
    full = replace(bundle, directory=tmp_path.resolve(), network=replace(bundle.network, stem_stride=1))
    write_description(full)
    assert read_bundle(tmp_path).network.stem_stride == 1
    # Models from before there was a choice don't state it.
    description = tmp_path / "model.toml"
    lines = description.read_text().splitlines()
    description.write_text("\n".join(line for line in lines if not line.startswith("stem_stride")))
    assert read_bundle(tmp_path) == replace(full, network=bundle.network)
    assert bundle.network.stem_stride == 2


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
    with pytest.raises(ModelError, match=r"not the file that model\.toml describes"):
        load_network(copy)


def test_missing_weights(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can't be read: No such file"):
        load_network(replace(bundle, directory=tmp_path))


@pytest.mark.parametrize("text", ["", "name = 3", "not toml", 'name = "a"\nversion = "1"'])
def test_broken_description(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(ModelError, match="description"):
        find_bundle(str(tmp_path))


def test_unknown_model_names_the_shipped_ones() -> None:
    with pytest.raises(ModelError, match=f"no model 'nonesuch'.*{DEFAULT_MODEL}"):
        find_bundle("nonesuch")


def test_shipped_models_are_whole() -> None:
    assert DEFAULT_MODEL in model_names()
    for name in model_names():
        bundle = find_bundle(name)
        bundle.verify()
        assert bundle.name == name
        assert bundle.weights.stat().st_size <= 25e6
