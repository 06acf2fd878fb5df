"""What a training shows."""

import io
from pathlib import Path

from rich.console import Console

from wsi_edt.cli.training_display import LineDisplay, TerminalDisplay, display_on
from wsi_edt.training.progress import LogRow


def row(step: int) -> LogRow:
    return LogRow(step, 0.25, 0.0, 1.5, 1e-3, float(step))


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream, display_on(stream) as display:
        assert isinstance(display, LineDisplay)
        display.begun(step=20, steps=60)
        display.advanced(21)
        display.logged(row(40))
        display.note("ours F1 0.5")
    assert path.read_text().splitlines() == [
        "continuing from step 20 of 60",
        "step 40 of 60, loss 0.25000, 40 s",
        "ours F1 0.5",
    ]


def test_bar() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None, width=100)
    with TerminalDisplay(console) as display:
        display.begun(step=20, steps=60)
        display.advanced(40)
        display.logged(row(40))
        display.note("ours [F1] 0.5")
    text = shown.getvalue()
    assert "continuing from step 20 of 60" in text
    assert "ours [F1] 0.5" in text
    assert "40/60" in text
    assert "loss 0.25000" in text
