"""The configuration: its defaults are the shipped recipe, and what is wrong in a file is said in one sentence."""

import json
from pathlib import Path

import pytest

from wsi_edt.errors import UsageError
from wsi_edt.maps import Density, Edt, Fidt, Idt, Kind
from wsi_edt.training import TrainConfig, read_config

RECIPES = Path(__file__).parents[2] / "workflows/shipped_model"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_the_shipped_recipe(tmp_path: Path) -> None:
    shipped = read_config(RECIPES / "train.toml")
    assert read_config(written(tmp_path, "")) == shipped == TrainConfig()
    assert shipped.network == {
        "architecture": "m_hrnet",
        "width": 18,
        "stem_stride": 2,
        "theta": 0.7,
    }
    assert (shipped.spec.architecture, shipped.spec.maps, shipped.spec.stride) == ("m_hrnet", 3, 32)
    assert sum(one.weight for one in shipped.sets) == pytest.approx(1.0)
    assert [one.split for one in shipped.validation] == ["validation"]


def test_the_last_stage(tmp_path: Path) -> None:
    config = read_config(RECIPES / "finetune.toml", init="other/model")
    assert config.init == "other/model"
    schedule = config.schedule
    assert (schedule.steps, schedule.batch_size, schedule.crop_px) == (300, 6, 320)
    assert (schedule.learning_rate, schedule.ema_decay, schedule.frozen_norms) == (7e-4, 0.985, True)
    assert config.loss.consistency == 50
    assert config.augmentation.gamma == 0.3


def test_init_of_the_command_line_counts_before_the_file_is_judged(tmp_path: Path) -> None:
    path = written(tmp_path, "[schedule]\nfrozen_norms = true")
    with pytest.raises(UsageError, match=r"train\.toml: schedule\.frozen_norms .* name one as init"):
        read_config(path)
    assert read_config(path, init="model").init == "model"


@pytest.mark.parametrize(
    "text",
    [
        "",
        'seed = 3\n[maps]\nnames = ["nucleus"]\n[[sets]]\nname = "uw"\nweight = 1',
        '[[sets]]\nname = "a"\nformat = "points"\nfolder = "/data/a"\nmpp = 0.5\nweight = 2\nclasses = "near points"',
        "[folds]\ncount = 4\nindex = 3",
    ],
)
def test_survives_json_and_toml(tmp_path: Path, text: str) -> None:
    config = read_config(written(tmp_path, text))
    assert TrainConfig.from_json(config.to_json()) == config
    assert read_config(written(tmp_path, config.to_toml())) == config


def test_validation_is_the_validation_split_where_there_is_one(tmp_path: Path) -> None:
    text = '[[validation]]\nname = "shidc"\n[[validation]]\nname = "ours"\nformat = "points"\n'
    given = '[[validation]]\nname = "bcdata"\nsplit = "test"\n'
    config = read_config(written(tmp_path, text + given))
    assert [one.split for one in config.validation] == ["validation", "all", "test"]


def test_maps_are_kept_in_one_order(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, '[maps]\nnames = ["nucleus", "negative", "positive"]'))
    assert config.maps.names == ("positive", "negative", "nucleus")


def test_targets_take_their_own_constants(tmp_path: Path) -> None:
    def kind(text: str) -> Kind:
        return read_config(written(tmp_path, "[maps]\n" + text)).maps.kind

    # The paper's Table 10.
    assert kind("") == Edt(c1=10, c2=0.5, c3=1)
    assert kind('target = "idt"') == Idt(c=1)
    assert kind('target = "fidt"') == Fidt(alpha=0.02, beta=0.75, c=1)
    assert kind('target = "density"') == Density(sigma_px=4, adaptive=False)
    assert kind("c1 = 5\nc3 = 0.5") == Edt(c1=5, c2=0.5, c3=0.5)
    assert kind('target = "fidt"\nbeta = 1.0\nc = 2') == Fidt(alpha=0.02, beta=1, c=2)
    assert kind('target = "density"\nadaptive = true') == Density(adaptive=True)
    assert kind('target = "density"\nsigma_px = 3') == Density(sigma_px=3)


def test_configurations_from_before_maps_had_constants_and_methods() -> None:
    entries = json.loads(TrainConfig().to_json())
    for name in ("method", "c1", "c2", "c3", "c", "alpha", "beta", "sigma_px", "adaptive"):
        del entries["maps"][name]
    assert TrainConfig.from_json(json.dumps(entries)) == TrainConfig()


A_SET = '[[sets]]\nname = "bcdata"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps = [", "can't be read as TOML"),
        ("colour = 1", r"colour isn't an entry; the entries there are init, seed, mpp,"),
        (
            "[schedule]\ncolour = 1",
            r"schedule\.colour isn't an entry; the entries there are steps, .*frozen_norms$",
        ),
        (A_SET + "weight = 1\nhue = 1", r"sets\[0\]\.hue isn't an entry; the entries there are .*weight"),
        ("[schedule]\nsteps = 0", r"schedule\.steps is 0, but it should be greater than 0"),
        ('[schedule]\nsteps = "9"', r'schedule\.steps is "9", but it should be a valid integer'),
        ("[schedule]\nsteps = true", r"schedule\.steps is true, but it should be a valid integer"),
        ("[schedule]\ncrop_px = 100", r"schedule\.crop_px is 100, but it should be a multiple of 32"),
        ("[schedule]\ncrop_px = 32\nbatch_size = 1", r"schedule\.crop_px of 32 .*batch_size of at least 2"),
        (
            "seed = 1180591620717411303424",
            r"seed is 1180591620717411303424, but it should be less than or equal",
        ),
        ("mpp = 1000.0", r"mpp is 1000\.0, but it should be less than or equal to 20"),
        (A_SET + "weight = 1\nfolder = 5", r"sets\[0\]\.folder is 5, but it should be a path in quotes"),
        ("[schedule]\nlearning_rate = nan", r"schedule\.learning_rate is NaN, but it should be a finite"),
        ("[schedule]\nema_decay = 1.0", r"schedule\.ema_decay is 1\.0, but it should be less than 1"),
        ("[network]\nwidth = 19", r"network\.width is 19; m_hrnet takes 18, 32 or 48"),
        ("network = 3", r"network is 3, but it should be a table"),
        ('[network]\narchitecture = "lenet"', r"network\.architecture is 'lenet'; choose one of m_hrnet"),
        ("[network]\ncolour = 1", r"network\.colour isn't an option of m_hrnet"),
        ('[maps]\nnames = "nucleus"', r'maps\.names is "nucleus", but it should be a list'),
        (
            '[maps]\nnames = ["positive"]',
            r"maps\.names: positive and negative maps come together; the maps are positive$",
        ),
        ('[maps]\nnames = ["nucleus", "nucleus"]', r"maps\.names: .*\[nucleus, nucleus\]"),
        (
            '[maps]\ntarget = "idt"\nc1 = 5',
            r"maps\.c1 is a constant of edt, not of idt; leave it out: idt has c$",
        ),
        (
            "[maps]\nc = 2",
            r"maps\.c is a constant of idt and fidt, not of edt; leave it out: edt has c1, c2, c3$",
        ),
        ('[maps]\ntarget = "fidt"\nadaptive = true', r"maps\.adaptive is a constant of density, not of fidt"),
        (
            "[maps]\nc2 = 0",
            r"there is no EDT map for c1 10, c2 0 and c3 1; choose c1 >= 0, c2 > 0 and 0 < c3 <= 100",
        ),
        ("[maps]\nc3 = 200", r"there is no EDT map for .*c3 200; choose .* c3 <= 100"),
        ('[maps]\ntarget = "density"\nsigma_px = 0', r"there is no density map for sigma_px 0"),
        ('[maps]\nc1 = "5"', r'maps\.c1 is "5", but it should be a valid number'),
        (
            '[maps]\ntarget = "sdt"',
            r"maps\.target is \"sdt\", but it should be 'edt', 'idt', 'fidt' or 'density'",
        ),
        ('[maps]\nmethod = "peaks"', r"maps\.method: there is no method 'peaks'; choose ccls, lmss, lmds"),
        ("[loss]\nconsistency = -1.0", r"loss\.consistency is -1\.0, but it should be greater than or"),
        (
            "[loss]\nconsistency = 1.0\n[schedule]\ncrop_px = 224",
            r"loss\.consistency needs schedule\.crop_px of at least 256, but that is 224",
        ),
        (
            "[augmentation]\nblur = 0.6\nsharpen = 0.5",
            r"are 0\.6 and 0\.5, more than 1 together.*add up to 1 at most",
        ),
        ("sets = []", r"sets is \[\], but it should not be empty"),
        (A_SET, r"sets\[0\]\.weight is missing; add it: it has no default"),
        (A_SET + "weight = 0", r"sets\[0\]\.weight is 0, but it should be greater than 0"),
        (A_SET + "weight = 1\n" + A_SET + "weight = 2", r"\[\[sets\]\] has two sets named 'bcdata'"),
        ('[[validation]]\nname = "nonesuch"', r"nonesuch.*choose one of bcdata"),
        ("[folds]\ncount = 4", r"folds\.index is missing"),
        ("[folds]\ncount = 4\nindex = 4", r"folds\.index is 4; it counts from 0 to 3"),
        (
            '[folds]\ncount = 2\nindex = 0\n[[validation]]\nname = "ours"\nformat = "points"',
            r"no set in \[\[sets\]\] is named 'ours'",
        ),
        ("validation = []\n[folds]\ncount = 2\nindex = 0", r"\[folds\] deals out .* name at least one"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"train\.toml.*" + says) as raised:
        read_config(written(tmp_path, text))
    assert "\n" not in str(raised.value)
