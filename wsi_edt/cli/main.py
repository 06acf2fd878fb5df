"""`wsi-edt`: its subcommands, and how errors end it.

A subcommand's module is imported when it is called or asked for its own help: `wsi-edt --help` imports neither torch nor
Dask, and answers at once.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

import wsi_edt
from wsi_edt.cli.streams import harmless_streams
from wsi_edt.errors import UsageError, WsiEdtError, printable
from wsi_edt.foreign import translated

# name: (module, what it does). The line is here, so that the list of subcommands imports none of them.
COMMANDS = {
    "run": (
        "wsi_edt.cli.run",
        "Find and count the nuclei of slides: a Ki-67 index, and detections for QuPath.",
    ),
    "report": (
        "wsi_edt.cli.report",
        "Make reports and numbers again: another profile, regions, threshold or hotspots.",
    ),
    "view": ("wsi_edt.cli.view", "Look at slides and their cells in a browser, and correct them."),
    "correct": ("wsi_edt.cli.correct", "Store what was edited in QuPath as corrections of a slide."),
    "qupath-script": (
        "wsi_edt.cli.qupath_script",
        "Print a script that takes results into a QuPath project.",
    ),
    "export": ("wsi_edt.cli.export", "Write the cells of finished slides as tables, or for other programs."),
    "training-set": ("wsi_edt.cli.training_set", "Write corrected regions as a data set for train."),
    "info": ("wsi_edt.cli.info", "Describe a slide: size, µm/px, levels, staining."),
    "doctor": (
        "wsi_edt.cli.doctor",
        "Check whether a run would work here: formats, devices, disk, model, cluster.",
    ),
    "evaluate": (
        "wsi_edt.cli.evaluate",
        "Compare a model's cells, or anybody's points, with annotated ones.",
    ),
    "train": ("wsi_edt.cli.train", "Train a model."),
    "bundle": ("wsi_edt.cli.bundle", "Make a model from a checkpoint."),
    "models": ("wsi_edt.cli.models", "List models and networks: size, cost, speed here, scores, licence."),
}
_STORING = (["run"], ["report"], ["train"])
INTERRUPTED = 130  # what shells give for Ctrl-C
_PIPE_CLOSED = 141  # and if standard output was closed (`| head -1`)


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command = getattr(import_module(module), name.replace("-", "_"))
        assert isinstance(command, click.Command), f"{module}.{name} isn't a command"
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(wsi_edt.__version__, prog_name="wsi-edt")
def cli() -> None:
    """Ki-67 on whole-slide images: finds the nuclei, counts them, and writes files that QuPath opens.

    For research use only.
    """


def main() -> None:
    """Run the command line; the process ends with its exit code.

    0: all went well. 1: an error, or a run in which a slide failed. 2: a wrong argument. 130: interrupted. 141: standard
    output was closed; but what a run or a training prints doesn't matter to its results, and they end as they would.
    """
    arguments = sys.argv[1:]
    out, _ = harmless_streams()
    code = run_command(arguments)
    if sys.stdout is not None:
        sys.stdout.flush()
    if out is not None and out.refused is not None:
        code = _code_of_a_loss(out.refused, code, stored=_stores(arguments))
    sys.exit(code)


def _stores(arguments: list[str]) -> bool:
    """Whether a command's results are what it stores, not what it prints."""
    return arguments[:1] in _STORING and not {"--dry-run", "--help", "-h"} & set(arguments)


def _code_of_a_loss(refused: OSError, code: int, *, stored: bool) -> int:
    """Tell that what was printed is lost, but for a pipe that somebody closed; the exit code."""
    closed = refused.errno == errno.EPIPE
    if not closed:
        results = "; results aren't affected" if stored else ""
        click.echo(f"Error: standard output can't be written: {refused.strerror}{results}", err=True)
    if stored or code:
        return code
    return _PIPE_CLOSED if closed else 1


def run_command(arguments: list[str]) -> int:
    """Run the command line with these arguments; return its exit code. Errors go to stderr, as one sentence each."""
    return exit_code_of(
        lambda: cli.main(arguments, prog_name="wsi-edt", standalone_mode=False),
        continues=arguments[:1] in _STORING,
    )


def _refuse_ascii_names() -> None:
    """UsageError if Python was told to write names of files in ASCII, as it never does by itself."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        raise UsageError(
            f"Python writes names of files in {encoding} here", remedy="unset PYTHONUTF8, or set it to 1"
        )


def _refuse_absent_folder() -> None:
    """UsageError if the current folder was removed: libraries look there, and one of them ends the process."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the current folder isn't there any more ({error.strerror})", remedy="cd to one that is"
        ) from error


def exit_code_of(command: Callable[[], object], *, continues: bool) -> int:
    """Run a command, print an error that ends it, and return its exit code.

    Parameters
    ----------
    command : returns its exit code, or anything else for 0
    continues : whether the same command continues after an interruption
    """
    try:
        _refuse_ascii_names()
        _refuse_absent_folder()
        code = command()
    except WsiEdtError as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (MemoryError, ImportError) as error:  # of libraries, as they are loaded
        click.echo(f"Error: {translated(error)}; `wsi-edt doctor` looks for what is missing", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        how = " What is stored stays: the same command continues from there." if continues else ""
        click.echo(f"Interrupted.{how}", err=True)
        return INTERRUPTED
    except SystemExit:  # how click and rich react to a closed pipe; nothing else here ends so
        return _PIPE_CLOSED
    return code if isinstance(code, int) else 0
