"""A station on a loopback with a CSMS that holds every frame to the standard's schemas, on a clock moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.exchange import Exchange
from evcharging.ocpp.loopback import LoopbackNetwork, LoopbackRefused, LoopbackSocket, Opening
from evcharging.ocpp.station.clock import ManualClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.interfaces import ChargerFactory, StationSettings, TransactionRecord
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.versions import OcppVersion, version_of

Payload = dict[str, Any]

VEHICLE = VehicleSpec(capacity_kwh=60.0, onboard_kw=7.36, arrival_soc=0.3)
NOON_S = 1_750_032_000.0  # 2025-06-16T00:00:00Z


class Csms:
    """The far end. `answers` may hold a payload, an exception to raise, or a function of the request."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Payload]] = []
        self.problems: list[str] = []
        self.openings: list[Opening] = []
        self.silent: set[str] = set()
        self.refuse: str | None = None
        self.transactions = itertools.count(1)
        self.exchange: Exchange | None = None
        self.socket: LoopbackSocket | None = None
        self._ids = itertools.count(1)
        now = "2025-06-16T00:00:00Z"
        self.answers: dict[str, Any] = {
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "BootNotification": {"status": "Accepted", "interval": 300, "currentTime": now},
            "Heartbeat": {"currentTime": now},
            "StartTransaction": lambda _: {
                "transactionId": next(self.transactions),
                "idTagInfo": {"status": "Accepted"},
            },
        }

    def accept(self, opening: Opening, socket: LoopbackSocket) -> str | None:
        self.openings.append(opening)
        if self.refuse is not None:
            raise LoopbackRefused(self.refuse)
        version = version_of(opening.subprotocols[0]) or OcppVersion.V16
        self.exchange = Exchange(
            version,
            send=socket.send,
            handle=self._handle,
            new_id=lambda: f"csms-{next(self._ids)}",
            observer=self,
        )
        self.socket = socket
        socket.on_text = self.exchange.receive
        socket.on_closed = self.exchange.close
        return opening.subprotocols[0]

    async def call(self, action: str, payload: Payload | None = None) -> Payload:
        """Call the station; the answer was held to its schema."""
        assert self.exchange is not None
        return await self.exchange.call(action, payload or {}, timeout_s=5.0)

    def of(self, action: str) -> list[Payload]:
        return [payload for seen, payload in self.received if seen == action]

    def actions(self) -> list[str]:
        return [action for action, _ in self.received]

    def statuses(self, connector_id: int = 1) -> list[str]:
        return [one["status"] for one in self.of("StatusNotification") if one["connectorId"] == connector_id]

    def _handle(self, action: str, payload: Payload) -> Any:
        self.received.append((action, payload))
        if action in self.silent:
            return asyncio.get_running_loop().create_future()
        answer = self.answers.get(action, {})
        if isinstance(answer, Exception):
            raise answer
        return answer(payload) if callable(answer) else answer

    def called(self, action: str, seconds: float | None, outcome: str) -> None: ...

    def handled(self, action: str, seconds: float, outcome: str) -> None:
        if outcome != "ok":
            self.problems.append(f"{action}: {outcome}")

    def ignored(self, reason: str) -> None:
        self.problems.append(reason)


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.latencies: list[tuple[str, float]] = []
        self.began: list[TransactionRecord] = []
        self.ended: list[TransactionRecord] = []
        self.settled: list[TransactionRecord] = []
        self.dropped: list[str] = []
        self.connections: list[str] = []
        self.registrations: list[str] = []
        self.changes = 0

    def log(self, station_id: str, line: str) -> None:
        self.lines.append(line)

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        self.calls.append((action, outcome))
        if seconds is not None:
            self.latencies.append((action, seconds))

    def connected(self, station_id: str) -> None:
        self.connections.append("up")

    def disconnected(self, station_id: str, reason: str) -> None:
        self.connections.append("down")

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        self.registrations.append(status)

    def transaction_began(self, record: TransactionRecord) -> None:
        self.began.append(record)

    def transaction_ended(self, record: TransactionRecord) -> None:
        self.ended.append(record)

    def transaction_settled(self, record: TransactionRecord) -> None:
        self.settled.append(record)

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        self.dropped.append(action)

    def changed(self, station_id: str) -> None:
        self.changes += 1


class World:
    """One station and all that is around it."""

    def __init__(
        self,
        csms: Csms | None = None,
        *,
        now_s: float = NOON_S,
        chargers: ChargerFactory | None = None,
        **settings: Any,
    ) -> None:
        self.clock = ManualClock(now_s)
        self.environment = SharedEnvironment()
        self.csms = csms or Csms()
        self.network = LoopbackNetwork(self.csms)
        self.ear = Ear()
        self.station = Station(
            StationSettings(
                **{"station_id": "CP-001", "csms_url": "ws://csms/ocpp", "call_timeout_s": 5.0, **settings}
            ),
            clock=self.clock,
            environment=self.environment,
            listener=self.ear,
            dial=self.network.dial,
            chargers=chargers,
        )

    async def settle(self) -> None:
        await self.clock.advance(0.0)

    async def charge(self, id_tag: str = "TAG", connector_id: int = 1, vehicle: VehicleSpec = VEHICLE) -> None:
        """Plug in and begin a session."""
        self.station.plug_in(connector_id, vehicle)
        accepted = await self.station.present(id_tag, connector_id)
        assert accepted
        await self.settle()

    def messages(self) -> list[str]:
        """The log lines without their time."""
        return [line.split("] ", 1)[1] for line in self.station.logs]


@contextlib.asynccontextmanager
async def living(
    csms: Csms | None = None, *, prepare: Callable[[World], None] | None = None, **settings: Any
) -> AsyncIterator[World]:
    """Run a station; at the end stop it and see that every frame was good."""
    world = World(csms, **settings)
    if prepare is not None:
        prepare(world)
    running = asyncio.create_task(world.station.run())
    await world.settle()
    try:
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert world.csms.problems == []
    if not running.cancelled() and running.exception() is not None:
        raise running.exception()
