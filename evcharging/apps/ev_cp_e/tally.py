"""Counts what an engine does, from the events it publishes and from a look at its charge points each second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from evcharging.apps.ev_cp_e import metrics
from evcharging.apps.ev_cp_e.unit import Unit
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, Telemetry
from evcharging.messages.commands import Reply
from evcharging.messages.envelope import Event

__all__ = ["Tally"]


class Tally:
    """Keeps the metrics of one engine."""

    def count(self, event: Event[Any]) -> None:
        """Count an event that is published for the first time."""
        match event.message:
            case Telemetry() as interval:
                metrics.TELEMETRY.inc()
                metrics.ENERGY_WH.labels("solar").inc(interval.solar_wh)
                metrics.ENERGY_WH.labels("grid").inc(interval.grid_wh)
            case Reply() as reply:
                metrics.COMMANDS.labels(reply.outcome.value).inc()
            case Status() as status:
                self._count_status(status)

    def look(self, units: Collection[Unit], *, held: int) -> None:
        """Take the figures that are as they are at the moment."""
        states = Counter(unit.point.state for unit in units)
        for state in ChargePointState:
            metrics.CHARGE_POINTS.labels(state.value).set(states[state])
        metrics.POWER_KW.set(sum(unit.point.power_kw for unit in units))
        metrics.CAN_FRAMES_DROPPED.set(sum(unit.frames_dropped for unit in units))
        metrics.HELD.set(held)

    def _count_status(self, status: Status) -> None:
        if status.state is ChargePointState.SUPPLYING:
            metrics.SESSIONS_STARTED.labels("resumed" if status.reason == "resumed" else "begun").inc()
        elif status.session_id is not None:
            metrics.SESSIONS_ENDED.labels(_known(status.reason)).inc()
        if status.state is ChargePointState.FAULT and status.previous_state is not ChargePointState.FAULT:
            metrics.FAULTS.labels(_known(status.reason)).inc()


def _known(reason: str | None) -> str:
    """A reason as a label: what others make up is ``other``, so that there are not ever more of them."""
    return reason if reason in _REASONS else "other"


_REASONS = frozenset(reason.value for reason in EndReason)
