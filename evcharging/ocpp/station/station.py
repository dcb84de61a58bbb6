"""A simulated charging station: what it is made of, how it lives and ends, and what may be done to it from outside.

This is the version-free core; its `Wire` speaks one version of OCPP. A station never touches another one: whatever goes
wrong inside it ends its own `run` with that error. Nothing here reads a clock, a file or the network by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from evcharging.domain.authorization_store import StationAuthorization
from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charging_profiles import ChargingProfiles
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station import last_words, wording
from evcharging.ocpp.station.arrivals import Arrivals
from evcharging.ocpp.station.authorizing import Authorizing
from evcharging.ocpp.station.availability import Availability
from evcharging.ocpp.station.charging import Charging
from evcharging.ocpp.station.connection import Connection
from evcharging.ocpp.station.connector import Connector
from evcharging.ocpp.station.delivery import Delivery
from evcharging.ocpp.station.guarded_clock import GuardedClock
from evcharging.ocpp.station.interfaces import (
    ChargerFactory,
    Dial,
    Environment,
    StandingOrders,
    StationClock,
    StationListener,
    StationSettings,
    StationSnapshot,
    TransactionRecord,
)
from evcharging.ocpp.station.life import Life
from evcharging.ocpp.station.link import Link
from evcharging.ocpp.station.log_book import LogBook
from evcharging.ocpp.station.maintenance import Maintenance
from evcharging.ocpp.station.metering import Metering
from evcharging.ocpp.station.model_charger import model_charger
from evcharging.ocpp.station.outbox import Outbox
from evcharging.ocpp.station.parameters import Parameters
from evcharging.ocpp.station.power import Power
from evcharging.ocpp.station.randomness import StationRandom
from evcharging.ocpp.station.rebooting import Rebooting
from evcharging.ocpp.station.registration import Registration
from evcharging.ocpp.station.reservations import Reservations
from evcharging.ocpp.station.resuming import resume
from evcharging.ocpp.station.snapshot import snapshot_of
from evcharging.ocpp.station.standing_orders import put_back
from evcharging.ocpp.station.wires import wire_for

if TYPE_CHECKING:
    from evcharging.ocpp.station.wire import Wire


_UNCHANGED: Final[Mapping[str, str]] = {}


class Station:
    """One station, from power-up to the end of `run`.

    Args:
        settings: What makes it.
        clock, environment, listener: Its surroundings.
        dial: Opens its websocket.
        chargers: Makes the charger of a connector; the domain's model without.
    """

    __slots__ = (
        "__weakref__",
        "_group",
        "_living",
        "_running",
        "arrivals",
        "authorization",
        "authorizing",
        "availability",
        "charging",
        "clock",
        "configured",
        "connectors",
        "environment",
        "firmware_version",
        "life",
        "link",
        "listener",
        "log_book",
        "maintenance",
        "metering",
        "outbox",
        "parameters",
        "power",
        "profiles",
        "rebooting",
        "records",
        "registration",
        "reservations",
        "rng",
        "settings",
        "stopping",
        "wire",
    )

    def __init__(
        self,
        settings: StationSettings,
        *,
        clock: StationClock,
        environment: Environment,
        listener: StationListener,
        dial: Dial,
        chargers: ChargerFactory | None = None,
    ) -> None:
        self.settings = settings
        self.clock = GuardedClock(clock, self._fail)
        self.environment = environment
        self.listener = listener
        self.rng = StationRandom(settings.seed, settings.station_id)
        self.log_book = LogBook()
        orders = settings.orders or StandingOrders()
        self.firmware_version = orders.firmware_version or settings.firmware_version
        self.parameters: Parameters = Parameters()
        self.configured: Mapping[str, str] = _UNCHANGED
        """What the CSMS changed in the configuration, by the version's own names; never a password."""
        self.authorization = StationAuthorization(local_list=orders.local_list)
        self.profiles = ChargingProfiles(installed=settings.charging_profiles)
        self.records: dict[str, TransactionRecord] = {}
        """Transactions whose end the CSMS has not answered yet, by local id."""
        connection = Connection(self)
        self.registration: Registration = Registration(self, on_accepted=connection.accepted)
        self.availability: Availability = Availability(self)
        make = chargers or partial(model_charger, settings, self.clock.now_s())
        self.connectors: list[Connector] = [
            Connector(self, number, make(number)) for number in range(1, settings.connectors + 1)
        ]
        self.authorizing: Authorizing = Authorizing(self)
        self.charging: Charging = Charging(self)
        self.arrivals: Arrivals = Arrivals(self)
        self.metering: Metering = Metering(self)
        self.power: Power = Power(self)
        self.reservations: Reservations = Reservations(self)
        self.maintenance: Maintenance = Maintenance(self)
        self.rebooting: Rebooting = Rebooting(self)
        self.life: Life | None = None if settings.profile is None else Life(self, settings.profile)
        self.wire: Wire = wire_for(self)
        self.link: Link = Link(
            settings,
            dial=dial,
            clock=self.clock,
            rng=self.rng,
            parameters=self.parameters,
            handle=self.wire.handle,
            events=connection,
            listener=listener,
        )
        delivery = Delivery(self)
        self.outbox: Outbox = Outbox(
            clock=self.clock,
            parameters=self.parameters,
            on_failure=self._fail,
            transmit=self.link.ask,
            on_answer=delivery.answered,
            on_given_up=delivery.given_up,
            store=settings.queue,
        )
        self._group: asyncio.TaskGroup | None = None
        self._living: asyncio.Task[None] | None = None
        self._running = False
        self.stopping = False
        """Whether it was told to stop: no session begins any more."""

    @property
    def online(self) -> bool:
        """Whether the CSMS can be reached and has accepted the station."""
        return self.link.connected and self.registration.accepted

    @property
    def running(self) -> bool:
        """Whether `run` is under way."""
        return self._running

    @property
    def logs(self) -> tuple[str, ...]:
        """The last log lines, newest last."""
        return self.log_book.lines

    async def run(self) -> None:
        """Live until stopped. Cancelled, it is without power: nothing more is sent, its queue store stands.

        Raises an ExceptionGroup with whatever went wrong inside.
        """
        unwatch = self.environment.watch(self._environment_changed)
        self._running = True
        try:
            async with asyncio.TaskGroup() as self._group:
                for connector in self.connectors:
                    connector.charger.watch(self._charger_changed(connector))
                resume(self)
                put_back(self)
                self.metering.reset_aligned()
                if self.life is not None:
                    self._living = self._group.create_task(self.life.run())
                await self.link.run()
                raise _Ended  # noqa: TRY301 - the one way to end a task group and all that is in it
        except* _Ended:
            pass
        finally:
            self._running = False
            self._group = None
            self.clock.stopped = True
            unwatch()
            self.outbox.close()
            for connector in self.connectors:
                connector.charger.close()

    async def stop(self, *, reason: str = "Local") -> None:
        """End transactions with `reason`, deliver what waits if it can be, close with 1001, end `run`."""
        if not self._running:
            return
        self.log(wording.shutdown(reason))
        self.stopping = True
        if self._living is not None:
            self._living.cancel()
        for connector in self.connectors:
            connector.forget_expected()
        self.charging.end_all(reason)
        self.outbox.hurry()
        await last_words.deliver(self)
        await self.link.close()

    def drop(self) -> None:
        """Cut the socket, as a broken network does."""
        self.link.drop()

    def snapshot(self) -> StationSnapshot:
        """Return the station as it is now."""
        return snapshot_of(self)

    def plug_in(self, connector_id: int, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable. Raises ChargerError where one is there."""
        self.arrivals.plug_in(self._named(connector_id), vehicle)

    def unplug(self, connector_id: int) -> None:
        """Take the cable out, as the driver does."""
        self.arrivals.unplug(self._named(connector_id))

    async def present(self, id_tag: str, connector_id: int | None = None) -> bool:
        """Hold a card to the reader: it starts a session or stops one; return whether it was accepted."""
        return await self.arrivals.present(id_tag, connector_id)

    def inject_fault(self, connector_id: int, code: FaultCode) -> None:
        """Let an outlet fail; what runs there ends."""
        connector = self._named(connector_id)
        connector.read()
        connector.charger.inject_fault(code)
        self.charging.fault(connector)

    def clear_fault(self, connector_id: int) -> bool:
        """End an injected fault, and release the emergency button; return whether no fault is left."""
        connector = self._named(connector_id)
        cleared = connector.charger.clear_fault()
        self.charging.release(connector)
        return cleared

    def emergency_stop(self, connector_id: int) -> None:
        """Press the emergency button."""
        self.charging.emergency_stop(self._named(connector_id))

    def connector(self, connector_id: int | None) -> Connector | None:
        """Return a connector by its number, None where there is none (and for 0)."""
        if connector_id is None or not 1 <= connector_id <= len(self.connectors):
            return None
        return self.connectors[connector_id - 1]

    def log(self, message: str) -> None:
        """Write a log line."""
        line = self.log_book.write(self.clock.now_s(), message)
        self.listener.log(self.settings.station_id, line)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the rest of this station; its failure is the station's."""
        if self._group is None:
            work.close()
            raise RuntimeError(f"{self.settings.station_id} does not run")
        return self._group.create_task(work)

    async def reboot(self, reason: str) -> None:
        """Close the connection, be gone for a while, and boot anew because of `reason`."""
        self.log(wording.rebooting(reason))
        self.registration.forget(reason)
        self.outbox.shut()
        await self.link.restart(absent_s=self.settings.reboot_s)

    def tell_statuses(self, *, again: bool) -> None:
        """Tell the states that changed, or `again` all of them, the station's own first."""
        for line in (self.availability.line, *(connector.line for connector in self.connectors)):
            line.tell(again=again)

    def connector_changed(self, connector: Connector) -> None:
        """A connector has another state."""
        del connector
        self.listener.changed(self.settings.station_id)

    def _environment_changed(self) -> None:
        if self.life is not None:
            self.life.environment_changed()

    def _charger_changed(self, connector: Connector) -> Callable[[], None]:
        def changed() -> None:
            connector.read()
            self.charging.observe(connector)

        return changed

    def _named(self, connector_id: int) -> Connector:
        connector = self.connector(connector_id)
        if connector is None:
            raise ValueError(
                f"{self.settings.station_id} has connectors 1 to {len(self.connectors)}, not {connector_id}"
            )
        return connector

    def _fail(self, error: Exception) -> None:
        async def fail() -> None:
            raise error

        if self._group is not None:
            self.spawn(fail())


class _Ended(Exception):
    """Raised inside `run` to end it."""
