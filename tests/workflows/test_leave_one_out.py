"""What a training learns from while a laboratory is left out, and what it may be tested on."""

import runpy
from pathlib import Path

import pytest

from wsi_edt.training import read_config

SCRIPTS = Path(__file__).parents[2] / "workflows" / "shipped_model"
RECIPE = SCRIPTS / "leave_one_out.toml"
SCRIPT = runpy.run_path(str(SCRIPTS / "leave_one_out.py"))
LABORATORIES, CHOSEN_ON, OTHERWISE, without = (
    SCRIPT[name] for name in ("LABORATORIES", "CHOSEN_ON", "OTHERWISE", "without")
)


@pytest.mark.parametrize("laboratory", LABORATORIES)
def test_nothing_of_the_laboratory_is_learnt_from(laboratory: str) -> None:
    own = without(read_config(RECIPE), laboratory, seed=2)
    names = {one.name for one in own.sets}
    assert not names & set(LABORATORIES[laboratory])
    assert not set(own.augmentation.styles) & set(LABORATORIES[laboratory])
    # Colours come from sets that are trained on, or from folders.
    assert all(name in names or name.startswith("unlabelled/") for name in own.augmentation.styles)
    assert own.seed == 2


def test_settings_are_chosen_on_images_that_nobody_trains_on() -> None:
    recipe = read_config(RECIPE)
    for laboratory in LABORATORIES:
        own = without(recipe, laboratory, seed=1)
        chosen_on = OTHERWISE if laboratory == "bcdata" else CHOSEN_ON
        trained = [one for one in own.sets if one.name == chosen_on.name]
        assert [one.split for one in trained] == ([] if laboratory == "bcdata" else ["train"])
