"""What the gateway knows of each station in memory: its socket, its connectors, the transactions that are open.

The database has it too; this is what answers without a query. Nothing here writes, publishes or knows a version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from evcharging.apps.ocpp_gateway.readings import Reading
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState, OcppStatus, roll_up, state_of_ocpp
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway.transactions import TransactionRow

__all__ = ["ChargePoint", "ChargePoints", "ConnectorReport", "Link", "OpenTransaction", "open_transaction"]


class Link(Protocol):
    """One live socket, as the business side needs it."""

    @property
    def cp_id(self) -> str:
        """The charge point's name, from the path of its URL."""
        ...

    @property
    def version(self) -> OcppVersion:
        """What was agreed on in the handshake."""
        ...

    async def call(self, action: str, payload: dict[str, Any], *, timeout_s: float = 30.0) -> dict[str, Any]:
        """Ask the station; see `evcharging.ocpp.exchange.Exchange.call` for what is raised."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the socket; from here on nothing more is answered on it."""
        ...


@dataclass(slots=True)
class ConnectorReport:
    """What a station last said of one connector."""

    status: OcppStatus
    reported_at: datetime
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None

    @property
    def state(self) -> ChargePointState:
        """In the bus's words, transactions left aside."""
        return state_of_ocpp(self.status)


@dataclass(slots=True, eq=False)
class OpenTransaction:
    """A transaction that has not ended. Energy in Wh; what was measured is as the station last told it.

    ``register_wh`` is the highest reading told so far, of which the database may not know yet.
    """

    session_id: str
    cp_id: str
    transaction_id: str
    connector_id: int
    started_at: datetime
    id_tag: str | None = None
    driver_id: str | None = None
    target_wh: Decimal | None = None
    meter_start_wh: Decimal | None = None
    register_wh: Decimal | None = None
    read_at: datetime | None = None
    reads: int = 0
    """Readings taken since it is in memory."""
    power_kw: float | None = None
    drawn_kw: float = 0.0
    """As last told on the bus: measured, or the mean of the last interval."""
    amps: float | None = None
    volts: float | None = None
    soc: float | None = None
    temperature_c: float | None = None
    last_seq: int = 0
    """Of the last interval that is stored; ``stored_wh`` and ``stored_until`` are its register and its end."""
    stored_wh: Decimal | None = None
    stored_until: datetime | None = None
    stop_requested: str | None = None
    stop_asked_s: float | None = None
    """When the station was last asked to end it, monotonic."""
    doubted_until_s: float | None = None
    """It is closed then, unless the station shows that it goes on: its connector was said to be free."""
    alerted: set[str] = field(default_factory=set)

    @property
    def energy_wh(self) -> Decimal:
        """What has flowed so far."""
        if self.register_wh is None or self.meter_start_wh is None:
            return Decimal(0)
        return self.register_wh - self.meter_start_wh


class ChargePoint:
    """One station. ``link`` is None while it has no socket here."""

    __slots__ = (
        "boot_status",
        "booted_at",
        "connected_at",
        "connectors",
        "cp_id",
        "kept_for",
        "link",
        "loaded",
        "open",
        "socket_id",
        "unclaimed",
        "unsaid",
        "version",
    )

    def __init__(self, cp_id: str) -> None:
        self.cp_id = cp_id
        self.link: Link | None = None
        self.version: OcppVersion | None = None
        """What it speaks, or spoke last."""
        self.socket_id: str | None = None
        """Tells its present socket from all others, here and at other gateways."""
        self.connected_at: datetime | None = None
        self.loaded = False
        """Whether its transactions and connectors were read from the database since it connected."""
        self.boot_status: str | None = None
        self.booted_at: datetime | None = None
        self.connectors: dict[int, ConnectorReport] = {}
        self.kept_for: dict[int, str] | None = None
        """Whose idTag a connector is reserved for, where one was; counts while its station says that it is."""
        self.open: dict[str, OpenTransaction] = {}
        """By the id on the wire."""
        self.unclaimed: dict[str | int, Reading] = {}
        """Registers told before the transactions were read, by transaction id or connector; the latest of each."""
        self.unsaid: set[int] = set()
        """Connectors whose status came before the transactions were read."""

    @property
    def accepted(self) -> bool:
        """Whether its last boot was accepted: only then it is asked to charge."""
        return self.boot_status == "Accepted"

    @property
    def booted_since_it_connected(self) -> bool:
        """Whether it has booted on its present socket."""
        return self.booted_at is not None and self.connected_at is not None and self.booted_at >= self.connected_at

    @property
    def boot_word(self) -> str:
        """The reason of the status that tells of its boot."""
        return "boot" if self.accepted else f"boot_{str(self.boot_status).lower()}"

    def transaction_at(self, connector_id: int, *, without: str | None = None) -> OpenTransaction | None:
        """The newest open transaction on a connector, the one that is named ``without`` left out."""
        found = None
        for transaction in self.open.values():
            if transaction.connector_id == connector_id and transaction.transaction_id != without:
                found = transaction
        return found

    def drop(self, transaction_id: str) -> None:
        """Forget a transaction that has ended."""
        self.open.pop(transaction_id, None)

    def transaction_of(self, session_id: str) -> OpenTransaction | None:
        """The open transaction of a session."""
        return next((t for t in self.open.values() if t.session_id == session_id), None)

    def state_of(self, connector_id: int, *, without: str | None = None) -> ChargePointState:
        """A connector's state on the bus: what was said of it, and SUPPLYING for as long as a transaction is open.

        ``without`` names a transaction that is just ending.
        """
        report = self.connectors.get(connector_id)
        state = ChargePointState.ACTIVATED if report is None else report.state
        if without is not None and state is ChargePointState.SUPPLYING:
            state = ChargePointState.ACTIVATED
        if state is ChargePointState.ACTIVATED and self.transaction_at(connector_id, without=without) is not None:
            return ChargePointState.SUPPLYING
        return state

    def whole_state(self) -> ChargePointState:
        """The state of connector 0: of the charge point itself."""
        if self.link is None:
            return ChargePointState.DISCONNECTED
        if self.boot_status is not None and not self.accepted:
            return ChargePointState.STOPPED
        return self.state_of(WHOLE_CHARGE_POINT)

    def rolled_up(self) -> ChargePointState:
        """The whole and its connectors in one word."""
        known = {*self.connectors, *(t.connector_id for t in self.open.values())} - {WHOLE_CHARGE_POINT}
        return roll_up({WHOLE_CHARGE_POINT: self.whole_state(), **{c: self.state_of(c) for c in known}})


def open_transaction(row: TransactionRow) -> OpenTransaction:
    """What memory holds of a transaction that the database has as open."""
    return OpenTransaction(
        session_id=row.session_id,
        cp_id=row.cp_id,
        transaction_id=row.transaction_id,
        connector_id=row.connector_id,
        started_at=row.started_at or row.created_at,
        id_tag=row.id_tag,
        driver_id=row.driver_id,
        target_wh=row.target_wh,
        meter_start_wh=row.meter_start_wh,
        register_wh=row.register_wh if row.register_wh is not None else row.meter_start_wh,
        read_at=row.interval_end,
        last_seq=row.last_seq,
        stored_wh=row.register_wh,
        stored_until=row.interval_end,
        stop_requested=row.stop_requested,
    )


class ChargePoints:
    """Every station that has, or had, a socket here."""

    def __init__(self) -> None:
        self._by_id: dict[str, ChargePoint] = {}

    def get(self, cp_id: str) -> ChargePoint | None:
        """The station of that name, None where it never connected here."""
        return self._by_id.get(cp_id)

    def obtain(self, cp_id: str) -> ChargePoint:
        """The station of that name, known from now on."""
        found = self._by_id.get(cp_id)
        if found is None:
            found = self._by_id[cp_id] = ChargePoint(cp_id)
        return found

    def forget(self, cp_id: str) -> None:
        """Drop one that is gone."""
        self._by_id.pop(cp_id, None)

    def connected(self) -> list[ChargePoint]:
        """Those with a socket."""
        return [point for point in self._by_id.values() if point.link is not None]

    def __iter__(self) -> Iterator[ChargePoint]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)
