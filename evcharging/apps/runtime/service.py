"""Runs a service as a process: settings, logging, signals, exit codes.

``run_service`` is the last line of every ``main.py``. SIGTERM and SIGINT set the stop event that the service's main
function waits for; it drains and returns. A second signal ends at once, with a line that says so, unless the service
has something of its own to do then (`Hurry`). Once the main function has returned or given up, the exit code is what
that came to, whatever signals still come.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
import uvloop

from evcharging.apps.runtime.errors import EXIT_CUT_OFF, EXIT_OK, ServiceError
from evcharging.apps.runtime.logs import configure_logging
from evcharging.apps.runtime.settings import ServiceSettings

__all__ = ["Hurry", "ServiceMain", "run_service", "until_stopped"]

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
ServiceMain = Callable[[S, asyncio.Event], Awaitable[int | None]]
"""Takes the settings and the stop event; returns the exit code (None: 0) once it has drained."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hurry:
    """A service that drains faster when asked again: a second signal sets ``asked``, a third ends at once.

    Attributes:
        on_first, on_second: What people are told when the signal comes: what happens now, and what the next would do.
    """

    on_first: str
    on_second: str
    asked: asyncio.Event = field(default_factory=asyncio.Event)


def run_service(
    main: ServiceMain[S], settings_type: type[S], argv: Sequence[str] | None = None, *, hurry: Hurry | None = None
) -> int:
    """Load settings, run ``main`` to its end and return the exit code.

    Prints one line on standard error for settings that are wrong (2), a port that is taken (2), for giving up (1) and
    where another signal than the first cut it off (130).
    """
    try:
        settings = settings_type.load(argv)
    except ServiceError as error:
        return _told(settings_type.service, error)
    configure_logging(level=settings.log_level, log_format=settings.log_format, who=settings.service)
    _raise_open_files_limit()
    ended: list[int] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_supervised(main, settings, ended, hurry))
    except KeyboardInterrupt:
        return ended[0] if ended else EXIT_OK


async def until_stopped(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Run ``work`` until it ends or ``stop`` is set, whichever comes first; a stop cancels the work.

    Returns:
        What ``work`` returned, or None when it was stopped.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        return None
    finally:
        for pending in (task, stopped):
            if not pending.done():
                pending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pending


async def _supervised(main: ServiceMain[S], settings: S, ended: list[int], hurry: Hurry | None) -> int:
    """Run ``main`` with signals heard, and note in ``ended`` what it came to."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop(name: str) -> None:
        if ended:
            raise SystemExit(ended[0])
        if not stop.is_set():
            log.info("stopping", signal=name)
            stop.set()
            if hurry is not None:
                _say(settings.service, hurry.on_first)
        elif hurry is not None and not hurry.asked.is_set():
            hurry.asked.set()
            _say(settings.service, hurry.on_second)
        else:
            _say(settings.service, f"cut off by another {name}, before it was done")
            raise SystemExit(EXIT_CUT_OFF)

    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, asked_to_stop, sig.name)
    ended.append(await _exit_code(main, settings, stop))
    return ended[0]


async def _exit_code(main: ServiceMain[S], settings: S, stop: asyncio.Event) -> int:
    try:
        return await main(settings, stop) or EXIT_OK
    except ServiceError as error:
        return _told(settings.service, error)
    except BaseExceptionGroup as group:
        match, rest = group.split(ServiceError)
        if match is None or rest is not None:
            raise
        return _told(settings.service, _first(match))


def _raise_open_files_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _told(service: str, error: ServiceError) -> int:
    _say(service, str(error))
    return error.exit_code


def _say(service: str, line: str) -> None:
    sys.stderr.write(f"evcharging {service}: {line}\n")
    sys.stderr.flush()


def _first(group: BaseExceptionGroup[ServiceError]) -> ServiceError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ServiceError)  # noqa: S101 - split() left nothing else
    return error
