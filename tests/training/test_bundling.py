"""From a configuration by `wsi-edt train` and `wsi-edt bundle` to a model that runs, with its card."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from tests.training.sets import make_bcdata
from tests.training.test_trainer import CONFIG, changed
from wsi_edt.bundles import read_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.cli.bundle import bundle
from wsi_edt.cli.train import train as train_command
from wsi_edt.errors import UsageError
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import build_network
from wsi_edt.training import TrainConfig, read_config
from wsi_edt.training.bundling import bundle_checkpoint
from wsi_edt.training.checkpoint import TrainingState, read_trained, save_best
from wsi_edt.training.material import read_material
from wsi_edt.training.optimisation import Optimizer, WeightAverage
from wsi_edt.training.provenance import provenance_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata", images=2)
    return folder


def untrained(config: TrainConfig, data: Path, path: Path, *, noted: bool = True) -> Path:
    """A checkpoint of 7 steps that no one trained: only weights, with all that is said of them.

    `noted` is whether it says what its data were, as those of version 0.1.0 didn't.
    """
    torch.manual_seed(config.seed)
    network = build_network(config.spec)
    state = TrainingState(network, WeightAverage(network), Optimizer(network, config.schedule))
    material = read_material(config, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance = provenance_of(config, material.training, None, data=material.fingerprint if noted else None)
    save_best(path, state, step=7, f1=0.5, provenance=provenance)
    return path


def invoked(command: object, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result


def test_from_configuration_to_model(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "short.toml"
    config.write_text(
        'mpp = 0.25\n[schedule]\nsteps = 1\nbatch_size = 1\ncrop_px = 64\n[[sets]]\nname = "bcdata"\nweight = 1\n'
    )
    run, out = tmp_path / "run", tmp_path / "models" / "mine"
    trained = invoked(train_command, config, "--data", data, "--out", run, "--device", "cpu")
    assert "step 1 of 1, loss" in trained.output
    assert "bcdata F1" in trained.output
    checkpoint = run / "checkpoint.safetensors"
    made = invoked(bundle, checkpoint, "--data", data, "--out", out, "--version", "7")
    model = read_bundle(out)
    model.verify()
    assert (model.name, model.version, model.model_mpp, model.halo_px) == ("mine", "7", 0.25, 64)
    assert f"f1_10px {' ' * 17}{model.metrics['f1_10px']:.4f}" in made.output
    assert model.training["settings_chosen_on"] == "bcdata validation, 2 images"
    assert TrainConfig.from_json(model.training["configuration"]).schedule.steps == 1
    # Averaged weights, rounded to half precision.
    weights = read_trained(checkpoint).weights
    for name, value in load_network(model).state_dict().items():
        assert torch.equal(
            value, weights[name].half().float() if value.is_floating_point() else weights[name]
        )


@pytest.mark.parametrize(
    ("options", "says"), [({"halo_px": -32}, "-32"), ({"halo_px": 50}, "50"), ({"version": " "}, "empty")]
)
def test_what_no_run_could_use_is_refused(
    data: Path, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    path = untrained(CONFIG, data, tmp_path / "best.safetensors")
    with pytest.raises(UsageError, match=says):
        bundle_checkpoint(path, data, tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_a_card_says_what_it_must_and_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    path = untrained(CONFIG, data, tmp_path / "best.safetensors")
    out = tmp_path / "tiny"
    bundle_checkpoint(path, data, out)
    card = (out / "README.md").read_text()
    model = read_bundle(out)
    for said in (
        "bcdata validation, 2 images; none of these images was trained on. ",
        "# tiny, version 1",
        "M_HRNet-w18 (9.7 million parameters)",
        "For research use only",
        "chosen on bcdata validation, 2 images",
        "| 2 | 2 | 10 / 14 / 0 | 0.25 | positive and negative everywhere; any nucleus near points | none stated |",
        "trained on bcdata: none stated (Huang et al.",
        "wsi-edt bundle RUN/best.safetensors --data DATA --out MODEL",
        "7 steps with wsi-edt",
        f"| f1_10px | {model.metrics['f1_10px']:g} |",
        "learning_rate = 0.001",
        f"those of the fingerprint {model.training['data']}",
    ):
        assert said in card, said
    toml = tmp_path / "again.toml"
    toml.write_text(card.split("```toml\n")[1].split("```")[0])
    assert read_config(toml) == CONFIG

    (out / "README.md").write_text("by hand")
    bundle_checkpoint(path, data, out, overwrite=True)
    assert (out / "README.md").read_text() == "by hand"
    bundle_checkpoint(path, data, out, overwrite=True, overwrite_card=True)
    assert (out / "README.md").read_text() == card


def test_a_checkpoint_that_does_not_say_what_its_data_were(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = untrained(CONFIG, data, tmp_path / "best.safetensors", noted=False)
    model = bundle_checkpoint(path, data, tmp_path / "model")
    assert "didn't note its data: whether they changed since isn't known" in caplog.text
    assert "data" not in model.training
    assert "fingerprint" not in (tmp_path / "model" / "README.md").read_text()


def test_settings_that_find_nothing_are_said(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = untrained(CONFIG, data, tmp_path / "best.safetensors")
    bundle_checkpoint(path, data, tmp_path / "model", threshold=1000.0)
    assert "these settings find no annotated cell (threshold 1000)" in caplog.text


def test_pictures_that_are_trained_on_under_another_name_are_said(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "bcdata", tmp_path / "data" / "bcdata")
    shutil.copy(data / "bcdata/images/train/0.png", tmp_path / "data/bcdata/images/validation/1.png")
    path = untrained(CONFIG, tmp_path / "data", tmp_path / "best.safetensors")
    bundle_checkpoint(path, tmp_path / "data", tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert (
        "the pictures of 1 image (images/validation/1.png) were trained on as well, under other names" in card
    )
    assert "none of these images was trained on" not in card


def test_sets_that_were_trained_on_need_not_be_there(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = changed(validation=[{"name": "held", "format": "bcdata", "split": "validation"}])
    shutil.copytree(data / "bcdata", tmp_path / "data" / "bcdata")
    shutil.copytree(data / "bcdata", tmp_path / "data" / "held")
    path = untrained(config, tmp_path / "data", tmp_path / "best.safetensors")
    shutil.rmtree(tmp_path / "data" / "bcdata" / "annotations" / "train" / "positive")
    bundle_checkpoint(path, tmp_path / "data", tmp_path / "damaged")
    assert "can't be compared with those of then: " in caplog.text
    assert "0.h5 is missing" in caplog.text
    caplog.clear()
    shutil.rmtree(tmp_path / "data" / "bcdata")
    bundle_checkpoint(path, tmp_path / "data", tmp_path / "model")
    assert not caplog.text


@pytest.mark.parametrize(
    ("names", "evidences", "counts"),
    [
        (("nucleus",), {"nucleus"}, "nuclei of any kind"),
        (("positive", "negative"), {"sum", "max"}, "positive and negative"),
    ],
)
def test_models_with_other_maps(
    data: Path, tmp_path: Path, names: tuple[str, ...], evidences: set[str], counts: str
) -> None:
    # The paper's unified map over bcdata: every annotated point is a nucleus, and no other place is one.
    sets = [{"name": "bcdata", "weight": 1.0, "nuclei": "everywhere"}]
    validation = [{"name": "bcdata", "nuclei": "everywhere"}]
    config = changed(maps={"names": names}, sets=sets, validation=validation)
    path = untrained(config, data, tmp_path / "best.safetensors")
    model = bundle_checkpoint(path, data, tmp_path / "model")
    assert model == read_bundle(tmp_path / "model")
    assert model.decode.maps == names
    assert model.decode.evidence in evidences
    assert model.network.maps == len(names)
    assert counts in model.counts
    assert "f1_10px" in model.metrics


def test_a_model_has_the_method_that_its_training_validated_with(data: Path, tmp_path: Path) -> None:
    config = changed(maps={"names": ("positive", "negative"), "target": "fidt", "method": "lmds"})
    path = untrained(config, data, tmp_path / "best.safetensors")
    model = bundle_checkpoint(path, data, tmp_path / "model")
    assert (model.decode.method, model.decode.window_px, model.decode.threshold) == ("lmds", 3, 100 / 255)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "above 0.392157 of the maximum (3×3 px window, LMDS)" in card
    assert "`wsi-edt run` refuses it" in card and "wsi-edt run SLIDES" not in card
    arguments = (path, "--data", data, "--out", tmp_path / "other", "--method", "peak_local_max")
    settled = ("--evidence", "separate", "--window", 5, "--threshold", 0.125, "--negative-gain", 1.25)
    made = invoked(bundle, *arguments, *settled)
    words = "other: peak_local_max, evidence separate, window 5 px, threshold 0.125, negative maps × 1.25"
    assert words in made.output
    other = read_bundle(tmp_path / "other").decode
    assert other == DecodeSettings(("positive", "negative"), "separate", 5, 0.125, "peak_local_max", 1.25)
    card = (tmp_path / "other" / "README.md").read_text()
    assert (
        "--method peak_local_max --evidence separate --window 5 --threshold 0.125 --negative-gain 1.25"
        in card
    )
    assert "the peaks of positive and of 1.25 · negative, each for itself, above 0.125" in card
    with pytest.raises(UsageError, match="evidence 'nucleus' needs the maps nucleus"):
        bundle_checkpoint(path, data, tmp_path / "none", evidence="nucleus")


def test_a_labs_own_labels_are_not_called_bcdatas(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "bcdata", tmp_path / "data" / "bcdata")
    (tmp_path / "data" / "ours" / "images").mkdir(parents=True)
    (tmp_path / "data" / "ours" / "points").mkdir()
    shutil.copy(data / "bcdata/images/train/0.png", tmp_path / "data/ours/images/a.png")
    (tmp_path / "data/ours/points/a.csv").write_text("class,x,y\npositive,3.5,4.5\n")
    ours = {"name": "ours", "format": "points", "weight": 1.0, "mpp": 0.25}
    path = untrained(changed(sets=[ours]), tmp_path / "data", tmp_path / "best.safetensors")
    counts = bundle_checkpoint(path, tmp_path / "data", tmp_path / "model").counts
    assert "BCData" not in counts
    assert "as its training sets mark them" in counts


def test_settings_by_cross_validation(data: Path, tmp_path: Path) -> None:
    folds = [
        untrained(
            changed(folds={"count": 2, "index": index}, seed=index),
            data,
            tmp_path / f"{index}" / "best.safetensors",
        )
        for index in range(2)
    ]
    everything = changed(sets=[{"name": "bcdata", "weight": 1.0, "split": "all"}], validation=())
    path = untrained(everything, data, tmp_path / "all.safetensors")
    with pytest.raises(UsageError, match=r"without \[\[validation\]\].* with --fold"):
        bundle_checkpoint(path, data, tmp_path / "model")
    with pytest.raises(UsageError, match="only 1 of 2 folds are given"):
        bundle_checkpoint(path, data, tmp_path / "model", folds=folds[:1])
    with pytest.raises(UsageError, match="is fold 0 of 2, which doesn't fit"):
        bundle_checkpoint(path, data, tmp_path / "model", folds=[folds[0], folds[0]])
    with pytest.raises(UsageError, match=r"all\.safetensors isn't a fold"):
        bundle_checkpoint(path, data, tmp_path / "model", folds=[path])
    model = bundle_checkpoint(path, data, tmp_path / "model", folds=folds)
    assert model.training["settings_chosen_on"] == "bcdata, cross-validation in 2 groups of cases, 4 images"
