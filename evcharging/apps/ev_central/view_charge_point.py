"""What is known of one charge point: the last word on each connector, its meter, its bill, its health.

Pure: the moment a record arrived is passed in, nothing is logged, nothing is published. Each ``apply_…`` tells whether
the message counted. These do not count:

- a repeat: the outbox may publish a record a second time, and others may have spoken in between;
- a late one: older than what the same source said last of the same connector (of the same session, for a meter). Clocks
  of different sources are never compared, between them the order of the log decides; and a last word that lies in the
  future of the record's arrival is no measure, since that clock must have been set back meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from evcharging.apps.ev_central.view_connector import ConnectorPicture
from evcharging.apps.ev_central.view_records import ChargePointRecord, ConnectorRecord, LiveRecord
from evcharging.domain.states import (
    WHOLE_CHARGE_POINT,
    ChargePointState,
    effective_state,
    roll_up,
)
from evcharging.messages.base import Message, rfc3339
from evcharging.messages.charge_points import (
    SPEAKERS,
    Health,
    Status,
    StatusSource,
    Telemetry,
    holder_of,
)
from evcharging.messages.drivers import DriverUpdate

__all__ = ["HEALTH_HOLDS", "ChargePointPicture"]

HEALTH_HOLDS = timedelta(seconds=10)
"""A monitor's word is forgotten after this long without another."""

SEEN_IS_NEWS = timedelta(seconds=10)
"""Being heard of again is worth telling this often where nothing else has changed."""

BILLS_KEPT = 8
"""Bills of more sessions than this at one charge point are of the past, unless it has more connectors."""

M = TypeVar("M", bound=Message)


class ChargePointPicture:
    """Everything `NetworkView` knows of one charge point."""

    __slots__ = (
        "_bills",
        "_connectors",
        "_health",
        "_health_at",
        "_meters",
        "_seen",
        "_seen_told",
        "cp_id",
        "source",
        "state",
    )

    def __init__(self, cp_id: str) -> None:
        self.cp_id = cp_id
        self.source: StatusSource | None = None
        self.state = ChargePointState.DISCONNECTED
        self._connectors: dict[int, ConnectorPicture] = {}
        self._meters: dict[int, Telemetry] = {}
        self._bills: dict[str, DriverUpdate] = {}
        self._health: Health | None = None
        self._health_at: datetime | None = None
        self._seen: datetime | None = None
        self._seen_told: datetime | None = None

    def remember(
        self, *, source: StatusSource | None, states: dict[int, ChargePointState], last_seen: datetime | None
    ) -> None:
        """Take over what a database knew before anything was read from the log; any status counts more."""
        self.source = self.source or source
        for connector_id, state in states.items():
            self._connectors.setdefault(connector_id, ConnectorPicture(state))
        if last_seen is not None:
            self._saw(last_seen)
        self._roll_up()

    def apply_status(self, status: Status, received_at: datetime) -> bool:
        """Take a status as it comes; what it says of the past does not matter."""
        speaks_for_itself = self.source in (StatusSource.ENGINE, StatusSource.OCPP)
        if status.source is StatusSource.MQTT and speaks_for_itself:
            return False  # its Kafka records count
        holder = holder_of(self.source, self.state)
        if holder is not None and status.source in SPEAKERS and status.source is not holder:
            return False  # the id is another's
        if status.source in (StatusSource.ENGINE, StatusSource.OCPP):
            self._forget_what_mqtt_said()
        connector = self._connectors.get(status.connector_id)
        if connector is not None:
            before = connector.said.get(status.source)
            if before is not None and (before == status or _is_late(status, before, received_at)):
                return False
        self._say(status)
        self._list(status)
        if status.source is not StatusSource.CENTRAL:
            self.source = status.source
            self._saw(min(status.ts, received_at))
        self._roll_up()
        return True

    def _say(self, status: Status) -> None:
        connector = self._connectors.get(status.connector_id)
        if connector is None:
            connector = self._connectors[status.connector_id] = ConnectorPicture(status.state)
        connector.say(status)

    def _list(self, status: Status) -> None:
        """Take a station's list of its connectors as the present, also of the one that the status speaks of.

        Where Central lists them, it repeats what the station said last: good for what is not known here.
        """
        told = (status.detail.connectors if status.detail is not None else None) or ()
        by_station = status.source is StatusSource.OCPP
        for entry in told:
            known = self._connectors.get(entry.connector_id)
            if (
                known is not None
                and known.last is not None
                and (not by_station or known.is_as(entry) or known.is_faulted_by_central)
            ):
                continue
            self._say(
                Status(
                    ts=status.ts,
                    cp_id=self.cp_id,
                    connector_id=entry.connector_id,
                    state=entry.state,
                    session_id=entry.session_id,
                    source=StatusSource.OCPP,
                )
            )
        if told and by_station:
            listed = {entry.connector_id for entry in told}
            for connector_id in [number for number in self._connectors if number not in listed]:
                del self._connectors[connector_id]
                self._meters.pop(connector_id, None)

    def apply_telemetry(self, telemetry: Telemetry, received_at: datetime) -> bool:
        """Keep the newest interval of the newest session at a connector."""
        before = self._meters.get(telemetry.connector_id)
        if before is not None:
            same = before.session_id == telemetry.session_id
            if same and telemetry.seq <= before.seq and telemetry.ts <= before.ts:
                return False
            if not same and _is_late(telemetry, before, received_at):
                return False
        self._meters[telemetry.connector_id] = telemetry
        self._saw(min(telemetry.ts, received_at))
        return True

    def apply_bill(self, update: DriverUpdate, received_at: datetime) -> bool:
        """Keep what Central makes of a session; nothing after the final word on it counts."""
        session_id = update.session_id
        if session_id is None:
            return False
        before = self._bills.pop(session_id, None)
        if before is not None and (
            (before.status.is_final and not update.status.is_final) or _is_late(update, before, received_at)
        ):
            self._bills[session_id] = before
            return False
        self._bills[session_id] = update
        while len(self._bills) > max(BILLS_KEPT, 2 * len(self._connectors)):
            del self._bills[next(iter(self._bills))]
        return True

    def apply_health(self, health: Health, received_at: datetime) -> bool:
        """Note a monitor's word. True where it is news: another verdict, or a sign of life after a while."""
        if self._health is not None and _is_late(health, self._health, received_at):
            return False
        before, before_at = self._health, self._health_at
        self._health, self._health_at = health, min(health.ts, received_at)
        if health.healthy:
            self._saw(self._health_at)
        return (
            before is None
            or before_at is None
            or before.healthy != health.healthy
            or before.detail != health.detail
            or received_at - before_at > HEALTH_HOLDS
            or (self._seen is not None and (self._seen_told is None or self._seen - self._seen_told >= SEEN_IS_NEWS))
        )

    @property
    def seen_at(self) -> datetime | None:
        """When it was last heard of."""
        return self._seen

    @property
    def meter(self) -> Telemetry | None:
        """The latest interval of any connector."""
        return max(self._meters.values(), key=lambda meter: meter.ts, default=None)

    @property
    def health_until(self) -> datetime | None:
        """When the monitor's last word stops counting."""
        return None if self._health_at is None else self._health_at + HEALTH_HOLDS

    def record(self, now: datetime, *, currency: str) -> ChargePointRecord:
        """The charge point as ``GET /cp/{cp_id}`` shows it; ``currency`` is that of a cost whose bill names none."""
        whole = self._whole()
        connectors: list[ConnectorRecord] = []
        counted: set[str] = set()
        session_id = driver_id = soc = temperature_c = cost = kwh = billed_in = None
        kw = 0.0
        for connector_id in sorted(self._connectors):
            connector = self._connectors[connector_id]
            state = effective_state(whole, connector.state)
            running = self._running(connector_id, connector)
            if connector_id != WHOLE_CHARGE_POINT:
                connectors.append({"connector_id": connector_id, "state": state, "session_id": running})
            if running is None or running in counted:
                continue
            counted.add(running)
            bill = self._bills.get(running)
            meter = self._meter_of(connector_id)
            if meter is not None and meter.session_id != running:
                meter = None
            if meter is not None and state is ChargePointState.SUPPLYING:
                kw += meter.kw
            energy_kwh = bill.kwh if bill and bill.kwh is not None else meter.kwh if meter else None
            kwh = _sum(kwh, energy_kwh)
            if bill is not None and bill.euros is not None:
                billed_in = billed_in or bill.currency or currency
                if billed_in == (bill.currency or currency):
                    cost = _sum(cost, bill.euros)
            if session_id is None:
                session_id = running
                driver_id = bill.driver_id if bill else meter.driver_id if meter else None
                soc = meter.soc if meter else None
                temperature_c = meter.temperature_c if meter else None
        return {
            "cp_id": self.cp_id,
            "state": self.state,
            "connectors": connectors,
            "source": self.source,
            "driver_id": driver_id,
            "session_id": session_id,
            "kw": kw,
            "kwh": kwh,
            "cost": cost,
            "currency": billed_in or currency,
            "soc": soc,
            "temperature_c": temperature_c,
            "last_seen": None if self._seen is None else rfc3339(self._seen),
            "healthy": self._healthy(now),
        }

    def live_record(self, now: datetime, *, currency: str) -> LiveRecord:
        """The charge point as ``/ws`` tells it; counts as told."""
        self._seen_told = self._seen
        status = self._telling()
        healthy = self._healthy(now)
        return {
            "type": "cp",
            "unit_id": self.cp_id,
            **self.record(now, currency=currency),
            "reason": status.reason if status else None,
            "detail": status.detail.text if status and status.detail else None,
            "health_detail": self._health.detail if self._health is not None and healthy is not None else None,
        }

    def _running(self, connector_id: int, connector: ConnectorPicture) -> str | None:
        """The session that the connector is supplying, also while a fault of the whole holds it up."""
        if connector.state is not ChargePointState.SUPPLYING:
            return None
        last, meter = connector.last, self._meter_of(connector_id)
        session_id = None if last is None else last.session_id
        if session_id is None and meter is not None and (last is None or meter.ts >= last.ts):
            session_id = meter.session_id
        bill = self._bills.get(session_id) if session_id is not None else None
        return None if bill is not None and bill.status.is_final else session_id

    def _meter_of(self, connector_id: int) -> Telemetry | None:
        """A charge point that speaks of itself as a whole only has one meter, whatever connector that names."""
        meter = self._meters.get(connector_id)
        return self.meter if meter is None and connector_id == WHOLE_CHARGE_POINT else meter

    def _whole(self) -> ChargePointState:
        """The whole's own state. A connector that is known speaks for a whole that is not: it is connected."""
        whole = self._connectors.get(WHOLE_CHARGE_POINT)
        if whole is not None:
            return whole.state
        return ChargePointState.ACTIVATED if self._connectors else ChargePointState.DISCONNECTED

    def _forget_what_mqtt_said(self) -> None:
        for connector_id, connector in list(self._connectors.items()):
            if connector.last is not None and connector.last.source is StatusSource.MQTT:
                del self._connectors[connector_id]

    def _roll_up(self) -> None:
        states = {connector_id: connector.state for connector_id, connector in self._connectors.items()}
        self.state = roll_up({**states, WHOLE_CHARGE_POINT: self._whole()})

    def _telling(self) -> Status | None:
        """The status that explains the charge point's state: the newest of those that say the same."""
        found = [
            connector.last
            for connector in self._connectors.values()
            if connector.last is not None and connector.state is self.state
        ]
        return max(found, key=lambda status: status.ts, default=None)

    def _healthy(self, now: datetime) -> bool | None:
        if self._health is None or self._health_at is None or now - self._health_at > HEALTH_HOLDS:
            return None
        return self._health.healthy

    def _saw(self, moment: datetime) -> None:
        if self._seen is None or moment > self._seen:
            self._seen = moment


def _is_late(message: M, before: M, received_at: datetime) -> bool:
    return message.ts < before.ts <= received_at


def _sum(total: float | None, part: float | None) -> float | None:
    return total if part is None else part if total is None else total + part
