"""The training: batches → losses → optimiser → average; each epoch is validated, logged and stored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from torch import Tensor

from wsi_edt.bundles import find_bundle
from wsi_edt.detection.compute import Device, resolve_precision
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.files import writing
from wsi_edt.networks import build_network
from wsi_edt.training.batches import BatchMaker
from wsi_edt.training.checkpoint import (
    BEST,
    CHECKPOINT,
    TrainingState,
    best_f1,
    load_checkpoint,
    read_header,
    save_best,
    save_checkpoint,
)
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.identity import refuse_another_configuration, refuse_other_data
from wsi_edt.training.logbook import Logbook
from wsi_edt.training.material import Material, read_material
from wsi_edt.training.optimisation import Optimizer, WeightAverage, learning_rate
from wsi_edt.training.pictures import choose_tiles, draw_predictions
from wsi_edt.training.progress import LogRow, NoProgress, TrainingProgress
from wsi_edt.training.provenance import Provenance, provenance_of
from wsi_edt.training.starting import start_from
from wsi_edt.training.stepping import build_step
from wsi_edt.training.validation import initial_settings, predictor_of, validate

LOG_STEPS = 20  # at most, between rows of the log


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    device: Device = "cpu",
    progress: TrainingProgress | None = None,
) -> Path:
    """Train until the last step, continuing from the checkpoint in `out` if there is one, and return its path.

    A checkpoint is continued only with the configuration, the data and the first model with which it was begun, wherever
    they lie now; one of version 0.1.0 doesn't say what its data were, which is noted.

    Everything random comes from the seed and the step: a training that was killed and continued ends with the same bytes
    as one that wasn't, on one kind of CPU with one number of threads. On a GPU the batches are the same but for rounding,
    and some kernels add in no fixed order: weights differ a little each time. Mixed precision (bfloat16) is used if the
    hardware multiplies in it.

    Parameters
    ----------
    config : what to train, on which sets
    data : the folder that holds the sets' folders
    out : where the checkpoints, logs and pictures go
    device : "cpu" or "cuda"
    progress : is told how far the training is

    Raises
    ------
    AnnotationError, UsageError
        If sets can't be read or don't fit the configuration, or the device isn't here.
    ModelError
        If `init` doesn't fit, `out` belongs to another configuration or to other data, or the loss became NaN or infinite.
    OutputError
        If `out` can't be written.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available to torch here", remedy="choose the device cpu")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    begun = [path for path in (out / CHECKPOINT, out / BEST) if path.exists()]
    for path in begun:
        refuse_another_configuration(path, read_header(path).provenance, config)
    material = read_material(config, data)
    for path in begun:
        refuse_other_data(path, read_header(path).provenance, material.fingerprint)
    with _fastest_kernels(device):
        _Training(config, material, out, device=device, progress=progress or NoProgress()).run()
    return out / CHECKPOINT


class _Training:
    """One call of `train`."""

    def __init__(
        self,
        config: TrainConfig,
        material: Material,
        out: Path,
        *,
        device: Device,
        progress: TrainingProgress,
    ) -> None:
        self._config, self._material, self._out = config, material, out
        self._device, self._progress = device, progress
        # On a processor that only emulates bfloat16, a step in it took seven times as long as in float32.
        self._mixed = resolve_precision("auto", device=device) == "bf16"
        self._checkpoint, self._best = out / CHECKPOINT, out / BEST
        self._state, self._step, self._provenance = self._restored()
        self._tiles = choose_tiles(material.validation, model_mpp=config.mpp)

    def run(self) -> None:
        schedule = self._config.schedule
        self._progress.begun(step=self._step, steps=schedule.steps)
        twins = self._material.fingerprint.twins
        if twins:
            self._progress.note(f"F1 flatters: {twins} of [[validation]] also trained on, under other names")
        if self._step >= schedule.steps:
            self._progress.note(f"all {schedule.steps} steps were made already: nothing is left to train")
        maker = BatchMaker(self._config, self._material, device=self._device)
        batch = maker.empty()
        step = build_step(self._state, batch, self._config.loss, mixed=self._mixed, note=self._progress.note)
        with (
            Logbook(self._out, step=self._step) as logbook,
            closing(maker.fillings(batch, self._step)) as fillings,
        ):
            means = _Means()
            begun = time.monotonic() - logbook.seconds
            for _ in fillings:
                rate = learning_rate(schedule, self._step)
                means.add(step(rate=rate))
                self._step += 1
                self._state.average.update(ema_decay=schedule.ema_decay, step=self._step)
                self._progress.advanced(self._step)
                epoch_ends = self._step % schedule.epoch_steps == 0 or self._step == schedule.steps
                if epoch_ends or self._step % LOG_STEPS == 0:
                    row = means.row(step=self._step, rate=rate, seconds=time.monotonic() - begun)
                    self._refuse_divergence(row)
                    logbook.training(row)
                    self._progress.logged(row)
                    means = _Means()
                if epoch_ends:
                    self._end_epoch(logbook)

    def _restored(self) -> tuple[TrainingState, int, Provenance]:
        """The state to continue from: the checkpoint's, that of the model to start from, or a random one."""
        config = self._config
        torch.manual_seed(config.seed)
        network = build_network(config.spec)
        resumes = self._checkpoint.exists()
        init = find_bundle(config.init) if config.init and not resumes else None
        if init is not None:
            start_from(init, network, config)
        network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train(not config.schedule.frozen_norms)
        state = TrainingState(network, WeightAverage(network), Optimizer(network, config.schedule))
        if resumes:
            resumed = load_checkpoint(self._checkpoint, state)
            return state, resumed.step, self._with_data(resumed.provenance)
        material = self._material
        return state, 0, provenance_of(config, material.training, init, data=material.fingerprint)

    def _with_data(self, provenance: Provenance) -> Provenance:
        """The provenance of a checkpoint, which from now on says what the data are."""
        if provenance.data is not None:
            return provenance
        self._progress.note(
            "this training was begun by a version that didn't note its data: whether they changed since isn't known"
        )
        return provenance.model_copy(update={"data": self._material.fingerprint})

    def _refuse_divergence(self, row: LogRow) -> None:
        # Both: a gradient that isn't finite spoils the weights from which the next loss comes.
        if not all(torch.isfinite(torch.tensor([row.loss, row.gradient_norm]))):
            raise ModelError(
                f"the loss became NaN or infinite by step {row.step}",
                remedy=f"lower schedule.learning_rate ({self._config.schedule.learning_rate:g}) and train into an empty "
                "folder",
            )

    def _end_epoch(self, logbook: Logbook) -> None:
        """Validate, then store. The checkpoint comes last: after a kill the epoch is repeated, and finds the same best."""
        config, step, provenance = self._config, self._step, self._provenance
        if self._material.validation:
            predictor = predictor_of(self._state.average.network, config)
            method = config.maps.method
            result = validate(predictor, self._material.validation, method=method)
            settings = initial_settings(config.maps.names, method=method, threshold=result.threshold)
            pictures = draw_predictions(predictor, self._tiles, settings)
            logbook.validation(step, result, pictures)
            for one in result.sets:
                self._progress.note(f"step {step}: {one}")
            if result.f1 > best_f1(self._best):
                save_best(self._best, self._state, step=step, f1=result.f1, provenance=provenance)
                logbook.best(step, pictures)
        save_checkpoint(self._checkpoint, self._state, step=step, provenance=provenance)


class _Means:
    """Means over some steps. The sums stay on the device: looking at each step's numbers would make a GPU wait."""

    def __init__(self) -> None:
        self._steps, self._sums = 0, torch.zeros(())

    def add(self, values: Tensor) -> None:
        """Values (3,), which the next step overwrites."""
        self._sums = self._sums + values if self._steps else values.clone()
        self._steps += 1

    def row(self, *, step: int, rate: float, seconds: float) -> LogRow:
        loss, inconsistency, norm = (self._sums / self._steps).tolist()
        return LogRow(step, loss, inconsistency, norm, rate, seconds)


@contextmanager
def _fastest_kernels(device: str) -> Iterator[None]:
    """Within it, a GPU tries convolutions and takes the fastest: sizes stay the same throughout a training."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
