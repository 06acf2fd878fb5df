"""The first stage: an environment on top of the Python that has torch, with the packed wheels and wsi-edt, offline.

Needs only the standard library and pip. Its figures name the Python that has everything.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from contextlib import suppress
from pathlib import Path

from supervise import write_figures

ROOT = Path(__file__).resolve().parents[2]
WHEELS = "wheels.tar.xz"
# torch and its libraries come from a cold disk: read them while pip works.
WARM_UP = """
import time
began = time.monotonic()
import torch
imported = time.monotonic() - began
if torch.cuda.is_available():
    torch.zeros(1, device="cuda")
print(f"torch {torch.__version__}, imported in {imported:.1f} s, ready after {time.monotonic() - began:.1f} s")
"""
CHECK = """
from importlib.metadata import version
import cv2, distributed, imagecodecs, numpy, openslide, orjson, pydantic, shapely, tiffslide, torch, zarr
import wsi_edt.cli.main
print("wsi-edt", version("wsi-edt"), "numpy", numpy.__version__, "zarr", zarr.__version__)
"""


def make_environment(folder: Path) -> Path:
    """Make an environment that also sees this Python's packages; returns its Python.

    `--system-site-packages` would show those of the base Python, and this one may itself be an environment.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    behind = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    # Unlike a plain line, addsitedir also reads the .pth files there.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in behind]
    (site / "behind.pth").write_text("".join(lines), encoding="utf-8")
    return python


def install(python: Path, wheels: Path) -> None:
    """Install the wheels and wsi-edt, which stays where it is."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    pip += ["--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore"]
    files = sorted(str(path) for path in wheels.glob("*.whl"))
    subprocess.run([*pip, *files], check=True)
    # The build backend is among the wheels.
    subprocess.run([*pip, "--no-build-isolation", "--editable", str(ROOT)], check=True)


def machine() -> dict[str, object]:
    """The machine on which all stages are measured."""
    card = ""
    tool = shutil.which("nvidia-smi", path=f"{os.environ.get('PATH', '')}:/usr/local/nvidia/bin")
    if tool:
        with suppress(OSError, subprocess.SubprocessError):
            query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
            card = subprocess.run(
                query, capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
    return {"card": card, "cores": os.cpu_count(), "python": platform.python_version()}


def main() -> None:
    """Make the environment below --work and name its Python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true", help="changes nothing here")
    options = parser.parse_args()
    began = time.monotonic()
    here = machine()
    figures: dict[str, object] = {"machine": here}
    # Not in `with`: if pip fails, nothing waits for it.
    warming = subprocess.Popen(
        [sys.executable, "-c", WARM_UP], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wheels = options.work / "wheels"
    try:
        with tarfile.open(options.pack / WHEELS) as archive:
            archive.extractall(wheels, filter="data")
    except OSError as error:
        raise SystemExit(
            f"{options.pack / WHEELS} can't be read: {error}; make the pack with pack.sh"
        ) from error
    python = _installed(options.work / "environment", wheels)
    installed = time.monotonic() - began
    checked = subprocess.run([python, "-c", CHECK], capture_output=True, text=True, check=False)
    words = checked.stdout.strip() or checked.stderr.strip().splitlines()[-1]
    warmed = (warming.communicate()[0] or "").strip()
    summary = "; ".join(word for word in (str(here["card"]), words, warmed) if word)
    figures |= {
        "python": str(python),
        "installed_seconds": round(installed, 1),
        "packages": words,
        "torch": warmed,
        "summary": summary,
    }
    write_figures(options.figures, figures)
    print(summary)
    if checked.returncode:
        raise SystemExit(f"the environment doesn't work: {checked.stderr.strip()}")


def _installed(folder: Path, wheels: Path) -> Path:
    """The Python that has everything: the environment's, or this one if none can be made or filled."""
    try:
        python = make_environment(folder)
        install(python, wheels)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"no environment can be made ({error}): the packages go into {sys.prefix}", flush=True)
        python = Path(sys.executable)
        install(python, wheels)
    return python


if __name__ == "__main__":
    main()
