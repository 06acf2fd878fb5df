"""What the ideas against unknown stains change in the recipe."""

from pathlib import Path
from typing import Any

import pytest

from wsi_edt.training import read_config

RECIPE = Path(__file__).parents[2] / "workflows" / "shipped_model" / "leave_one_out.toml"


def test_every_idea_but_the_recipe_changes_something_else(shipped_model: Any) -> None:
    script, recipe = shipped_model("ideas"), read_config(RECIPE)
    made = {name: script.with_idea(recipe, name) for name in script.IDEAS}
    assert made["recipe"] == recipe
    assert len({one.to_json() for one in made.values()}) == len(made)


def test_ideas_are_what_they_are_called(shipped_model: Any) -> None:
    script, recipe = shipped_model("ideas"), read_config(RECIPE)
    assert script.with_idea(recipe, "no style mixing").augmentation.style == 0
    assert script.with_idea(recipe, "three times as long").schedule.steps == 3 * recipe.schedule.steps
    left = [one.name for one in script.with_idea(recipe, "Ki-67 sets alone").sets]
    assert left == ["bcdata", "glioma", "shidc", "immunoratio", "gepnet"]
    plain = script.with_idea(recipe, "plain stem (HRNet), from random weights")
    assert (plain.init, plain.spec.options.title) == ("", "HRNet-w18")


@pytest.mark.parametrize("laboratory", ["immunoratio", "bcdata"])
def test_nothing_of_the_laboratory_is_learnt_from_by_any_idea(shipped_model: Any, laboratory: str) -> None:
    script, leave_one_out = shipped_model("ideas"), shipped_model("leave_one_out")
    for name in script.IDEAS:
        own = leave_one_out.without(script.with_idea(read_config(RECIPE), name), laboratory, seed=1)
        used = {one.name for one in own.sets} | set(own.augmentation.styles)
        assert not used & set(leave_one_out.LABORATORIES[laboratory])
