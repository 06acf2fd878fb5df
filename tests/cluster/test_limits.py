"""Limits of the system: raised as far as they may be, and refused in one sentence."""

from __future__ import annotations

import threading

import pytest

from wsi_edt.cluster.limits import allow_open_files, refuse_tight_limits
from wsi_edt.errors import UsageError

resource = pytest.importorskip("resource")
GIB = 2**30


class Limits:
    """The system's: (soft, hard) of each kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **limits: tuple[int, int]) -> None:
        self.now = {getattr(resource, name): pair for name, pair in limits.items()}
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.now.get(kind, unlimited))
        monkeypatch.setattr(resource, "setrlimit", self.now.__setitem__)


def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, RLIMIT_NOFILE=(30, 500))
    allow_open_files(1)
    assert limits.now == {resource.RLIMIT_NOFILE: (60, 500)}
    Limits(monkeypatch, RLIMIT_NOFILE=(30, 40))
    with pytest.raises(UsageError, match="only 40 files may be open at a time, where 72 are needed"):
        allow_open_files(2)


def test_so_is_one_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, RLIMIT_AS=(GIB, resource.RLIM_INFINITY))
    refuse_tight_limits()
    assert limits.now == {resource.RLIMIT_AS: (3 * GIB, resource.RLIM_INFINITY)}
    Limits(monkeypatch, RLIMIT_AS=(GIB, 3 * GIB // 2))
    with pytest.raises(UsageError, match=r"may only have 1\.5 GiB of addresses here, where 3 are needed"):
        refuse_tight_limits()
    Limits(monkeypatch, RLIMIT_AS=(5 * GIB // 2, 5 * GIB // 2))
    refuse_tight_limits()


def test_room_for_threads_is_tried_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    refuse_tight_limits()
    assert threading.active_count() == before

    real, left = threading.Thread.start, [20]

    def start(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(UsageError, match="only 20 more threads can be started here"):
        refuse_tight_limits()
    assert threading.active_count() == before
