"""A child process and the lines it writes.

It leads a process group of its own, so that Ctrl-C in the terminal reaches only the supervisor (which then stops its
children in order) and a kill reaches whatever the child itself started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Self

__all__ = ["ChildProcess", "LineTaker", "describe_exit"]

LineTaker = Callable[[str, bool], None]
"""Takes one line of a child's output, without its newline; the flag says that it came from standard error."""

LONGEST_LINE_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
OUTPUT_GRACE_S = 1.0


class ChildProcess:
    """A running child. Made by `start`."""

    def __init__(self, process: Process, readers: Sequence[asyncio.Task[None]]) -> None:
        self._process = process
        self._readers = readers

    @classmethod
    async def start(cls, argv: Sequence[str], *, env: Mapping[str, str], take_line: LineTaker) -> Self:
        """Start ``argv``. Its standard input is a pipe that stays open for as long as this process lives.

        Raises:
            OSError: there is no such program, or the machine has no room for one more process.
        """
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(env), start_new_session=True
        )
        assert process.stdout is not None  # noqa: S101 - asked for above
        assert process.stderr is not None  # noqa: S101 - asked for above
        readers = [
            asyncio.create_task(_read_lines(process.stdout, take_line, is_error=False)),
            asyncio.create_task(_read_lines(process.stderr, take_line, is_error=True)),
        ]
        return cls(process, readers)

    @property
    def pid(self) -> int:
        """Of the child, and of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    def begin(self) -> None:
        """Tell it that what it needs is there; see `evcharging.apps.up.launch`."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(b"\n")

    async def wait(self) -> int:
        """Wait for its end and for what it wrote last; returns the exit code, negative for a signal."""
        code = await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        _done, late = await asyncio.wait(self._readers, timeout=OUTPUT_GRACE_S)
        for reader in late:  # something it started still holds its output open
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        return code

    def terminate(self) -> None:
        """Ask it to drain and end."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """``exit 1`` or ``killed by SIGKILL``."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


async def _read_lines(stream: asyncio.StreamReader, take_line: LineTaker, *, is_error: bool) -> None:
    pending = b""
    while chunk := await stream.read(CHUNK_BYTES):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            _hand_on(line, take_line, is_error=is_error)
        if len(pending) > LONGEST_LINE_BYTES:
            _hand_on(pending, take_line, is_error=is_error)
            pending = b""
    if pending:
        _hand_on(pending, take_line, is_error=is_error)


def _hand_on(line: bytes, take_line: LineTaker, *, is_error: bool) -> None:
    """In parts where it is longer than the bound, so that no child can fill our memory or the log."""
    for start in range(0, max(len(line), 1), LONGEST_LINE_BYTES):
        take_line(_text(line[start : start + LONGEST_LINE_BYTES]), is_error)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
