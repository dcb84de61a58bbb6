"""``evcharging station``: one OCPP station, its chargers on CAN, its log on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ssl import SSLContext

import structlog
from rich.console import Console

from evcharging.apps.charger.keyboard import keys_heard
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.service import run_service
from evcharging.apps.station.can_charger import CanCharger
from evcharging.apps.station.keys import LEGEND, StationKeys
from evcharging.apps.station.memory import BadMemory, StationMemory
from evcharging.apps.station.mqtt_feed import MqttFeed
from evcharging.apps.station.outlets import Outlets
from evcharging.apps.station.settings import BY_HAND, StationAppSettings
from evcharging.apps.station.terminal import Terminal
from evcharging.domain.behaviour import BehaviourProfile, ProfileError, UnknownProfile, profile_named
from evcharging.domain.charger_state import ChargerError
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.publisher import UnitPublisher
from evcharging.ocpp.client_tls import BadTlsFile, client_tls
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.fault_kinds import FaultPlan
from evcharging.ocpp.station.faults import FaultyFrames
from evcharging.ocpp.station.interfaces import QueueStore, StationSettings, TransactionRecord
from evcharging.ocpp.station.queue_file import QueueFile, QueueFileError
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

__all__ = ["main", "station"]

log = structlog.get_logger()

REMEMBER_S = 1.0
"""Between two looks at what has to be known after a kill."""
LOOK_S = 0.25
"""Between two looks at the states for MQTT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the station and return its exit code: 0 stopped or its time was over, 1 no charger, 2 bad settings."""
    return run_service(station, StationAppSettings, argv)


async def station(settings: StationAppSettings, stop: asyncio.Event) -> None:
    """Run the station of ``settings`` until ``stop`` is set or its time is over."""
    terminal = Terminal(Console(highlight=False), as_json=settings.log_format == "json")
    clock = LoopClock()
    environment = SharedEnvironment(price=settings.price, currency=settings.currency, hour=_hour())
    profile, tls = _profile(settings), _tls(settings)
    async with contextlib.AsyncExitStack() as stack:
        memory, queue = _memory(settings), _queue(settings)
        if queue is not None:
            stack.callback(queue.close)
        outlets = Outlets(settings.can, settings.spec, settings.vehicle, stack)
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(outlets.run()), group.create_task(_follow_hour(environment))]
            try:
                registers_wh = _registers(memory, settings.connectors)
                chargers = [
                    await outlets.open(channel, register_wh=register_wh)
                    for channel, register_wh in zip(settings.channels, registers_wh, strict=True)
                ]
                left = () if memory is None else _left(memory, chargers)
                one = Station(
                    _station_settings(settings, profile, tls, queue, clock, terminal, left),
                    clock=clock,
                    environment=environment,
                    listener=terminal,
                    dial=dial,
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


def _station_settings(
    settings: StationAppSettings,
    profile: BehaviourProfile | None,
    tls: SSLContext | None,
    queue: QueueStore | None,
    clock: LoopClock,
    terminal: Terminal,
    left: Sequence[TransactionRecord],
) -> StationSettings:
    plan = FaultPlan.parse(settings.faults)
    faults = FaultyFrames(
        plan,
        version=settings.version,
        seed=settings.seed,
        call_later=clock.call_later,
        on_fault=lambda kind: terminal.fault(settings.id, kind),
        on_judgement=lambda judgement: terminal.judged(settings.id, judgement),
    )
    return StationSettings(
        station_id=settings.id,
        csms_url=settings.csms_url,
        version=settings.version,
        connectors=settings.connectors,
        spec=settings.spec,
        profile=profile,
        password=None if settings.password is None else settings.password.get_secret_value(),
        ssl_context=tls,
        seed=settings.seed,
        configuration=settings.configured,
        queue=queue,
        resume=left,
        faults=faults if plan.rates else None,
        vehicles_come=profile is not None,
        watch_interval_s=1.0,
    )


def _profile(settings: StationAppSettings) -> BehaviourProfile | None:
    if settings.profile == BY_HAND:
        return None
    try:
        return profile_named(load_profiles(settings.profiles_dir), settings.profile)
    except (ProfileError, UnknownProfile) as error:
        raise UsageError(f"--profile {settings.profile}: {error}") from None


def _tls(settings: StationAppSettings) -> SSLContext | None:
    if not settings.csms_url.startswith("wss:"):
        if settings.ca or settings.client_cert or settings.client_key:
            raise UsageError(f"--ca, --client-cert and --client-key are for wss://; got --csms-url {settings.csms_url}")
        return None
    try:
        return client_tls(ca_file=settings.ca, cert_file=settings.client_cert, key_file=settings.client_key)
    except BadTlsFile as error:
        raise UsageError(f"--ca, --client-cert or --client-key: {error}") from None


def _queue(settings: StationAppSettings) -> QueueStore | None:
    if settings.queue_file is None:
        return None
    try:
        return QueueFile(settings.queue_file, sync=True)
    except QueueFileError as error:
        raise UsageError(f"--queue-file {error}") from None
    except OSError as error:
        raise UsageError(f"--queue-file {settings.queue_file}: cannot be used ({error.strerror})") from None


def _memory(settings: StationAppSettings) -> StationMemory | None:
    """Beside the queue file: what has to be known again together with it."""
    if settings.queue_file is None:
        return None
    try:
        return StationMemory(settings.queue_file.with_name(settings.queue_file.name + ".open"), settings.id)
    except BadMemory as error:
        raise UsageError(f"--queue-file: {error}") from None


def _registers(memory: StationMemory | None, connectors: int) -> list[float]:
    known = () if memory is None else memory.registers_wh
    return [known[number] if number < len(known) else 0.0 for number in range(connectors)]


def _left(memory: StationMemory, chargers: Sequence[CanCharger]) -> tuple[TransactionRecord, ...]:
    """The transactions that a kill left open, with the energy until the charger stopped."""
    for record in memory.transactions:
        if record.ended_at_s is None and record.connector_id <= len(chargers):
            register_wh = chargers[record.connector_id - 1].advance(0.0).register_wh
            record.meter_wh = max(record.meter_wh, int(register_wh))
    return memory.transactions


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
