"""Puts everything that a GPU machine without a network needs into one folder that git ignores: see README.md."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
from sets import fit, read_groups, write_sets
from wheels import pack_wheels, read_present

from wsi_edt.bundles import Bundle, find_bundle, read_bundle
from wsi_edt.bundles.bundle import CARD
from wsi_edt.bundles.weights import load_network, write_bundle
from wsi_edt.errors import OutputError, WsiEdtError
from wsi_edt.training.config import TrainConfig, read_config

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MIB = 1 << 20
MOST_MIB = 62.0
SPARE_BYTES = MIB // 8  # for what travelling adds to a file
MADE_SLIDE_PX = 3072
WHEELS, SLIDE, CELLS, INIT = "wheels.tar.xz", "slide", "cells.geojson.gz", "init"
CLI = "from wsi_edt.cli.main import main; main()"


@dataclass(slots=True)
class Parts:
    """The sizes of what travels.

    Attributes
    ----------
    most : bytes that may travel
    sizes : the bytes of each part, and a remark
    """

    most: int
    sizes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, name: str, size: int, remark: str = "") -> None:
        """Add a part and print it."""
        self.sizes[name] = size, remark
        print(f"{name:32} {size / MIB:7.2f} MiB  {remark}".rstrip(), flush=True)

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(size for size, _ in self.sizes.values())

    def refuse_too_much(self, droppable: str = "") -> None:
        """Raise ClickException if all parts together are too large, naming the largest that could stay behind."""
        if self.total <= self.most:
            return
        candidates = {
            name: size for name, (size, _) in self.sizes.items() if not droppable or name == droppable
        }
        largest = max(candidates, key=lambda name: candidates[name])
        raise click.ClickException(
            f"{self.total / MIB:.1f} MiB would travel and at most {self.most / MIB:.0f} may; drop {largest!r} "
            f"({candidates[largest] / MIB:.1f} MiB), or part of it"
        )


def of_the_repository(root: Path) -> dict[str, int]:
    """Bytes of the files that git tracks, and of those that it neither tracks nor ignores: both travel."""
    found = {}
    for name, words in (
        ("tracked files", ["ls-files"]),
        ("other files, not ignored", ["ls-files", "--others", "--exclude-standard"]),
    ):
        listed = subprocess.run(["git", *words, "-z"], cwd=root, capture_output=True, check=True).stdout
        paths = {root / entry.decode() for entry in listed.split(b"\0") if entry}
        found[name] = sum(path.stat().st_size for path in paths if path.is_file())
    return found


def bytes_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack_slide(slide: Path | None, model: str, out: Path) -> str:
    """Copy the slide, or make one, with the cells that this machine's CPU finds on it; returns a remark."""
    out.mkdir(parents=True)
    own = out / ("slide.tif" if slide is None else slide.name)
    if slide is None:
        maker = ROOT / "workflows" / "benchmarks" / "make_slide.py"
        _run([str(maker), str(own), "--side", str(MADE_SLIDE_PX), "--mpp", "0.25", "--quality", "80"])
    else:
        shutil.copyfile(slide, own)
    with tempfile.TemporaryDirectory() as results:
        options = ["--out", results, "--model", model, "--device", "cpu", "--precision", "fp32", "--gzip"]
        _run(["-c", CLI, "run", str(own), *options])
        shutil.copyfile(Path(results) / own.name / CELLS, out / CELLS)
        shutil.copyfile(Path(results) / "run.json", out / "run.json")
        summary = (Path(results) / "summary.csv").read_text(encoding="utf-8").splitlines()
    row = dict(zip(summary[0].split(","), summary[1].split(","), strict=False))
    return f"{own.name}, {row['total']} cells on a CPU in {row['seconds']} s"


def pack_init(model: str, out: Path) -> None:
    """Copy a model, its weights in half precision."""
    bundle = find_bundle(model)
    write_bundle(replace(bundle, directory=out), load_network(bundle).state_dict())
    if (bundle.directory / CARD).is_file():
        shutil.copyfile(bundle.directory / CARD, out / CARD)
    assert read_bundle(out).name == bundle.name


def travels_anyway(model: str) -> bool:
    """Whether a model lies among the repository's own files."""
    bundle: Bundle = find_bundle(model)
    return ROOT / "models" in bundle.directory.parents


def pack(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    slide: Path | None,
    most_bytes: int,
    wheels: Callable[[Path], str],
    repository: dict[str, int],
) -> Parts:
    """Empty the folder `out`, fill it, and print each part's size.

    Parameters
    ----------
    config : what is trained; its `init` is the model that training starts from and that finds the slide's cells
    data : folder of the configuration's sets
    slide : a small slide; None makes one
    most_bytes : that may travel
    wheels : writes the wheels to the path that it is given and returns a remark
    repository : bytes that travel beside the pack
    """
    groups = read_groups(config, data)
    shutil.rmtree(out, ignore_errors=True)
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"can't be emptied: {error.strerror}", where=out, remedy="choose another --out"
        ) from error
    parts = Parts(most_bytes - SPARE_BYTES)
    for name, size in repository.items():
        parts.add(name, size)
    if config.init and not travels_anyway(config.init):
        pack_init(config.init, out / INIT)
        parts.add(INIT, bytes_of(out / INIT), f"{config.init}, half precision")
    remark = pack_slide(slide, config.init, out / SLIDE)
    parts.add(SLIDE, bytes_of(out / SLIDE), remark)
    remark = wheels(out / WHEELS)
    parts.add(WHEELS, (out / WHEELS).stat().st_size, remark)
    parts.refuse_too_much()
    # Points, masks and the configuration come on top of the JPEGs.
    room = parts.most - parts.total
    choice = fit(groups, room)
    for _ in range(2):
        sizes = write_sets(groups, choice, config, data, out=out)
        excess = sum(sizes.values()) - room
        if excess <= 0:
            break
        jpegs = sum(len(jpeg) for group in groups for _, jpeg in choice.of(group))
        shutil.rmtree(out / "sets")
        choice = fit(groups, min(room - (sum(sizes.values()) - jpegs), jpegs - 1))
    for name, size in sizes.items():
        count = sum(path.suffix == ".jpg" for path in (out / "sets" / name).rglob("*"))
        parts.add(f"sets/{name}", size, f"{count} images")
    others = bytes_of(out) - sum(size for name, (size, _) in parts.sizes.items() if name not in repository)
    parts.add("configuration", others, f"{choice}")
    parts.refuse_too_much()
    return parts


@click.command()
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=HERE / "train.toml",
    help="What is trained, on which sets.  [default: workflows/gpu/train.toml]",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the configuration's sets.",
)
@click.option(
    "--slide",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A small slide.  [default: one is made]",
)
@click.option("--init", help="A model's name or folder to start from, instead of the configuration's.")
@click.option(
    "--present",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=HERE / "present.txt",
    help="List of the packages that the GPU machine has.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "gpu-pack", show_default=True
)
@click.option("--most-mib", type=float, default=MOST_MIB, show_default=True, help="That may travel in all.")
def main(
    config: Path, data: Path, slide: Path | None, init: str | None, present: Path, out: Path, most_mib: float
) -> None:
    """Make the folder that travels to a GPU machine beside the repository's files."""

    def wheels(path: Path) -> str:
        with tempfile.TemporaryDirectory() as work:
            versions = pack_wheels(path, present=read_present(present), work=Path(work))
        return f"{len(versions)} wheels; all requirements resolve with these and what is there"

    try:
        parts = pack(
            read_config(config, init=init),
            data,
            out.resolve(),
            slide=slide,
            most_bytes=round(most_mib * MIB),
            wheels=wheels,
            repository=of_the_repository(ROOT),
        )
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error
    print(f"{'all that travels':32} {parts.total / MIB:7.2f} MiB  of {most_mib:.0f}")


def _run(words: list[str]) -> None:
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise click.ClickException((ended.stderr or ended.stdout).strip().splitlines()[-1])


if __name__ == "__main__":
    main()
