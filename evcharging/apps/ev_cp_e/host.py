"""All charge points of one process: opens their channels, reads their past, feeds them commands, ends in good order.

The work of a charge point is its own (`unit`); here is what they share: one reader of commands and site signals, one
sender, one beat a second for what concerns them all. The cost grows with the frames and commands, not with the units.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from evcharging.apps.ev_cp_e.charge_point import ChargePoint
from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.mqtt_feed import MqttFeed
from evcharging.apps.ev_cp_e.past import read_past
from evcharging.apps.ev_cp_e.phases import Phase
from evcharging.apps.ev_cp_e.recovery import Memory
from evcharging.apps.ev_cp_e.settings import EngineSettings
from evcharging.apps.ev_cp_e.site_share import SiteShare
from evcharging.apps.ev_cp_e.tally import Tally
from evcharging.apps.ev_cp_e.unit import Unit
from evcharging.apps.ev_cp_e.virtual_chargers import VirtualChargers
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.sender import HOLD_AT, Sender
from evcharging.apps.runtime.service import until_stopped
from evcharging.bus.consumer import Consumer
from evcharging.bus.protocol import Bus, Position, Since
from evcharging.can.bus import CanBus, CanUnavailable
from evcharging.can.connect import CanAddress
from evcharging.can.link import ChargerLink
from evcharging.messages.commands import LONGEST_EXPIRY_S, Command
from evcharging.messages.envelope import Event, Received
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import COMMANDS, SITE_SIGNALS
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.discovery import HomeAssistant
from evcharging.mqtt.publisher import UnitPublisher

__all__ = ["EngineHost"]

log = structlog.get_logger()

BEAT_S: Final = 1.0
LEAVE_WITHIN_S: Final = 5.0
DRAIN_WITHIN_S: Final = 5.0
CLOCKS_APART: Final = timedelta(seconds=5)


class EngineHost:
    """The engine of one process. Make it, serve its health, and `run` it once.

    Args:
        settings: see `EngineSettings`.
        bus: not started yet; it is stopped when `run` ends.
        clock: the time.
        boot_id: names this life of the process; no two share one.
        hold_at: see `Sender`.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        bus: Bus,
        clock: Callable[[], Moment],
        boot_id: str,
        hold_at: int = HOLD_AT,
    ) -> None:
        self.units: dict[str, Unit] = {}
        """The charge points by id; empty until the log has been read."""
        self._settings = settings
        self._terms = settings.terms
        self._bus = bus
        self._clock = clock
        self._boot_id = boot_id
        self._source = f"engine/{settings.name}"
        self._sender = Sender(bus, hold_at=hold_at)
        self._site = SiteShare(settings.site_id)
        self._tally = Tally()
        self._feed = MqttFeed(self.units, rating_kw=self._terms.rating_kw, now=lambda: clock().wall)
        self._mqtt: UnitPublisher | None = None
        self._consumer: Consumer | None = None
        self._solar_fraction = 0.0
        self._congested = False
        self._sharing = False

    @property
    def cp_ids(self) -> tuple[str, ...]:
        """Every charge point, in order."""
        return self._settings.cp_ids

    def checks(self) -> Mapping[str, bool]:
        """What readiness depends on: the broker in reach, commands read, every charge point announced, MQTT if on."""
        return {
            "kafka": self._bus.health().connected and not self._congested,
            "commands": self._commands_read(),
            "charge_points": bool(self.units) and all(unit.booted for unit in self.units.values()),
            **({"mqtt": self._mqtt.health().connected} if self._mqtt is not None else {}),
        }

    def health_of(self, cp_id: str) -> Mapping[str, Any]:
        """How one charge point is, for its monitor."""
        unit = self.units.get(cp_id)
        if unit is None or not unit.booted:
            detail: str | None = "starting"
        elif unit.point.charger_silent:
            detail = "charger_silent"
        else:
            detail = None if self._commands_read() else "commands_not_read"
        return {
            "cp_id": cp_id,
            "healthy": detail is None,
            "state": unit.point.state.value if unit is not None else "DISCONNECTED",
            "detail": detail,
            "price_per_kwh": float(self._terms.euro_rate),
            "rating_kw": round(self._terms.rating_kw, 3),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Live until ``stop`` is set, then end every session and say goodbye. A cancellation says nothing, as a kill.

        Raises:
            UsageError: a CAN interface cannot be opened, or an OCPP station is connected or registered under one of the
                ids.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._bus.stop)
            began = self._clock()
            memory = await until_stopped(stop, self._read_past(began))
            if memory is None:
                return
            self._require_free_ids(memory)
            chargers = await self._open_units(memory, stack)
            since = Since(began.wall - timedelta(seconds=LONGEST_EXPIRY_S) - CLOCKS_APART)
            self._consumer = await stack.enter_async_context(
                Consumer(
                    self._bus,
                    {COMMANDS: since, SITE_SIGNALS: Position.BEGINNING},
                    handler=self._handle,
                    name=self._source,
                )
            )
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in (self._sender.run(), self._beat(), chargers.run())]
                reading = group.create_task(self._consumer.run())
                feeding = group.create_task(self._feed_mqtt())
                await stop.wait()
                reading.cancel()
                feeding.cancel()
                await self._leave()
                for task in tasks:
                    task.cancel()

    async def _read_past(self, began: Moment) -> Memory:
        log.info("waiting for the bus", kafka=self._settings.kafka_bootstrap)
        await self._bus.start()
        return await read_past(self._bus, self.cp_ids, source=self._source, now=began.wall)

    def _require_free_ids(self, memory: Memory) -> None:
        pasts = {cp_id: memory.past_of(cp_id) for cp_id in self.cp_ids}
        if taken := [cp_id for cp_id, past in pasts.items() if past.station_connected]:
            raise UsageError(
                f"--cp-id: under {', '.join(taken[:10])} an OCPP station is connected; take another id, "
                "or disconnect the station first"
            )
        if taken := [cp_id for cp_id, past in pasts.items() if past.station_registered]:
            raise UsageError(
                f"--cp-id: under {', '.join(taken[:10])} an OCPP station is registered, which may connect at any time; "
                "take another id, or withdraw the registration first (DELETE /api/v1/ocpp-stations/{cp_id} at Central)"
            )

    async def _open_units(self, memory: Memory, stack: contextlib.AsyncExitStack) -> VirtualChargers:
        settings = self._settings
        address = CanAddress.parse(settings.can)
        chargers = VirtualChargers(spec=self._terms.spec, vehicle=settings.vehicle, time_scale=settings.time_scale)
        stack.callback(chargers.close)
        if settings.mqtt is not None:
            self._mqtt = await stack.enter_async_context(self._connect_mqtt(settings.mqtt))
        if settings.kw_rate > self._terms.spec.rated_kw:
            log.warning("--kw-rate is above the chargers' rating and is clamped", rating_kw=self._terms.rating_kw)
        for cp_id in self.cp_ids:
            past = memory.past_of(cp_id)
            if address.interface == "virtual":
                chargers.add(_open(address, cp_id, stack), past)
            can_bus = _open(address, cp_id, stack)
            link = ChargerLink(can_bus)
            point = ChargePoint(
                cp_id,
                terms=self._terms,
                charger=link.readings,
                past=past,
                source=self._source,
                boot_id=self._boot_id,
            )
            unit = self.units[cp_id] = Unit(
                point,
                link,
                can_bus,
                clock=self._clock,
                publish=self._publish,
                solar_fraction=lambda: self._solar_fraction,
                congested=lambda: self._congested,
            )
            stack.callback(unit.close)
            unit.open()
        log.info("charge points are open", count=len(self.units), can=settings.can)
        return chargers

    def _connect_mqtt(self, url: str) -> UnitPublisher:
        return UnitPublisher(
            MqttAddress.parse(url),
            engine_id=self._settings.name,
            clock=lambda: self._clock().wall,
            expected_units=len(self.cp_ids),
            on_command=self._feed.carry_out,
            discovery=HomeAssistant.under(self._settings.mqtt_discovery),
        )

    async def _handle(self, batch: Sequence[Received[Any]]) -> None:
        """Take what came from the bus. Commands are executed as they come; none waits for another unit's."""
        replayed = self._consumer is None or not self._consumer.caught_up()
        for received in batch:
            match received.message:
                case SiteSignal() as signal:
                    if self._site.take(signal):
                        self._share_site()
                case Command() as command:
                    unit = self.units.get(command.cp_id)
                    if unit is not None:
                        unit.command(received, replayed=replayed)

    def _publish(self, event: Event[Any], again: bool) -> None:
        self._sender.send(event)
        if again:
            return
        self._tally.count(event)
        if self._mqtt is not None:
            self._feed.published(event, self._mqtt)
        if self._site.limit_kw is not None and not self._sharing:
            # Sessions may have begun or ended; once for all of them that do so at this moment.
            self._sharing = True
            asyncio.get_running_loop().call_soon(self._share_site)

    def _share_site(self) -> None:
        """Share sun and limit among the sessions there are now."""
        self._sharing = False
        busy = {
            cp_id: unit for cp_id, unit in self.units.items() if unit.point.phase in (Phase.STARTING, Phase.SUPPLYING)
        }
        drawn_kw = sum(unit.point.power_kw for unit in busy.values())
        if drawn_kw > 0.0 or not busy:
            self._solar_fraction = self._site.solar_fraction(drawn_kw)
        shares = self._site.shares_kw({cp_id: unit.point.demand for cp_id, unit in busy.items()})
        for cp_id, share_kw in shares.items():
            busy[cp_id].share(share_kw)

    async def _beat(self) -> None:
        while True:
            self._congested = self._sender.congested
            self._share_site()
            self._tally.look(self.units.values(), held=self._sender.waiting)
            await asyncio.sleep(BEAT_S)

    async def _feed_mqtt(self) -> None:
        while self._mqtt is not None:
            self._feed.measure(self._mqtt, solar_fraction=self._solar_fraction)
            await asyncio.sleep(self._settings.mqtt_interval)

    async def _leave(self) -> None:
        for unit in self.units.values():
            unit.leave()
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S):
                for unit in self.units.values():
                    await unit.wait_gone()
        except TimeoutError:
            left = [unit.cp_id for unit in self.units.values() if not unit.gone]
            log.error("charge points did not end in time", count=len(left), charge_points=",".join(left[:10]))  # noqa: TRY400
        await self._sender.drain(DRAIN_WITHIN_S)

    def _commands_read(self) -> bool:
        """Whether commands are being read; also while there are none, or no broker to have them from."""
        return self._consumer is not None and self._consumer.caught_up() and self._consumer.health().progressing


def _open(address: CanAddress, cp_id: str, stack: contextlib.AsyncExitStack) -> CanBus:
    try:
        can_bus = address.open(cp_id)
    except CanUnavailable as error:
        raise UsageError(f"--can: {error}") from None
    stack.push_async_callback(can_bus.close)
    return can_bus
