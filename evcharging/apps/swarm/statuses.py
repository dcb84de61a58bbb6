"""What a worker says of a station: a status as the log has it, with all that the next worker needs. It says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from evcharging.apps.swarm.book_entry import BookEntry
from evcharging.apps.swarm.handover import handover_of, policy_of, state_of
from evcharging.apps.swarm.orders import OrdersSaid
from evcharging.messages.envelope import Event, new_traceparent
from evcharging.messages.network import SwarmState, SwarmStatus
from evcharging.messages.topics import SWARM_STATUS
from evcharging.ocpp.station.interfaces import StationSnapshot

__all__ = ["REFRESH_S", "Statuses"]

REFRESH_S: Final = 30.0
"""Longest time between two statuses of a station."""
HOLDS_S: Final = 3 * REFRESH_S


class Statuses:
    """Makes the statuses of one worker's stations.

    Args:
        worker: its name, for people.
        holder: this life of it, for other workers.
        now: the time in UTC.
    """

    def __init__(self, *, worker: str, holder: str, now: Callable[[], datetime]) -> None:
        self._worker = worker
        self._holder = holder
        self._now = now
        self._orders = OrdersSaid()
        self._number = 0

    def of(
        self,
        station_id: str,
        entry: BookEntry,
        snapshot: StationSnapshot,
        *,
        state: SwarmState | None = None,
        released: bool = False,
    ) -> SwarmStatus:
        """The status of a station that is as in ``snapshot``, or in ``state``; ``entry`` keeps what is said of it."""
        records = [connector.transaction for connector in snapshot.connectors if connector.transaction is not None]
        running = [record for record in records if record.ended_at_s is None]
        for record in records:
            entry.energy_wh[record.connector_id] = record.energy_wh
        entry.state = state or state_of(snapshot)
        entry.kw = snapshot.kw if state is None else 0.0
        return SwarmStatus(
            ts=self._now(),
            station_id=station_id,
            state=entry.state,
            profile=snapshot.profile,
            kw=round(entry.kw, 3),
            kwh=round(entry.kwh, 3),
            register_wh=round(snapshot.register_wh, 3),
            transaction_id=running[0].transaction_id if running else None,
            policy=policy_of(snapshot.policy),
            worker=self._worker,
            holds_s=None if entry.state is SwarmState.STOPPED else HOLDS_S,
            handover=handover_of(
                snapshot,
                entry.queue,
                term=entry.term,
                holder=self._holder,
                released=released,
                ocpp_version=entry.ocpp_version,
                say=partial(self._orders.of, station_id),
            ),
        )

    def event(self, status: SwarmStatus) -> Event[SwarmStatus]:
        """``status``, to be published."""
        self._number += 1
        return Event(
            SWARM_STATUS,
            status,
            id=f"{self._holder}-{self._number}",
            source=f"swarm/{self._worker}",
            traceparent=new_traceparent(),
        )

    def forget(self, station_id: str) -> None:
        """The station is no longer this worker's."""
        self._orders.forget(station_id)
