"""New processes that don't import the script that started them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_users = 0
_hidden: dict[str, Any] = {}


@contextmanager
def main_unseen() -> Iterator[None]:
    """Hide the running script from multiprocessing, whose new processes would run it again from its beginning.

    They need nothing of it. Otherwise a script without `if __name__ == "__main__":` would start itself without end, and one
    that Python reads from standard input couldn't be found again.
    """
    global _users
    main = sys.modules["__main__"]
    with _lock:
        _users += 1
        if _users == 1:
            _hidden.update(
                {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
            )
            main.__dict__.pop("__file__", None)
            main.__spec__ = None
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                main.__dict__.update(_hidden)
                _hidden.clear()
