"""All GPU stages in one command: each within its time, its figures on the disk as soon as it ends.

Needs only the standard library, since the first stage installs the rest. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

from supervise import Status, Stopped, markdown_tables, read_figures, run_within, stoppable, write_figures

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOTAL_SECONDS = 570.0
LAST_SECONDS = 8.0  # of them, to end the last stage and write the table
LEAST_SECONDS = 3.0  # with less, a stage isn't started
TRAINING_GRACE = 12.0  # a training that is cut off still writes its weights
SHOWN_LINES = 15  # of a failed stage's log
Command = Callable[[str, Path, float], Sequence[str]]
PACKED = frozenset({"install", "slide", "train"})  # stages that need the pack
FIGURES, TABLE, LOGS = "figures.json", "table.txt", "logs.tar.gz"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run.

    Attributes
    ----------
    name : of the stage, its log and its figures
    seconds : that it may take
    command : made from the Python that has everything, the path of its figures, and the seconds that it has
    of_log : figures from its log, for a command that writes none
    excuse : a failure with this text in its log counts as skipped
    grace : seconds to end in, once its time is up
    """

    name: str
    seconds: float
    command: Command
    of_log: Callable[[str], dict[str, object]] | None = None
    excuse: str | None = None
    grace: float = 5.0


@dataclass(slots=True)
class Record:
    """How a stage went; `figures` has a `summary`, one line for the table."""

    stage: str
    status: Status
    seconds: float
    figures: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Results:
    """The results folder: after each stage it holds all that is known. Few files, since few may come back."""

    out: Path
    work: Path
    records: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take a stage's record and write everything anew."""
        self.records.append(record)
        self.write()

    def write(self) -> None:
        """Write the figures, the table and all logs."""
        write_figures(self.out / FIGURES, {"stages": [asdict(record) for record in self.records]})
        (self.out / TABLE).write_text(self.table() + "\n", encoding="utf-8")
        half = self.work / LOGS
        with tarfile.open(half, "w:gz") as archive:
            for path in sorted(
                [*self.work.glob("*.log"), *self.work.glob("*.json"), *self.work.glob("*.csv")]
            ):
                archive.add(path, path.name)
        shutil.copyfile(half, self.out / LOGS)

    def table(self) -> str:
        """A table of all stages: name, how it ended, seconds, figures."""
        rows = [("stage", "status", "seconds", "figures"), ("---", "---", "---:", "---")]
        rows += [
            (one.stage, one.status, f"{one.seconds:.0f}", str(one.figures.get("summary", "")))
            for one in self.records
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(
            f"| {row[0]:{widths[0]}} | {row[1]:{widths[1]}} | {row[2]:>{widths[2]}} | {row[3]} |"
            for row in rows
        )


def run_stages(stages: Sequence[Stage], out: Path, *, work: Path, python: str, total: float) -> Results:
    """Run the stages one after the other; a failed one doesn't stop the next.

    Parameters
    ----------
    stages : in order
    out : the results folder, made if missing
    work : a folder for what doesn't come back
    python : runs the stages, until one of them names another in its figures
    total : seconds for all of them
    """
    out.mkdir(parents=True, exist_ok=True)
    results = Results(out, work)
    end = time.monotonic() + total - LAST_SECONDS
    try:
        for stage in stages:
            seconds = min(stage.seconds, end - time.monotonic() - stage.grace)
            if seconds < LEAST_SECONDS:
                results.add(Record(stage.name, "out of time", 0.0, {"summary": "not started"}))
                continue
            record = _run_stage(stage, seconds, work=work, python=python)
            results.add(record)
            python = str(record.figures.get("python", python))
            _tell(record, work / f"{stage.name}.log")
    except Stopped as stop:
        results.add(Record("all", "stopped", 0.0, {"summary": f"ended from outside by {stop}"}))
    return results


def _run_stage(stage: Stage, seconds: float, *, work: Path, python: str) -> Record:
    log, figures = work / f"{stage.name}.log", work / f"{stage.name}.json"
    ended = run_within(
        stage.command(python, figures, seconds),
        seconds,
        log=log,
        environment={"PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg", "TERM": "dumb"},
        folder=ROOT,
        own_group=True,
        grace=stage.grace,
    )
    text = log.read_text(encoding="utf-8", errors="replace")
    found = read_figures(figures) or (stage.of_log(text) if stage.of_log else {})
    status = ended.status
    if status == "failed" and stage.excuse and stage.excuse in text:
        status, found = "skipped", {"summary": stage.excuse}
    if status != "done" and "summary" not in found:
        lines = [line for line in text.splitlines() if line.strip()]
        found["summary"] = lines[-1][:200] if lines else "it printed nothing"
    return Record(stage.name, status, ended.seconds, found)


def _tell(record: Record, log: Path) -> None:
    print(f"{record.stage}: {record.status} in {record.seconds:.0f} s; {record.figures.get('summary', '')}")
    if record.status not in ("done", "skipped"):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(f"    {line[:200]}" for line in lines[-SHOWN_LINES:]))
    sys.stdout.flush()


def rates_of_log(text: str) -> dict[str, object]:
    """The rates that workflows/benchmarks/gpu.py printed, and the best one of the whole detector."""
    rows = markdown_tables(text)
    found: dict[str, object] = {"rows": rows}
    head = next((line for line in text.splitlines() if "TFLOP/s" in line), "")
    with_detect = [
        row for row in rows if "detect" in next(iter(row.values()), "") and _number(row.get("s/mm²"))
    ]
    best = min(with_detect, key=lambda row: _number(row["s/mm²"]), default={})
    words = [head, f"detect {best['s/mm²']} s/mm²" if best else ""]
    return found | {"summary": "; ".join(word for word in words if word)} if rows else {}


def _number(text: str | None) -> float:
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return 0.0


def stages_of(*, pack: Path, out: Path, work: Path, smoke: bool) -> dict[str, Stage]:
    """All stages by name, in order; `smoke` makes each small enough for a CPU."""
    device = "cpu" if smoke else "cuda"
    tiny = ["--smoke"] if smoke else []

    def script(name: str, *options: object, timed: bool = False) -> Command:
        def command(python: str, figures: Path, seconds: float) -> list[str]:
            time_left = ["--seconds", f"{seconds:.0f}"] if timed else []
            words = [str(option) for option in options]
            return [python, str(HERE / name), "--figures", str(figures), *words, *time_left, *tiny]

        return command

    def rates(python: str, figures: Path, seconds: float) -> list[str]:
        return [python, str(ROOT / "workflows" / "benchmarks" / "gpu.py")]

    slide = ("--pack", pack, "--work", work / "slide", "--device", device)
    training = ("--pack", pack, "--work", work / "training", "--device", device, "--out", out)
    found = (
        # It took 20 s. Nothing else runs without it: on a slow disk it may take from the training's time.
        Stage("install", 120.0 if smoke else 75.0, script("install.py", "--pack", pack, "--work", work)),
        Stage("tests", 60.0, script("run_tests.py")),
        Stage("gpu", 70.0, rates, rates_of_log, "torch sees no GPU here" if smoke else None),
        Stage("slide", 300.0 if smoke else 120.0, script("slide.py", *slide, timed=True)),
        Stage("train", 270.0, script("train.py", *training, timed=True), grace=TRAINING_GRACE),
    )
    return {stage.name: stage for stage in found}


def main() -> int:
    """Run the stages and print their table; 0 if all succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "out", nargs="?", default=os.environ.get("OUT"), help="the results folder; default: $OUT"
    )
    parser.add_argument("--pack", type=Path, default=ROOT / "gpu-pack", help="what pack.sh made")
    parser.add_argument("--smoke", action="store_true", help="the same on a CPU with tiny sizes")
    parser.add_argument("--stages", help="only these, for example slide,train")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"for all stages; default: {TOTAL_SECONDS:.0f}, or no limit with --smoke",
    )
    options = parser.parse_args()
    if not options.out:
        parser.error("no results folder: name one, or set $OUT")
    if options.seconds is not None and not options.seconds > 0:
        parser.error(f"--seconds must be above 0, not {options.seconds:g}")
    if find_spec("torch") is None:
        parser.error(
            f"{sys.executable} has no torch; name a Python that does: PYTHON=.venv/bin/python workflows/gpu/run.sh …"
        )
    out, pack = Path(options.out).resolve(), options.pack.resolve()
    total = options.seconds or (float("inf") if options.smoke else TOTAL_SECONDS)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"the results folder {out} can't be made: {error.strerror}; name another")
    work = Path(tempfile.mkdtemp(prefix="wsi-edt-gpu-"))
    try:
        known = stages_of(pack=pack, out=out, work=work, smoke=options.smoke)
        names = list(known) if options.stages is None else options.stages.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            parser.error(f"no stage is called {unknown[0]!r}; known are {', '.join(known)}")
        if PACKED.intersection(names) and not (pack / "train.toml").is_file():
            parser.error(
                f"{pack} holds no finished pack; make one with workflows/gpu/pack.sh, or pass --pack"
            )
        with stoppable():
            stages = [known[name] for name in names]
            results = run_stages(stages, out, work=work, python=sys.executable, total=total)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"\n{results.table()}")
    return 0 if all(record.status in ("done", "skipped") for record in results.records) else 1


if __name__ == "__main__":
    sys.exit(main())
