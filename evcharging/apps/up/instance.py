"""One run at a time in a data directory. The lock is the kernel's: it is gone with the process, however that ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from evcharging.apps.runtime.errors import UsageError

__all__ = ["only_run_in"]

FILE_NAME = "up.pid"


@contextlib.contextmanager
def only_run_in(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for as long as the block runs; make it where it is missing.

    Raises:
        UsageError: another run holds it (names its pid), or it cannot be written to.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        held = os.open(data_dir / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"--data-dir {data_dir}: cannot be written to ({error.strerror}); give another") from None
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(held, 32).decode("ascii", "replace").strip() or "unknown"
            raise UsageError(
                f"one is already running in {data_dir} (pid {pid}); stop it first, or give another --data-dir"
            ) from None
        os.ftruncate(held, 0)
        os.write(held, f"{os.getpid()}\n".encode("ascii"))
        yield
    finally:
        os.close(held)
