"""How long somebody waits for the viewer: its start, the first picture, the slider, and frames a second while moving.

    python workflows/benchmarks/viewer.py [--cells 1,5] [--results FOLDER]

A finished slide as in report_scale.py is served by a fresh `wsi-edt view`, and shown by Debian's Chromium, headless, at
1280 x 800, on a machine without a graphics card: the processor draws everything. A frame is one that the page drew: the
slide and its cells.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psutil
from measuring import Numbers, in_fresh_process, machine, table
from playwright.sync_api import Page, ViewportSize, sync_playwright
from report_scale import prepare

FLAGS = ("--no-sandbox",)
SIZE: ViewportSize = {"width": 1280, "height": 800}
PARTS = (1, 4, 16, 64)  # of the slide's width in view, as 1 / part
SECONDS = 4.0  # of each movement
PATIENCE_S = 120
STEPS = 12  # of the slider, from its low end to the middle and back by a jump

# What the page shows, by the clock since its address was opened; a frame later it has been painted.
SEEN = """
window.seen = {};
const after = (name) => { seen[name] = 0; requestAnimationFrame(() => { seen[name] = performance.now(); }); };
(function look() {
  const page = window.wsiEdt, viewer = page?.view?.viewer;
  if (!("picture" in seen) && viewer?.world.getItemCount() && viewer.world.getItemAt(0).getFullyLoaded()) after("picture");
  if (!("cells" in seen) && page?.ready) after("cells");
  requestAnimationFrame(look);
})();
"""

SLIDE = """async (steps) => {
  const slider = document.getElementById("threshold"), taken = [];
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const set = async (value) => {
    const begun = performance.now();
    slider.value = String(value);
    slider.dispatchEvent(new Event("input"));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    taken.push(performance.now() - begun);
  };
  for (let k = 1; k <= steps; k++) await set(low + ((high - low) * k) / (2 * steps));
  await set(low);
  return taken;
}"""

MOVE = """async ([kind, seconds]) => {
  const viewer = window.wsiEdt.view.viewer, port = viewer.viewport, gaps = [];
  let drawn = 0;
  const count = () => { drawn++; };
  viewer.addHandler("update-viewport", count);
  const begun = performance.now();
  let last = begun;
  await new Promise((done) => {
    const step = (now) => {
      gaps.push(now - last);
      last = now;
      const t = (now - begun) / 1000;
      if (t > seconds) return done();
      const part = 0.012 / port.getZoom();
      if (kind === "pan") port.panBy(new OpenSeadragon.Point(part * Math.sign(Math.sin(3 * t)), part / 6), true);
      else port.zoomBy(Math.sin(2 * t) > 0 ? 1.02 : 1 / 1.02, port.getCenter(true), true);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });
  viewer.removeHandler("update-viewport", count);
  gaps.sort((a, b) => a - b);
  const p95 = gaps[Math.floor(0.95 * gaps.length)];
  return { fps: (1000 * drawn) / (performance.now() - begun), p95, points: window.wsiEdt.layer.drawsPoints };
}"""


@contextmanager
def served(results: Path) -> Iterator[tuple[str, float]]:
    """The address of a fresh viewer, and the seconds from its process's start until it printed it."""
    command = [sys.executable, "-c", "from wsi_edt.cli.main import main; main()", "view", str(results)]
    begun = time.perf_counter()
    with subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)), None)
        taken = time.perf_counter() - begun
        try:
            assert found is not None, "the viewer printed no address"
            yield found[0], taken
        finally:
            process.terminate()


def wait(page: Page, condition: str) -> None:
    """Wait for what the page says; its policy forbids playwright's own way."""
    end = time.monotonic() + PATIENCE_S
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)


def _cpu_seconds() -> float:
    """Of the browser's processes."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if "chrom" in process.name():
            total += sum(process.cpu_times()[:2])
    return total


def _moved(page: Page, kind: str) -> list[str]:
    spent = _cpu_seconds()
    taken: dict[str, Any] = page.evaluate(MOVE, [kind, SECONDS])
    spent = _cpu_seconds() - spent
    cpu_ms = 1000 * spent / max(taken["fps"] * SECONDS, 1)
    return [
        f"{taken['fps']:.0f}",
        f"{taken['p95']:.0f}",
        f"{cpu_ms:.0f}",
        "points" if taken["points"] else "density",
    ]


def measured(page: Page, address: str) -> tuple[list[str], list[list[str]]]:
    """A row of what is waited for, and one for each movement."""
    page.goto(address)
    wait(page, "!!(window.seen.picture && window.seen.cells)")
    seen = page.evaluate("window.seen")
    wait(page, "window.wsiEdt.scored !== null")
    waits = [f"{seen[name] / 1000:.2f}" for name in ("picture", "cells")]
    width, height = page.evaluate("[window.wsiEdt.info.width, window.wsiEdt.info.height]")
    moves = []
    for part in PARTS:
        if part > 1:
            page.evaluate(
                "([x, y, w]) => window.wsiEdt.view.fit(x, y, w, w)",
                [0.4 * width, 0.4 * height, width / part],
            )
        page.wait_for_timeout(2000)
        taken = page.evaluate(SLIDE, STEPS)
        if part in (PARTS[0], PARTS[-1]):
            waits.append(f"{sorted(taken)[len(taken) // 2]:.0f} ({max(taken):.0f})")
        for kind in ("pan", "zoom"):
            moves.append([f"1/{part} of the width, {kind}", *_moved(page, kind)])
    return waits, moves


@click.command()
@click.option("--cells", type=Numbers(fractions=True), default="1", show_default=True, help="In millions.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="For temporary files: 1 GB.")
@click.option(
    "--results",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Show these instead of slides made here.",
)
def main(cells: list[float], folder: Path | None, results: Path | None) -> None:
    """Print seconds and milliseconds by the clock, and frames a second."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise click.UsageError("needs Chromium: apt-get install chromium")
    print(machine(), f"; nice {os.nice(0)}", sep="")
    for millions in [0.0] if results else cells:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            if not results:
                in_fresh_process(prepare, Path(temporary), round(millions * 1e6))
            with served(results or Path(temporary) / "out") as (address, start), sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS), timeout=120_000)
                page = browser.new_page(viewport=SIZE)
                page.add_init_script(SEEN)
                waits, moves = measured(page, address)
                count = page.evaluate("window.wsiEdt.cells.count")
                browser.close()
        head = (
            "cells",
            "server, s",
            "first picture, s",
            "cells, s",
            "slider, density, ms",
            "slider, points, ms",
        )
        print("\nmedian and (longest) of the slider's steps, to the frame after\n")
        print(table(head, [[f"{count:,}", f"{start:.2f}", *waits]]), end="\n\n")
        print(table(("movement", "frames/s", "95 % within, ms", "CPU ms a frame", "drawn as"), moves))


if __name__ == "__main__":
    main()
