"""`wsi-edt view RESULTS`: slides with their cells in a browser."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from wsi_edt.cli.paths import InPath, OutFolder
from wsi_edt.errors import UsageError, printable


@click.command()
@click.argument("results", type=InPath())
@click.option("--no-browser", is_flag=True, help="Print the address alone.")
@click.option("--port", type=int, default=0, help="By default any that is free.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address of this machine to listen on. Others than loopback let other machines in, unencrypted, and need "
    "--token-file.",
)
@click.option(
    "--token-file",
    type=InPath(),
    metavar="FILE",
    help="The secret that stands in the address, 16 letters or more, as the only line of a file; by default a random one.",
)
@click.option("--who", metavar="NAME", help="Whose corrections they are; by default this account's name.")
@click.option(
    "--export",
    "exported",
    type=OutFolder(),
    help="Write it all as files instead, which open by double-click and from any web server; nothing is corrected there. "
    "New, empty, or an earlier export.",
)
@click.option(
    "--export-mpp",
    type=float,
    metavar="UM",
    help="µm/px of the finest picture in --export; by default 0.5. The slide's own is the largest.",
)
@click.pass_context
def view(
    context: click.Context,
    results: Path,
    *,
    no_browser: bool,
    port: int,
    host: str,
    token_file: Path | None,
    who: str | None,
    exported: Path | None,
    export_mpp: float | None,
) -> int:
    """Look at finished slides and their cells in a browser, and correct them.

    RESULTS is the --out of a run, or the folder of one slide in it. The page comes from this machine and works offline;
    only who knows its address can open it. Corrections go to corrections.json in each slide's folder; nothing else is
    written. Ctrl-C ends it.
    """
    if exported is not None:
        _refuse_with_export(context)
        return _export(results, exported, export_mpp)
    if export_mpp is not None:
        raise UsageError("--export-mpp needs --export", remedy="give --export FOLDER too, or leave it out")
    from wsi_edt.viewer.server import Viewer, ViewOptions

    token = None if token_file is None else _read_token(token_file)
    options = ViewOptions(host, port, token, **({} if who is None else {"who": who}))
    viewer = Viewer(results, options, note=_note)

    with tempfile.TemporaryDirectory(prefix="wsi-edt-") as folder, suppress(KeyboardInterrupt):

        def ready() -> None:
            click.echo(f"{printable(str(results))} is shown at {viewer.address}")
            click.echo("Ctrl-C ends it.")
            if not no_browser and _has_screen():
                _open_browser(viewer.address, Path(folder))

        viewer.run(ready=ready)
    return 0


def _refuse_with_export(context: click.Context) -> None:
    """UsageError if an option of the server stands beside --export, which starts none."""
    for name in ("port", "host", "token_file", "who"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} is for the server, which --export doesn't start", remedy="leave it out"
            )


def _export(results: Path, folder: Path, mpp: float | None) -> int:
    from wsi_edt.viewer.export import MPP, Estimate, ExportOptions, export

    def planned(estimate: Estimate) -> None:
        minutes = round(estimate.seconds / 60)
        how_long = f"about {minutes} min" if minutes else "less than a minute"
        click.echo(
            f"About {_in_bytes(estimate.size)} in {estimate.tiles:,} pictures, in {how_long}; --export-mpp makes "
            "it smaller."
        )

    size = export(results, folder, ExportOptions(MPP if mpp is None else mpp, planned, _note))
    click.echo(f"{printable(str(folder / 'index.html'))} opens it ({_in_bytes(size)}).")
    return 0


def _in_bytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"


def _note(line: str) -> None:
    click.echo(f"Note: {printable(line)}", err=True)


def _read_token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise UsageError(f"can't be read: {reason}", where=path) from error


def _has_screen() -> bool:
    """Whether a browser would have a window; without one `webbrowser` takes the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_browser(address: str, folder: Path) -> None:
    """Open the address: through a file in `folder`, as all users of a machine see what programs are started with."""
    leading = folder / "open.html"
    leading.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}"><title>wsi-edt</title>',
        "utf-8",
    )
    with suppress(webbrowser.Error):
        webbrowser.open(leading.as_uri())
