"""``evcharging station``: one OCPP station, its chargers on CAN, its log on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from rich.console import Console

from evcharging.apps.charger.keyboard import keys_heard
from evcharging.apps.runtime.csms_reach import told_with_hint
from evcharging.apps.runtime.errors import GaveUp
from evcharging.apps.runtime.service import run_service
from evcharging.apps.station.assembly import (
    left_open,
    make_station,
    memory_of,
    profile_of,
    queue_of,
    registers_of,
    station_settings,
    tls_of,
)
from evcharging.apps.station.can_charger import CanCharger
from evcharging.apps.station.keys import LEGEND, StationKeys
from evcharging.apps.station.memory import BadMemory, StationMemory
from evcharging.apps.station.mqtt_feed import MqttFeed
from evcharging.apps.station.outlets import Outlets
from evcharging.apps.station.settings import StationAppSettings
from evcharging.apps.station.terminal import Terminal
from evcharging.domain.charger_state import ChargerError
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.discovery import HomeAssistant
from evcharging.mqtt.publisher import UnitPublisher
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.station import Station

__all__ = ["main", "station"]

log = structlog.get_logger()

REMEMBER_S = 1.0
"""Between two looks at what has to be known after a kill."""
LOOK_S = 0.25
"""Between two looks at the states for MQTT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the station and return its exit code.

    0 stopped or its time was over, 1 no charger or no CSMS in all its time, 2 bad settings.
    """
    return run_service(station, StationAppSettings, argv)


async def station(settings: StationAppSettings, stop: asyncio.Event) -> None:
    """Run the station of ``settings`` until ``stop`` is set or its time is over."""
    terminal = Terminal(Console(highlight=False), as_json=settings.log_format == "json")
    clock = LoopClock()
    environment = SharedEnvironment(price=settings.price, currency=settings.currency, hour=_hour())
    profile, tls = profile_of(settings), tls_of(settings)
    async with contextlib.AsyncExitStack() as stack:
        memory, queue = memory_of(settings), queue_of(settings)
        if queue is not None:
            stack.callback(queue.close)
        outlets = Outlets(settings.can, settings.spec, settings.vehicle, stack)
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(outlets.run()), group.create_task(_follow_hour(environment))]
            try:
                registers_wh = registers_of(memory, settings.connectors)
                chargers = [
                    await outlets.open(channel, register_wh=register_wh)
                    for channel, register_wh in zip(settings.channels, registers_wh, strict=True)
                ]
                left = () if memory is None else left_open(memory, chargers)
                one = make_station(
                    station_settings(settings, profile, tls, queue, clock, terminal, left),
                    clock=clock,
                    environment=environment,
                    listener=terminal,
                    chargers=lambda number: chargers[number - 1],
                )
                for number, charger in enumerate(chargers, 1):
                    charger.on_cable(_follow_cable(one, number, settings, terminal))
                if settings.mqtt is not None:
                    publisher = await stack.enter_async_context(_publisher(settings))
                    helpers.append(group.create_task(_feed(one, chargers, publisher, settings, environment)))
                if memory is not None:
                    terminal.on_transaction = functools.partial(_keep, one, memory)
                    helpers.append(group.create_task(_remember(one, memory)))
                await _live(one, settings, terminal, stop, group)
                if memory is not None:
                    _keep(one, memory)
                terminal.summary(settings.id, one.snapshot())
            finally:
                for helper in helpers:
                    helper.cancel()
    if not terminal.ever_connected:
        _say_never_connected(settings, terminal, stop)


def _say_never_connected(settings: StationAppSettings, terminal: Terminal, stop: asyncio.Event) -> None:
    """Raises GaveUp where its time was over; who stops it by hand has been told before, and gets what was asked for."""
    reason = terminal.last_reason or "no attempt came to an end"
    told = f"never connected to {settings.csms_url}: {told_with_hint(reason)}"
    if not stop.is_set():
        raise GaveUp(told)
    terminal.note(settings.id, f"           {told}")


async def _live(
    one: Station, settings: StationAppSettings, terminal: Terminal, stop: asyncio.Event, group: asyncio.TaskGroup
) -> None:
    running = group.create_task(one.run())
    stopping = group.create_task(stop.wait())
    keys = StationKeys(
        one,
        connectors=settings.connectors,
        id_tag=settings.id_tag,
        vehicle=settings.vehicle,
        spawn=group.create_task,
        say=lambda line: terminal.note(settings.id, line),
        show=lambda: terminal.show(one.snapshot()),
        end=stop.set,
    )
    with keys_heard(keys.press) as has_keys:
        if has_keys:
            terminal.note(settings.id, LEGEND)
        await asyncio.wait({running, stopping}, timeout=settings.duration, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        await one.stop()
    await running


async def _remember(one: Station, memory: StationMemory) -> None:
    while True:
        await asyncio.sleep(REMEMBER_S)
        _keep(one, memory)


def _keep(one: Station, memory: StationMemory) -> None:
    try:
        memory.keep(one.records.values(), [connector.reading.register_wh for connector in one.connectors])
    except BadMemory as error:
        log.warning("what is open will not be known after a kill", reason=str(error))


def _follow_cable(
    one: Station, number: int, settings: StationAppSettings, terminal: Terminal
) -> Callable[[bool], None]:
    """What to do where a vehicle comes or leaves at the charger itself, not by the station."""

    def follow(plugged: bool) -> None:
        try:
            if plugged:
                one.plug_in(number, settings.vehicle)
            else:
                one.unplug(number)
        except ChargerError as error:
            terminal.note(settings.id, f"connector {number}: {error}")

    return follow


def _publisher(settings: StationAppSettings) -> UnitPublisher:
    return UnitPublisher(
        MqttAddress.parse(settings.mqtt or ""),
        engine_id=settings.id,
        clock=lambda: datetime.now(UTC),
        expected_units=settings.connectors,
        discovery=HomeAssistant.under(settings.mqtt_discovery),
    )


async def _feed(
    one: Station,
    chargers: Sequence[CanCharger],
    publisher: UnitPublisher,
    settings: StationAppSettings,
    environment: SharedEnvironment,
) -> None:
    feed = MqttFeed(
        publisher,
        settings.channels,
        rating_kw=round(settings.spec.rated_kw, 3),
        read=lambda number: chargers[number - 1].advance(0.0),
        price=lambda: environment.price,
        currency=settings.currency,
        now=lambda: datetime.now(UTC),
    )
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    while True:
        snapshot = one.snapshot()
        feed.follow(snapshot)
        if loop.time() >= due_s:
            feed.measure(snapshot)
            due_s = max(due_s + settings.mqtt_interval, loop.time())
        await asyncio.sleep(min(LOOK_S, settings.mqtt_interval))


async def _follow_hour(environment: SharedEnvironment) -> None:
    while True:
        environment.change(hour=_hour())
        await asyncio.sleep(1.0)


def _hour() -> int:
    return datetime.now().astimezone().hour


if __name__ == "__main__":
    sys.exit(main())
