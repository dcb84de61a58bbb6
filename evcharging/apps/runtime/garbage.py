"""How seldom a service that holds much looks through it for garbage.

Thousands of sockets or stations are millions of objects that all live on; looking through them stops everything else
for as long as it takes, at the worst moments: while they come.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["collected_seldom"]


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """What is there already is not looked through inside the block, and what comes is only now and then.

    The young are looked through 5,000 at a time: ten times as many take 20 to 60 ms, in which nobody is answered.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
