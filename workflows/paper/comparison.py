"""What the paper's tables share: a row is a network, a target and a way of decoding; all rows have one budget.

A training lies in a folder of its own below OUT/<budget>/, named by what it is, so that tables share trainings: CSRNet on
EDT maps is trained once for Tables 2 to 5. Its scores, one for each way of decoding, lie beside its checkpoint. Whatever is
there isn't made again, and several processes may work on one table: each takes trainings that no other holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from divisions import Part
from filelock import FileLock, Timeout
from tally import Tally
from ways import best_settings, words_of

from wsi_edt.detection.compute import Device
from wsi_edt.evaluation.predictions import PredictedImage, Predictor
from wsi_edt.files import write_atomically, writing
from wsi_edt.networks.registry import ARCHITECTURES
from wsi_edt.training import train
from wsi_edt.training.checkpoint import network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.progress import LogRow, NoProgress, TrainingProgress
from wsi_edt.training.validation import predictor_of

SCORES = "scores.json"
NOTED_STEPS = 100
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """What every training of a table may cost.

    Attributes
    ----------
    name : of the folder that holds the trainings
    batch_size, crop_px, learning_rate, decay : see `Schedule`
    steps : of each training; None: `epochs` of the images
    epochs : passes over the training images
    hrnet_width : of the HRNets; the paper's is 48
    cases : of each role at most; None: all
    shrink : images are seen so many times smaller than the paper's
    """

    name: str
    batch_size: int
    crop_px: int
    learning_rate: float
    decay: str = "step"
    steps: int | None = None
    epochs: int = 0
    hrnet_width: int = 48
    cases: int | None = None
    shrink: float = 1.0

    def steps_for(self, images: int) -> int:
        """How many steps a training on that many images takes."""
        return self.steps or max(1, self.epochs * images // self.batch_size)


# The paper: whole images of 512 px, Adam, 1e-4, a tenth of it after 200 epochs. It doesn't say after how many it ends.
PAPER = Budget("paper", batch_size=4, crop_px=512, learning_rate=1e-4, epochs=300)
# For a few images, such as the part of BCData that comes with this program's development.
NIGHT = Budget(
    "night", batch_size=8, crop_px=128, learning_rate=1e-3, decay="cosine", steps=240, hrnet_width=18
)
SMOKE = Budget(
    "smoke", batch_size=2, crop_px=64, learning_rate=1e-3, steps=3, hrnet_width=18, cases=2, shrink=2.0
)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A line of a table.

    Attributes
    ----------
    label : as in the paper
    network : its architecture
    options : further entries of ``[network]``
    target : entries of ``[maps]``, such as target = "edt"
    method : from maps to cells, a key of `METHODS`
    published : the paper's figures by the columns' names; those that we don't know are missing
    """

    label: str
    network: str
    options: Mapping[str, object] = field(default_factory=dict)
    target: Mapping[str, object] = field(default_factory=lambda: {"target": "edt"})
    method: str = "ccls"
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        """Whether the program has that network."""
        return self.network in ARCHITECTURES


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """One network, trained once.

    Attributes
    ----------
    part : of the data
    row : whose network and target it has
    maps : names of the maps: ("nucleus",) for all cells in one, ("positive", "negative") for separate prediction
    budget : what it may cost
    seed : of weights and crops
    """

    part: Part
    row: Row
    maps: tuple[str, ...]
    budget: Budget
    seed: int

    @property
    def name(self) -> str:
        """Of its folder: what it is."""
        wide = self.network.get("width")
        words = [
            self.row.network + (f"-w{wide}" if wide else ""),
            f"{len(self.maps)}-map" + "s" * (len(self.maps) > 1),
        ]
        for key, value in {**self.row.options, **self.row.target}.items():
            words.append(str(value) if key == "target" else f"{key}-{value}")
        return "/".join((f"{self.part.data.name}-{self.part.name}", "-".join([*words, f"seed-{self.seed}"])))

    @property
    def network(self) -> dict[str, object]:
        """The ``[network]`` table."""
        wide = {"width": self.budget.hrnet_width} if self.row.network.endswith("hrnet") else {}
        return {"architecture": self.row.network, **wide, **self.row.options}

    @property
    def identity(self) -> str:
        """Of what is trained on which images, and tested on which, by their names."""
        facts = (self.config().to_json(), self.part.choose, self.part.test)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def config(self) -> TrainConfig:
        """The whole configuration."""
        budget, part = self.budget, self.part
        steps = budget.steps_for(len(part.train))
        return TrainConfig.model_validate(
            {
                "seed": self.seed,
                "mpp": part.data.mpp * budget.shrink,
                "network": self.network,
                "maps": {"names": self.maps, "clamp": False, **self.row.target},
                "augmentation": dict.fromkeys(
                    ("scale", "stain", "hue", "gamma", "blur", "sharpen", "jpeg"), 0.0
                ),
                "schedule": {
                    "steps": steps,
                    "epoch_steps": min(steps, 100),
                    "batch_size": budget.batch_size,
                    "crop_px": budget.crop_px,
                    "learning_rate": budget.learning_rate,
                    "decay": budget.decay,
                    "weight_decay": 0.0,
                },
                "sets": [part.data.entries | {"weight": 1.0, "cases": part.train}],
                "validation": [],
            }
        )


class Steps(NoProgress):
    """Notes how far a training is, now and then."""

    def __init__(self, note: Note) -> None:
        self._note, self._steps = note, 0

    def begun(self, *, step: int, steps: int) -> None:
        """Note what lies ahead."""
        self._steps = steps
        if step < steps:
            self._note(f"  {steps} steps of training" + (f", from step {step}" if step else ""))

    def logged(self, row: LogRow) -> None:
        """Note every hundredth step."""
        if row.step % NOTED_STEPS == 0:
            self._note(f"  step {row.step} of {self._steps}, {row.seconds:.0f} s")

    def note(self, line: str) -> None:
        """Pass it on."""
        self._note(f"  {line}")


def scores_of(
    training: Training,
    methods: Sequence[str],
    data: Path,
    out: Path,
    *,
    device: Device,
    note: Note = lambda words: None,
) -> dict[str, Tally]:
    """How well a training's network does with each way of decoding; it is trained, or decoded, where that wasn't done."""
    folder = out / training.budget.name / training.name
    found, why = _read(folder / SCORES, training, data)
    if why:
        note(f"  {folder / SCORES} {why}: it is made again")
    missing = [method for method in methods if method not in found]
    if not missing:
        return found
    predictor = predictor_for(training, data, out, device=device, progress=Steps(note))
    chosen_on = [predictor.predict(image) for image in training.part.images("choose", data)]
    settings = {method: best_settings(chosen_on, method) for method in missing}
    del chosen_on
    sums = {method: Tally() for method in missing}
    for image in training.part.images(
        "test", data
    ):  # one by one: the maps of a thousand images fill the memory
        predicted: PredictedImage = predictor.predict(image)
        for method in missing:
            sums[method] += Tally.of(predicted, settings[method])
    for method in missing:
        found[method] = replace(sums[method], ways=(words_of(settings[method]),))
    scores = {name: asdict(one) for name, one in found.items()}
    entries = {"training": training.identity, "data": training.part.digest(data), "scores": scores}
    write_atomically(folder / SCORES, json.dumps(entries, indent=1).encode())
    return found


def predictor_for(
    training: Training, data: Path, out: Path, *, device: Device, progress: TrainingProgress | None = None
) -> Predictor:
    """The training's network; it is trained, or trained to the end, if it isn't yet."""
    config, folder = training.config(), out / training.budget.name / training.name
    trained = read_trained(train(config, data, folder, device=device, progress=progress))
    return predictor_of(network_of(config, trained.weights).to(device), config)


def run_all(
    wanted: Sequence[tuple[Training, str]], data: Path, out: Path, *, device: Device, note: Note
) -> dict[str, dict[str, Tally]]:
    """The scores of every training, by its name and the method's. What another process holds is waited for at the end."""
    trainings = {training.name: training for training, _ in wanted}
    methods = {name: {method for training, method in wanted if training.name == name} for name in trainings}
    found: dict[str, dict[str, Tally]] = {}
    for patience in (0.0, -1.0):  # at first none, then without end
        for name, training in trainings.items():
            if name in found:
                continue
            lock = out / training.budget.name / f"{name}.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(lock, timeout=patience):
                    note(f"{len(found) + 1} of {len(trainings)}: {name}")
                    found[name] = scores_of(
                        training, sorted(methods[name]), data, out, device=device, note=note
                    )
            except Timeout:
                note(f"another process has {name}")
    return found


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Let one process at a time write results there: those that shared the trainings end together."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "results.lock"):
        yield


def _read(path: Path, training: Training, data: Path) -> tuple[dict[str, Tally], str]:
    """The scores in a file by method and, if it has none that count, why."""
    if not path.exists():
        return {}, ""
    try:
        entries: dict[str, Any] = json.loads(path.read_bytes())
        same_training, same_data = (
            entries["training"] == training.identity,
            entries["data"] == training.part.digest(data),
        )
        found = {name: Tally.from_json(own) for name, own in entries["scores"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, "can't be read as scores"
    if not same_training:
        return {}, "is of another training, or of other images"
    return (found, "") if same_data else ({}, "is of images whose px or points have changed")
