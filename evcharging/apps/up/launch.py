"""Runs one service inside a process that `evcharging up` started, and ends it when `up` is gone, however it went.

``python -m evcharging.apps.up.launch MODULE [ARGUMENT ...]`` loads ``MODULE``, waits for a line on standard input (it
says that what the service needs is there) and calls ``MODULE.main([ARGUMENT, ...])``.

Standard input is the pipe that `up` holds the other end of: when it closes, `up` has ended (the kernel closes it even
after SIGKILL), and the service is asked to drain as by SIGTERM; what has not ended ``DRAIN_S`` later is ended at once.
The service itself knows nothing of this, and it works wherever there are pipes.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

__all__ = ["DRAIN_S", "main"]

DRAIN_S = 5.0
STANDARD_INPUT = 0


def main(argv: Sequence[str]) -> int:
    """Run the service named by ``argv`` and return its exit code."""
    module, *arguments = argv
    may_begin = threading.Event()
    threading.Thread(target=_listen_to_parent, args=(may_begin,), name="parent-watch", daemon=True).start()
    run: Callable[[Sequence[str]], int] = importlib.import_module(module).main
    may_begin.wait()
    return run(arguments)


def _listen_to_parent(may_begin: threading.Event) -> None:
    while os.read(STANDARD_INPUT, 1024):
        may_begin.set()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(DRAIN_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
