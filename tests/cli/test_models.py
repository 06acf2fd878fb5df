"""`wsi-edt models` in a terminal of 100 columns, and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.cli.main import run_command
from wsi_edt.cli.models import _line, _range
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.speed import Speed
from wsi_edt.networks.registry import ARCHITECTURES


def test_all_fits_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert f"{DEFAULT_MODEL}, version 5" in lines
    assert "  cost      9.7 M parameters, 39.2 GFLOP a tile" in lines
    (width_48,) = (line for line in lines if "m_hrnet, width 48" in line)
    assert width_48.split() == ["M_HRNet-w48", "m_hrnet,", "width", "48", "65.4", "175.3", "none"]
    for architecture in ARCHITECTURES:
        assert any(f" {architecture} " in line for line in lines), architecture


def test_many_weights_go_to_further_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folders = [str(tiny_bundle(tmp_path / str(number)).directory) for number in range(6)]
    assert run_command(["models", *folders, "--only", "m_hrnet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    first = next(number for number, line in enumerate(lines) if line.startswith("M_HRNet-w18"))
    weights = " ".join([lines[first].split("39.2")[1], *lines[first + 1 : first + 2]])
    assert weights.split() == [f"{DEFAULT_MODEL},", *["tiny,"] * 5, "tiny"]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["name"] == DEFAULT_MODEL
    networks = [row for row in rows if row["kind"] == "network"]
    assert {row["name"] for row in networks} == set(ARCHITECTURES)
    assert networks[0]["options"] == {
        "architecture": "m_hrnet",
        "width": 18,
        "stem_stride": 2,
        "theta": 0.7,
    }
    assert all(row["parameters"] > 0 and row["flop_per_512px_tile"] > 0 for row in networks)


def test_a_model_that_cannot_be_read_is_named_last(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "model.toml").write_text("x = [")
    assert run_command(["models", str(tmp_path), "--only", "unext"]) == 1
    printed = capsys.readouterr()
    assert " unext " in printed.out
    assert "model.toml can't be read as a model's description" in printed.err
    assert run_command(["models", str(tmp_path), "--json"]) == 1
    last = json.loads(capsys.readouterr().out)[-1]
    assert last["name"] == str(tmp_path)
    assert "can't be read" in last["problem"]


def test_a_model_that_cannot_be_read_is_named_when_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "model.toml").write_text("x = [")
    assert run_command(["models", str(tmp_path), "--only", tmp_path.name]) == 2
    assert "model.toml can't be read as a model's description" in capsys.readouterr().err


def test_a_model_that_cannot_be_used_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "tiny")
    assert run_command(["models", str(tiny.directory), "--only", "tiny"]) == 0
    tiny.weights.write_bytes(b"other")
    assert run_command(["models", str(tiny.directory), "--only", "tiny"]) == 1
    assert "isn't the file that model.toml describes" in capsys.readouterr().out
    assert run_command(["models", str(tiny.directory), "--only", "tiny", "--json"]) == 1


def test_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "--only", "unext", "--measure", "--repeats", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    heading, line = (next(x for x in lines if x.startswith(start)) for start in ("network ", "UNeXt "))
    assert heading.split()[-2:] == ["tiles/s", "weights"]
    assert float(line.split()[4]) > 0
    assert any(x.startswith("tiles/s: of such tiles, the median of 1 batch (") for x in lines)


def test_columns_stay_apart() -> None:
    """The slowest and largest that there are; TransUNet's numbers had run into each other."""
    speed = Speed(0.6123, 0.5731, 0.6534, Compute("cpu", "openvino", "bf16", 2), 512, 4, 5)
    line = _line("VGG16 (FPN style)", "m_hrnet, width 48", "105.3", "1391.5", _range(speed), DEFAULT_MODEL)
    rest = line.split("width 48")[1]
    assert rest.split() == ["105.3", "1391.5", "0.612", "(0.573–0.653)", DEFAULT_MODEL]
    assert len(line) <= 100


def test_wrong_names_are_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_command(["models", "--only", "resnet"]) == 2
    assert "there is no model or network 'resnet'" in capsys.readouterr().err
    assert run_command(["models", str(tmp_path)]) == 2


def test_repeats_of_nothing_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "--repeats", "3"]) == 2
    assert "--repeats counts measured batches; give --measure as well" in capsys.readouterr().err


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from wsi_edt.cli.main import run_command\n"
        "assert run_command(['models', '--only', 'hrnet', '--only', 'm_hrnet']) == 0\n"
        "heavy = {'torch', 'dask', 'openvino', 'monai', 'matplotlib'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
