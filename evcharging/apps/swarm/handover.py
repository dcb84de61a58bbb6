"""What a station was, as a worker says it on the log, and what the next worker makes of it. Pure.

A transaction that was left open goes on under its own id, with the register and the state of charge that were told
last, where the station is to run and was heard of within a minute; its vehicle charged no further meanwhile. Otherwise
nobody can say that the vehicle stayed: it ends at that register, with the reason PowerLoss. What the CSMS installed in
charging profiles, and whatever else it has set, holds on; what it has not answered is delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from evcharging.apps.swarm.orders import orders_of, said_of
from evcharging.domain.battery import DC_CURVE
from evcharging.domain.charging_profiles import Installed
from evcharging.domain.vehicle import VehicleSpec
from evcharging.messages.network import (
    SwarmChargingProfile,
    SwarmHandover,
    SwarmPolicy,
    SwarmStandingOrders,
    SwarmState,
    SwarmStatus,
    SwarmTransaction,
    SwarmVehicle,
)
from evcharging.ocpp.station.interfaces import (
    EVENTS_UNTOLD_AT_MOST,
    ConnectorSnapshot,
    ConnectorState,
    StandingOrders,
    StationSnapshot,
    StillThere,
    TransactionRecord,
)
from evcharging.ocpp.station.outbox import Kind

__all__ = ["Past", "before_it_began", "handover_of", "past_of", "policy_of", "state_of"]

POWER_LOSS: Final = "PowerLoss"
METERS_HANDED_OVER: Final = 20
GOES_ON_WITHIN_S: Final = 60.0
"""As a charger's session, which a new engine takes up again within a minute."""

_BY_RANK: Final = (
    (SwarmState.CHARGING, {ConnectorState.CHARGING, ConnectorState.SUSPENDED_EV, ConnectorState.SUSPENDED_EVSE}),
    (SwarmState.PREPARING, {ConnectorState.PREPARING}),
    (SwarmState.FINISHING, {ConnectorState.FINISHING}),
    (SwarmState.AVAILABLE, {ConnectorState.AVAILABLE, ConnectorState.RESERVED}),
    (SwarmState.UNAVAILABLE, {ConnectorState.UNAVAILABLE}),
)


@dataclass(frozen=True, slots=True)
class Past:
    """What a station begins with: its registers by connector, what is open, what is still to be delivered.

    ``still_there``, by local id: of the open transactions those that go on.
    """

    registers_wh: tuple[float, ...] = ()
    transactions: tuple[TransactionRecord, ...] = ()
    queue: tuple[dict[str, Any], ...] = ()
    still_there: Mapping[str, StillThere] = field(default_factory=dict)
    charging_profiles: tuple[Installed, ...] = ()
    orders: StandingOrders | None = None

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
            ConnectorSnapshot(
                number,
                ConnectorState.UNAVAILABLE,
                0.0,
                register,
                None,
                0.0,
                record := open_on.get(number),
                None if record is None else past.still_there.get(record.local_id),
            )
            for number, register in enumerate(registers, start=1)
        ),
        charging_profiles=past.charging_profiles,
        orders=past.orders,
    )


def policy_of(text: str) -> SwarmPolicy | None:
    """The last decision, from ``action: reason``; None before the first."""
    action, _, reason = text.partition(": ")
    return SwarmPolicy(action=action, reason=reason) if action else None


def handover_of(
    snapshot: StationSnapshot,
    queue: Sequence[dict[str, Any]],
    *,
    term: int,
    holder: str,
    released: bool = False,
    ocpp_version: str = "1.6",
    say: Callable[[StandingOrders], SwarmStandingOrders] = said_of,
) -> SwarmHandover:
    """What the next worker needs of ``snapshot``; ``queue`` as the station keeps it, oldest first.

    ``say`` makes what is said of the CSMS's orders.
    """
    return SwarmHandover(
        term=term,
        holder=holder,
        released=released,
        registers_wh=tuple(round(connector.register_wh, 3) for connector in snapshot.connectors),
        transactions=tuple(
            _told(connector.transaction, connector.register_wh, connector.still_there)
            for connector in snapshot.connectors
            if connector.transaction is not None
        ),
        queue=tuple(_without_most_meters(queue)),
        charging_profiles=tuple(
            SwarmChargingProfile(connector_id=connector_id, profile=profile)
            for connector_id, profile in snapshot.charging_profiles
        ),
        orders=None if snapshot.orders is None else say(snapshot.orders),
        ocpp_version=ocpp_version,
    )


def past_of(status: SwarmStatus | None, *, goes_on_at: datetime | None = None, ocpp_version: str | None = None) -> Past:
    """What a station that was last heard of by ``status`` begins with.

    Args:
        status: its last.
        goes_on_at: now, where the station is to go on with what it did; None: whatever is open ends.
        ocpp_version: what it speaks from now on; another than before has no words for what is open, and no more than
            the registers goes on. None: the same.
    """
    if status is None or status.handover is None:
        return Past() if status is None else Past(registers_wh=(status.register_wh,))
    handover = status.handover
    if ocpp_version not in {None, handover.ocpp_version}:
        return Past(registers_wh=handover.registers_wh)
    still_there: dict[str, StillThere] = {}
    if goes_on_at is not None and (goes_on_at - status.ts).total_seconds() <= GOES_ON_WITHIN_S:
        for transaction in handover.transactions:
            if transaction.ended_at is None and (there := _still_there(transaction)) is not None:
                still_there[transaction.local_id] = there
    return Past(
        registers_wh=handover.registers_wh,
        transactions=tuple(
            _record(transaction, status, goes_on=transaction.local_id in still_there)
            for transaction in handover.transactions
        ),
        queue=handover.queue,
        still_there=still_there,
        charging_profiles=tuple(Installed(one.connector_id, one.profile) for one in handover.charging_profiles),
        orders=orders_of(handover.orders),
    )


def _told(record: TransactionRecord, register_wh: float, there: StillThere | None) -> SwarmTransaction:
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
        ended_at=_moment(record.ended_at_s),
        reason=record.reason,
        began_offline=record.began_offline,
        remote_start_id=record.remote_start_id,
        next_event=record.next_event,
        vehicle=None if there is None else _vehicle(there),
        leaves_at=_moment(None if there is None else there.leaves_at_s),
        allowance_wh=None if there is None else there.allowance_wh,
        stop_at_allowance=there is not None and there.stop_at_allowance,
    )


def _vehicle(there: StillThere) -> SwarmVehicle | None:
    """None for one with a charging curve of its own: nobody could go on with that."""
    vehicle = there.vehicle
    if vehicle.dc_curve != DC_CURVE:
        return None
    return SwarmVehicle(
        capacity_kwh=vehicle.capacity_kwh,
        onboard_kw=vehicle.onboard_kw,
        dc_peak_kw=vehicle.dc_peak_kw,
        taper=vehicle.taper,
        soc=there.soc,
    )


def _still_there(transaction: SwarmTransaction) -> StillThere | None:
    told = transaction.vehicle
    if told is None:
        return None
    vehicle = VehicleSpec(told.capacity_kwh, told.onboard_kw, told.soc, told.taper, told.dc_peak_kw)
    leaves_at_s = None if transaction.leaves_at is None else transaction.leaves_at.timestamp()
    return StillThere(vehicle, told.soc, leaves_at_s, transaction.allowance_wh, transaction.stop_at_allowance)


def _moment(at_s: float | None) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC)


def _record(transaction: SwarmTransaction, status: SwarmStatus, *, goes_on: bool) -> TransactionRecord:
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
        ended_at_s=None if goes_on else (transaction.ended_at or status.ts).timestamp(),
        reason=None if goes_on else transaction.reason or POWER_LOSS,
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
