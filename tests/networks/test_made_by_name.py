"""Architectures made from one line: their options, their titles, pickled and unpickled, what they need."""

import pickle
from typing import Any

import pytest

from wsi_edt.errors import UsageError
from wsi_edt.networks import registry
from wsi_edt.networks.made_by_name import named


@pytest.fixture
def architectures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {
        "plain": named("plain", "Plain", "hrnet:HRNet", stride=16),
        "m_plain": named("m_plain", "M_Plain", "hrnet:HRNet", stride=8, mga=True),
    }
    monkeypatch.setattr(registry, "ARCHITECTURES", made)
    return made


def test_titles_and_options(architectures: dict[str, Any]) -> None:
    made = architectures
    assert made["plain"]().title == "Plain"
    assert made["plain"].stride == 16
    assert made["m_plain"]().title == "M_Plain"
    assert made["m_plain"](theta=0.5).title == "M_Plain with θ = 0.5"
    assert made["m_plain"](theta=0) != made["m_plain"]()
    with pytest.raises(TypeError):
        made["plain"](theta=0.5)


@pytest.mark.parametrize("theta", [-0.1, 1.01, "0.5", True, float("nan")])
def test_theta_is_a_share(architectures: dict[str, Any], theta: object) -> None:
    with pytest.raises(UsageError, match="m_plain takes a number from 0 to 1"):
        architectures["m_plain"](theta=theta)


def test_options_reach_other_processes(architectures: dict[str, Any]) -> None:
    options = architectures["m_plain"](theta=0.5)
    assert pickle.loads(pickle.dumps(options)) == options
