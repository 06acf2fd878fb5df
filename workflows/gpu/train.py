"""The stage `train`: continues from the packed model for as long as there is time, and leaves weights whatever happens.

A few steps show how many will fit; then `wsi-edt train` makes them. After each better validation, and at the end, the
averaged weights are written as parts (see parts.py), so that a training that is cut off leaves those.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit
from parts import write_parts
from supervise import Ended, Stopped, read_figures, run_within, stoppable, write_figures

from wsi_edt.errors import WsiEdtError
from wsi_edt.training.checkpoint import BEST, CHECKPOINT, read_trained

ROOT = Path(__file__).resolve().parents[2]
CLI = "from wsi_edt.cli.main import main; main()"
PROBE_STEPS = 60  # rows of the log come every 20: the first has the warm-up in it
PROBE_SHARE = 0.4  # of the time, at most
LAST_SECONDS = 15.0  # to write the last weights
SAFE_SHARE = 0.93  # of the steps that would fit: a machine isn't equally fast all the time
MOST_EPOCHS, VALIDATION_SHARE = 6, 0.15
LOOK_AT_CARD_SECONDS = 3.0
SMOKE = {"batch_size": 2, "crop_px": 64, "warmup_steps": 1}
SMOKE_PROBE_STEPS, SMOKE_STEPS = 1, 2
SHOWN_LOSSES = 40

Entries = dict[str, object]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a training went.

    Attributes
    ----------
    steps_per_second : once it was under way; None if no step was logged
    overhead_seconds : before the first step
    epoch_seconds : what the end of an epoch takes: validation and storing
    """

    steps_per_second: float | None
    overhead_seconds: float
    epoch_seconds: float

    def steps_in(self, seconds: float) -> tuple[int, int]:
        """How many steps fit, and after how many of them an epoch should end."""
        assert self.steps_per_second is not None
        left = seconds - self.overhead_seconds
        affordable = int(VALIDATION_SHARE * left / max(self.epoch_seconds, 0.1))
        epochs = min(max(affordable, 1), MOST_EPOCHS)
        steps = int(SAFE_SHARE * self.steps_per_second * (left - epochs * self.epoch_seconds))
        each = max(1, math.ceil(max(steps, 1) / epochs))
        return max(steps, 1), each


def rows_of(path: Path) -> list[dict[str, float]]:
    """The rows of a training's log, without one that is still being written."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        with suppress(TypeError, ValueError):
            found.append({name: float(value) for name, value in row.items() if name is not None})
    return found


def pace_of(rows: list[dict[str, float]], *, wall: float, ended_after_row: float) -> Pace:
    """The pace of a training that took `wall` seconds, `ended_after_row` of them after its last logged step."""
    if not rows:
        return Pace(None, wall, 0.0)
    first, last = rows[0], rows[-1]
    if last["step"] > first["step"]:
        rate = (last["step"] - first["step"]) / max(last["seconds"] - first["seconds"], 1e-3)
    else:
        rate = last["step"] / max(last["seconds"], 1e-3)
    warming = max(last["seconds"] - last["step"] / rate, 0.0)
    overhead = max(wall - ended_after_row - last["seconds"], 0.0) + warming
    return Pace(rate, overhead, ended_after_row)


@dataclass(slots=True)
class Training:
    """The stage.

    Attributes
    ----------
    pack, work, out : folders of what is read, of temporary files, of the weights
    figures : the file of the figures
    device : that trains
    end : monotonic seconds
    smoke : tiny sizes, on a CPU
    found : the figures
    """

    pack: Path
    work: Path
    out: Path
    figures: Path
    device: str
    end: float
    smoke: bool
    found: Entries = field(default_factory=dict)
    _written: float = field(init=False, default=0.0)
    _card: list[tuple[float, float]] = field(init=False, default_factory=list)
    _looked: float = field(init=False, default=0.0)

    def run(self) -> bool:
        """Measure, train, write the weights; whether all of it went well."""
        entries = tomllib.loads((self.pack / "train.toml").read_text(encoding="utf-8"))
        schedule: Entries = entries["schedule"] | (SMOKE if self.smoke else {})
        self.found["batch_size"], self.found["crop_px"] = schedule["batch_size"], schedule["crop_px"]
        pace = self._probe(entries, schedule)
        if pace.steps_per_second is None:
            print(
                "the pace is unknown: the configuration's own steps are made, as far as time allows",
                flush=True,
            )
        else:
            steps, each = pace.steps_in(self.end - LAST_SECONDS - time.monotonic())
            if self.smoke:
                steps = each = min(steps, SMOKE_STEPS)
            warm_up = min(int(str(schedule["warmup_steps"])), max(1, steps // 10))
            schedule |= {"steps": steps, "epoch_steps": each, "warmup_steps": warm_up}
            print(f"{pace}: {steps} steps, an epoch is {each}", flush=True)
        self.found["steps_planned"] = schedule["steps"]
        ended = self._wsi_edt("training", entries | {"schedule": schedule}, LAST_SECONDS)
        self._export()
        self._report()
        return ended.status == "done" and "parts" in self.found

    def finish(self) -> None:
        """Write what there is after the training was cut off."""
        self._export()
        self._report()

    def _probe(self, entries: Entries, schedule: Entries) -> Pace:
        steps = SMOKE_PROBE_STEPS if self.smoke else PROBE_STEPS
        short = schedule | {"steps": steps, "epoch_steps": steps, "warmup_steps": 1}
        left = self.end - time.monotonic()
        ended = self._wsi_edt("probe", entries | {"schedule": short}, (1 - PROBE_SHARE) * left)
        log = self.work / "probe" / "log.csv"
        after = time.time() - log.stat().st_mtime if log.is_file() and ended.status == "done" else 0.0
        pace = pace_of(rows_of(log), wall=ended.seconds, ended_after_row=after)
        self.found["probe"] = {
            "status": ended.status,
            "seconds": round(ended.seconds, 1),
            "steps_per_second": pace.steps_per_second and round(pace.steps_per_second, 3),
            "overhead_seconds": round(pace.overhead_seconds, 1),
            "epoch_seconds": round(pace.epoch_seconds, 1),
        }
        self._report()
        return pace

    def _wsi_edt(self, name: str, entries: Entries, spare: float) -> Ended:
        """Train into the folder of that name, until `spare` seconds before the end."""
        config, log = self.work / f"{name}.toml", self.work / f"{name}.log"
        config.write_text(tomlkit.dumps(entries), encoding="utf-8")
        words = ["-c", CLI, "train", config, "--data", self.pack / "sets", "--out", self.work / name]
        words += ["--device", self.device]
        if (self.pack / "init").is_dir():
            words += ["--init", self.pack / "init"]
        try:
            return run_within(
                [sys.executable, *map(str, words)],
                max(self.end - spare - time.monotonic(), 1.0),
                log=log,
                folder=ROOT,
                meanwhile=self._look if name == "training" else None,
            )
        finally:
            print(f"--- {name}\n{log.read_text(encoding='utf-8', errors='replace')}", flush=True)

    def _look(self) -> None:
        """Write weights that are better than the last; look at the card."""
        best = self.work / "training" / BEST
        if best.is_file() and best.stat().st_mtime != self._written:
            self._export()
            self._report()
        if self.device == "cuda" and time.monotonic() - self._looked > LOOK_AT_CARD_SECONDS:
            self._looked = time.monotonic()
            self._card += card_now()

    def _export(self) -> None:
        """Write the best averaged weights, or the last ones if none was validated."""
        found = [self.work / "training" / name for name in (BEST, CHECKPOINT)]
        path = next((candidate for candidate in found if candidate.is_file()), None)
        if path is None or path.stat().st_mtime == self._written:
            return
        written = path.stat().st_mtime
        try:
            trained = read_trained(path)
        except WsiEdtError as error:
            print(error, flush=True)
            return
        f1 = [row["f1"] for row in self._validations() if row["step"] == trained.step]
        about = {
            "step": trained.step,
            # Without the fingerprint, a line for each image: the packed images aren't those that `bundle` reads.
            "provenance": trained.provenance.model_dump(mode="json", exclude={"data"}),
            "f1": f1[-1] if f1 else None,
            "origin": read_figures(self.pack / "origin.json") or None,
        }
        paths = write_parts(trained.weights, self.out, about=about)
        self._written = written
        self.found["parts"] = {one.name: one.stat().st_size for one in paths}
        self.found["weights"] = f"{path.stem}, after {trained.step} steps"

    def _validations(self) -> list[dict[str, float]]:
        return rows_of(self.work / "training" / "validation.csv")

    def _report(self) -> None:
        """Write the figures so far."""
        rows, validations = rows_of(self.work / "training" / "log.csv"), self._validations()
        if rows:
            pace = pace_of(rows, wall=rows[-1]["seconds"], ended_after_row=0.0)
            batch = int(str(self.found["batch_size"]))
            every = max(1, len(rows) // SHOWN_LOSSES)
            self.found |= {
                "steps": int(rows[-1]["step"]),
                "crops_per_second": round(batch * _median_rate(rows, pace), 1),
                "crops_per_second_with_validation": round(batch * rows[-1]["step"] / rows[-1]["seconds"], 1),
                "losses": [[int(row["step"]), round(row["loss"], 6)] for row in rows[::every]],
                "validation": validations,
            }
        if self._card:
            busy, memory = zip(*self._card, strict=True)
            self.found["card"] = {
                "busy_percent_mean": round(sum(busy) / len(busy), 1),
                "memory_mib_most": max(memory),
            }
        self.found["summary"] = summary_of(self.found)
        write_figures(self.figures, self.found)
        for name in ("log.csv", "validation.csv"):
            with suppress(OSError):
                shutil.copyfile(self.work / "training" / name, self.figures.with_name(f"train-{name}"))


def _median_rate(rows: list[dict[str, float]], pace: Pace) -> float:
    """The median of steps a second between logged rows, since validations lie between some."""
    rates = sorted(
        (later["step"] - one["step"]) / max(later["seconds"] - one["seconds"], 1e-3)
        for one, later in itertools.pairwise(rows)
    )
    return rates[len(rates) // 2] if rates else pace.steps_per_second or 0.0


def card_now() -> list[tuple[float, float]]:
    """The first card's load in percent and used memory in MiB, as nvidia-smi says; empty without it."""
    tool = shutil.which("nvidia-smi", path=f"{os.environ.get('PATH', '')}:/usr/local/nvidia/bin")
    if tool is None:
        return []
    query = [tool, "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        line = subprocess.run(
            query, capture_output=True, text=True, timeout=5, check=True
        ).stdout.splitlines()[0]
        busy, memory = map(float, line.split(","))
        return [(busy, memory)]
    return []


def summary_of(found: Mapping[str, object]) -> str:
    """The most important figures in one line."""
    words = []
    if "steps" in found:
        words.append(f"{found['steps']} of {found.get('steps_planned')} steps of {found['batch_size']} crops")
        words.append(f"{found['crops_per_second']:,} crops/s")
    losses, validation, card = (found.get(name) for name in ("losses", "validation", "card"))
    if isinstance(losses, list) and losses:
        words.append(f"loss {losses[0][1]:g} → {losses[-1][1]:g}")
    if isinstance(validation, list) and validation:
        best = max(validation, key=lambda row: row["f1"])
        words.append(f"F1 {best['f1']:.4f} at step {best['step']:.0f}, last {validation[-1]['f1']:.4f}")
    if isinstance(card, dict):
        words.append(f"card {card['busy_percent_mean']:.0f} % busy")
    words.append(f"weights: {found['weights']}" if "weights" in found else "no weights yet")
    return "; ".join(words)


def main() -> int:
    """Train; 0 if it was completed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("pack", "work", "out", "figures"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    options.work.mkdir(parents=True, exist_ok=True)
    training = Training(
        options.pack, options.work, options.out, options.figures, options.device, end, options.smoke
    )
    try:
        with stoppable():
            return 0 if training.run() else 1
    except Stopped as stop:
        print(f"ended from outside by {stop}", flush=True)
        training.finish()
        return 1


if __name__ == "__main__":
    sys.exit(main())
