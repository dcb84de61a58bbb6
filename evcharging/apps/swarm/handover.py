"""What a station was, as a worker says it on the log, and what the next worker makes of it. Pure.

A transaction that was left open ends where it was left: with its own id, at the last register that was told, with the
reason PowerLoss. The station was dark meanwhile, and nobody can say that its vehicle stayed. Its meter goes on from
that register, and what its CSMS has not answered is delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from evcharging.messages.network import (
    SwarmHandover,
    SwarmPolicy,
    SwarmState,
    SwarmStatus,
    SwarmTransaction,
)
from evcharging.ocpp.station.interfaces import (
    EVENTS_UNTOLD_AT_MOST,
    ConnectorSnapshot,
    ConnectorState,
    StationSnapshot,
    TransactionRecord,
)
from evcharging.ocpp.station.outbox import Kind

__all__ = ["Past", "before_it_began", "handover_of", "past_of", "policy_of", "state_of"]

POWER_LOSS: Final = "PowerLoss"
METERS_HANDED_OVER: Final = 20

_BY_RANK: Final = (
    (SwarmState.CHARGING, {ConnectorState.CHARGING, ConnectorState.SUSPENDED_EV, ConnectorState.SUSPENDED_EVSE}),
    (SwarmState.PREPARING, {ConnectorState.PREPARING}),
    (SwarmState.FINISHING, {ConnectorState.FINISHING}),
    (SwarmState.AVAILABLE, {ConnectorState.AVAILABLE, ConnectorState.RESERVED}),
    (SwarmState.UNAVAILABLE, {ConnectorState.UNAVAILABLE}),
)


@dataclass(frozen=True, slots=True)
class Past:
    """What a station begins with: its registers by connector, what is open, what is still to be delivered."""

    registers_wh: tuple[float, ...] = ()
    transactions: tuple[TransactionRecord, ...] = ()
    queue: tuple[dict[str, Any], ...] = ()

    @property
    def unsettled(self) -> bool:
        """Whether the CSMS has still to hear of something."""
        return bool(self.transactions or self.queue)


def state_of(snapshot: StationSnapshot) -> SwarmState:
    """A station's state in one word: the busiest of its connectors, if it has a socket at all."""
    if not snapshot.running:
        return SwarmState.STOPPED
    if not snapshot.connected:
        return SwarmState.OFFLINE
    states = {connector.state for connector in snapshot.connectors}
    return next((word for word, among in _BY_RANK if states & among), SwarmState.FAULTED)


def before_it_began(station_id: str, profile: str, past: Past) -> StationSnapshot:
    """How a station is that has a past and no life yet."""
    open_on = {record.connector_id: record for record in past.transactions}
    count = max([1, len(past.registers_wh), *open_on])
    registers = [*past.registers_wh, *[0.0] * (count - len(past.registers_wh))]
    return StationSnapshot(
        station_id=station_id,
        running=True,
        connected=False,
        registered=False,
        profile=profile,
        kw=0.0,
        session_kwh=sum(record.energy_wh for record in past.transactions) / 1000,
        delivered_kwh=0.0,
        register_wh=sum(registers),
        sessions=0,
        queued=len(past.queue),
        reconnects=0,
        policy="",
        connectors=tuple(
            ConnectorSnapshot(number, ConnectorState.UNAVAILABLE, 0.0, register, None, 0.0, open_on.get(number))
            for number, register in enumerate(registers, start=1)
        ),
    )


def policy_of(text: str) -> SwarmPolicy | None:
    """The last decision, from ``action: reason``; None before the first."""
    action, _, reason = text.partition(": ")
    return SwarmPolicy(action=action, reason=reason) if action else None


def handover_of(
    snapshot: StationSnapshot, queue: Sequence[dict[str, Any]], *, term: int, holder: str, released: bool = False
) -> SwarmHandover:
    """What the next worker needs of ``snapshot``; ``queue`` as the station keeps it, oldest first."""
    return SwarmHandover(
        term=term,
        holder=holder,
        released=released,
        registers_wh=tuple(round(connector.register_wh, 3) for connector in snapshot.connectors),
        transactions=tuple(
            _told(connector.transaction, connector.register_wh)
            for connector in snapshot.connectors
            if connector.transaction is not None
        ),
        queue=tuple(_without_most_meters(queue)),
    )


def past_of(status: SwarmStatus | None) -> Past:
    """What a station that was last heard of by ``status`` begins with."""
    if status is None or status.handover is None:
        return Past() if status is None else Past(registers_wh=(status.register_wh,))
    handover = status.handover
    return Past(
        registers_wh=handover.registers_wh,
        transactions=tuple(_record(transaction, status) for transaction in handover.transactions),
        queue=handover.queue,
    )


def _told(record: TransactionRecord, register_wh: float) -> SwarmTransaction:
    """The transaction, up to its end or to what its meter shows now, whichever is known."""
    meter_wh = record.meter_wh if record.ended_at_s is not None else max(record.meter_wh, int(register_wh))
    return SwarmTransaction(
        local_id=record.local_id,
        connector_id=record.connector_id,
        id_tag=record.id_tag,
        started_at=datetime.fromtimestamp(record.started_at_s, UTC),
        meter_start_wh=record.meter_start_wh,
        meter_wh=meter_wh,
        transaction_id=record.transaction_id,
        parent_id_tag=record.parent_id_tag,
        reservation_id=record.reservation_id,
        ended_at=None if record.ended_at_s is None else datetime.fromtimestamp(record.ended_at_s, UTC),
        reason=record.reason,
        began_offline=record.began_offline,
        remote_start_id=record.remote_start_id,
        next_event=record.next_event,
    )


def _record(transaction: SwarmTransaction, status: SwarmStatus) -> TransactionRecord:
    return TransactionRecord(
        station_id=status.station_id,
        connector_id=transaction.connector_id,
        local_id=transaction.local_id,
        id_tag=transaction.id_tag,
        started_at_s=transaction.started_at.timestamp(),
        meter_start_wh=transaction.meter_start_wh,
        meter_wh=transaction.meter_wh,
        transaction_id=transaction.transaction_id,
        parent_id_tag=transaction.parent_id_tag,
        reservation_id=transaction.reservation_id,
        ended_at_s=(transaction.ended_at or status.ts).timestamp(),
        reason=transaction.reason or POWER_LOSS,
        began_offline=transaction.began_offline,
        remote_start_id=transaction.remote_start_id,
        next_event=transaction.next_event + (EVENTS_UNTOLD_AT_MOST if transaction.next_event else 0),
    )


def _without_most_meters(queue: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Beginnings and ends, all of them; of meter values the newest. OCPP 1.6 section 3.7 lets a station drop those."""
    spare = sum(entry.get("kind") == Kind.METER for entry in queue) - METERS_HANDED_OVER
    for entry in queue:
        if entry.get("kind") == Kind.METER and spare > 0:
            spare -= 1
        else:
            yield entry
