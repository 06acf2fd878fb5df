"""What `pip install .` installs: the shipped model and the report's templates are in the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

from wsi_edt.bundles import DEFAULT_MODEL

REPOSITORY = Path(__file__).parents[1]


def test_wheel_holds_the_model_and_the_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "wsi-edt = wsi_edt.cli.main:main" in archive.read(entry_points).decode()
        for name in ("model.toml", "weights.safetensors", "README.md"):
            shipped = REPOSITORY / "models" / DEFAULT_MODEL / name
            assert archive.read(f"wsi_edt/_models/{DEFAULT_MODEL}/{name}") == shipped.read_bytes()
    folder = REPOSITORY / "wsi_edt/report/templates"
    templates = {path.relative_to(REPOSITORY).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(templates) > len(list(folder.glob("*.html"))) > 0  # those of figures lie in a folder below
    assert templates <= names
    assert not [name for name in names if name.startswith(("tests/", "workflows/"))]
