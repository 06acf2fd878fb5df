"""The stage `tests`: the tests marked `gpu`, then those of detection."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from gpu_plugin import FIGURES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DETECTION = "tests/detection"
MARKED = re.compile(r"^@pytest\.mark\.gpu\b|^pytestmark\b.*\bgpu\b", re.MULTILINE)


def files_with_gpu_tests() -> list[str]:
    """Test files that have something marked `gpu`, relative to the repository."""
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if MARKED.search(path.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Run pytest; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true", help="of detection, only the stitching's")
    options = parser.parse_args()
    chosen = files_with_gpu_tests()
    chosen += [f"{DETECTION}/test_stitching.py" if options.smoke else DETECTION]
    # Only the named plugins: whatever else is installed can't interfere.
    plugins = ["-p", "gpu_plugin", "-p", "pytest_timeout"]
    command = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", *plugins, *chosen]
    if options.smoke:
        command += ["--deselect", f"{DETECTION}/test_detector.py"]  # minutes on a CPU
    print(" ".join(command), flush=True)
    environment = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        FIGURES: str(options.figures),
    }
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
