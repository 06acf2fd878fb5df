"""Errors as sentences and as fields, through pickle and from other libraries."""

from __future__ import annotations

import pickle
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from distributed.scheduler import KilledWorker, WorkerState

from wsi_edt.errors import ClusterLostError, MissingMppError, ModelError, SlideError, WsiEdtError, printable
from wsi_edt.foreign import known, translated

ERROR = MissingMppError("has no µm/px", where="/slides/a.svs", remedy="pass --mpp")


def test_an_error_is_one_sentence() -> None:
    assert str(ERROR) == "/slides/a.svs has no µm/px; pass --mpp"
    assert str(SlideError("two slides have one name")) == "two slides have one name"
    assert str(ERROR.within("a tile").within("worker n7")) == (
        "worker n7: a tile: /slides/a.svs has no µm/px; pass --mpp"
    )
    assert ERROR.sentence(where="a.svs", with_remedy=False) == "a.svs has no µm/px"


def test_an_error_survives_the_way_from_a_worker() -> None:
    error = ERROR.within("worker n7")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is MissingMppError
    assert (back.what, back.where, back.remedy, back.context) == (
        "has no µm/px",
        "/slides/a.svs",
        "pass --mpp",
        ("worker n7",),
    )


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            KilledWorker("task", cast(WorkerState, SimpleNamespace(address="tcp://x")), 1),
            SlideError,
            "out of memory",
        ),
        (CancelledError(), ClusterLostError, "the same command again"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), ModelError, "fewer --workers"),
        (ERROR, MissingMppError, "has no µm/px"),
    ],
)
def test_what_other_libraries_raise_has_a_meaning(
    raised: Exception, kind: type[WsiEdtError], words: str
) -> None:
    error = translated(raised)
    assert type(error) is kind
    assert words in str(error)


def test_what_is_unknown_is_called_unexpected() -> None:
    assert known(ZeroDivisionError("over\nzero")) is None
    assert str(translated(ZeroDivisionError("over\nzero"))) == "unexpected ZeroDivisionError: over zero"


def test_a_name_of_bytes_that_are_no_text_can_be_printed() -> None:
    error = SlideError("can't be read", where=Path("/slides/\udcff.svs"))
    assert str(error).encode() == b"/slides/\\xff.svs can't be read"


def test_what_would_steer_a_terminal_stands_as_an_escape() -> None:
    assert printable("a\x1b[31mb\x00\x7f\x9b\t\n") == r"a\x1b[31mb\x00\x7f\x9b\t\n"
    assert printable("naïve 染色 1\u202f234 \udcff") == "naïve 染色 1\u202f234 \\xff"
