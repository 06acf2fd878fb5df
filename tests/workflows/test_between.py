"""Networks between two models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import torch

from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.bundle import write_description
from wsi_edt.networks import NetworkSpec, build_network

HRNET = NetworkSpec.from_table({"architecture": "hrnet", "width": 18}, maps=1)


def test_weights_and_statistics_lie_between_those_of_both(shipped_model: Any) -> None:
    torch.manual_seed(1)
    first, second = build_network(HRNET), build_network(HRNET)
    for network, value in ((first, 1.0), (second, 5.0)):
        for name, one in network.state_dict().items():
            one.fill_(value if one.is_floating_point() else 7)
            assert one.is_floating_point() or name.endswith("num_batches_tracked")
    state = shipped_model("between").mixed(first, second, 0.25)
    assert set(state) == set(second.state_dict())
    assert {float(one.flatten()[0]) for one in state.values() if one.is_floating_point()} == {2.0}
    # Neither network was changed by looking.
    assert float(next(first.parameters()).detach().flatten()[0]) == 1.0


def test_models_at_another_resolution_have_nothing_between_them(shipped_model: Any, tmp_path: Path) -> None:
    shipped = find_bundle("ki67-m-hrnet-w18")
    write_description(replace(shipped, directory=tmp_path, model_mpp=0.5))
    with pytest.raises(click.UsageError, match="nothing between them"):
        shipped_model("between").predictor_between(str(tmp_path), shipped.name, 0.5)
