"""``evcharging driver``: one or more drivers at work in one process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import structlog

from evcharging.apps.ev_driver.driver import Driver, Patience
from evcharging.apps.ev_driver.request_book import RequestBook
from evcharging.apps.ev_driver.requests_file import Wish, parse_requests
from evcharging.apps.ev_driver.settings import DriverSettings
from evcharging.apps.ev_driver.summary import Summary, write_summary
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.bus.consumer import Consumer
from evcharging.bus.protocol import Bus, Since
from evcharging.bus.replay import replay
from evcharging.messages.drivers import DriverUpdate
from evcharging.messages.envelope import Received
from evcharging.messages.topics import DRIVER_REQUESTS, DRIVER_UPDATES

__all__ = ["drive", "main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the drivers and return the exit code: 0 every request ended, or stopped on request; 2 bad settings."""
    return run_service(drive, DriverSettings, argv)


async def drive(settings: DriverSettings, stop: asyncio.Event) -> None:
    """Work through the requests file until every request has ended or ``stop`` is set.

    Raises:
        UsageError: the requests file or a setting cannot be used.
    """
    wishes = _wishes(settings.requests_file)
    _check_writable(settings.summary_json)
    bus = settings.create_bus(f"driver-{settings.driver_id}")
    drivers = _drivers(settings, wishes, bus)
    try:
        await until_stopped(stop, bus.start())
        if not stop.is_set():
            await _work(drivers, bus, settings, stop)
    finally:
        await bus.stop()
    _sum_up(drivers, settings.summary_json)


async def _work(drivers: Sequence[Driver], bus: Bus, settings: DriverSettings, stop: asyncio.Event) -> None:
    by_id = {driver.book.driver_id: driver for driver in drivers}
    since = Since(_now() - timedelta(seconds=settings.replay_window_s))

    async def hear(updates: Sequence[Received[DriverUpdate]]) -> None:
        for received in updates:
            driver = by_id.get(received.message.driver_id)
            if driver is not None:
                driver.hear(received.id, received.message)

    async def work_through() -> None:
        async for received in replay(bus, {DRIVER_REQUESTS: since}):
            driver = by_id.get(received.message.driver_id)
            if driver is not None:
                driver.book.note(received.message)
        await consumer.wait_caught_up()
        async with asyncio.TaskGroup() as group:
            for driver in drivers:
                group.create_task(driver.run(), name=driver.book.driver_id)

    async with (
        Consumer(bus, {DRIVER_UPDATES: since}, handler=hear, name=settings.driver_id) as consumer,
        asyncio.TaskGroup() as group,
    ):
        reading = group.create_task(consumer.run())
        await until_stopped(stop, work_through())
        async with asyncio.TaskGroup() as leaving:
            for driver in drivers:
                leaving.create_task(driver.leave(cancel=settings.cancel_on_exit))
        reading.cancel()


def _drivers(settings: DriverSettings, wishes: Sequence[Wish], bus: Bus) -> list[Driver]:
    patience = Patience(settings.request_interval, settings.response_timeout_s, settings.give_up_after_s)
    one_driver = partial(
        Driver,
        bus=bus,
        patience=patience,
        repeat=settings.repeat,
        now=_now,
        new_request_id=lambda: f"req-{uuid4().hex}",
    )
    if settings.count == 1:
        return [one_driver(RequestBook(settings.driver_id), wishes)]
    return [
        one_driver(RequestBook(f"{settings.driver_id}-{number + 1}"), _from(wishes, number))
        for number in range(settings.count)
    ]


def _from(wishes: Sequence[Wish], number: int) -> Sequence[Wish]:
    """The same round, begun further on, so that drivers who start together do not all want the same charge point."""
    start = number % len(wishes) if wishes else 0
    return [*wishes[start:], *wishes[:start]]


def _wishes(path: Path) -> Sequence[Wish]:
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            f"--requests-file {path}: cannot be read ({error.strerror}); expected lines like CP-001 or CP-001,10"
        ) from None
    parsed = parse_requests(text)
    for bad_line in parsed.bad_lines:
        log.warning("%s, %s", path, bad_line)
    if parsed.bad_lines and not parsed.wishes:
        raise UsageError(f"--requests-file {path}: no line is a request; the first: {parsed.bad_lines[0]}")
    if not parsed.wishes:
        log.warning("%s asks for nothing", path)
    return parsed.wishes


def _check_writable(path: Path | None) -> None:
    """Say before hours of work, not after, that the summary has nowhere to go."""
    if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
        raise UsageError(f"--summary-json {path}: cannot be written; expected a file in a folder that is there")


def _sum_up(drivers: Sequence[Driver], path: Path | None) -> None:
    total = Summary.of(driver.summary for driver in drivers)
    earlier = Summary.of(driver.earlier for driver in drivers)
    for driver in drivers:
        structlog.get_logger().bind(who=f"Driver:{driver.book.driver_id}").info(str(driver.summary))
    if len(drivers) > 1:
        log.info("%d drivers, %s", len(drivers), total)
    if path is not None:
        write_summary(path, [driver.book.driver_id for driver in drivers], total=total, earlier=earlier)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
