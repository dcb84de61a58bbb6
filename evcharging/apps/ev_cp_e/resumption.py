"""Whether a session of an engine's earlier life goes on, and with what it goes on."""

from __future__ import annotations

from typing import Final

from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.phases import RUNNING
from evcharging.apps.ev_cp_e.recovery import OpenSession, Past
from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms
from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import ChargerState
from evcharging.domain.energy import exact_wh

__all__ = ["RESUME_WITHIN_S", "can_resume", "session_of"]

RESUME_WITHIN_S: Final = 60.0
"""A session that was not heard of for longer is given up, here as by Central."""


def can_resume(past: Past, charger: ChargerReadings, now: Moment) -> bool:
    """Whether the open session goes on: not too old, its vehicle on the cable still, its register not another's."""
    lost = past.open_session
    if lost is None or past.stop_stands or charger.register_wh is None:
        return False
    return (
        (now.wall - lost.last_heard_at).total_seconds() <= RESUME_WITHIN_S
        and exact_wh(charger.register_wh) >= lost.register_wh
        and (charger.state in RUNNING or charger.state is ChargerState.PLUGGED)
    )


def session_of(lost: OpenSession, *, cp_id: str, terms: SessionTerms) -> MeteredSession:
    """The session as it was left: its next interval begins where the last on record ended."""
    return MeteredSession(
        session_id=lost.session_id,
        driver_id=lost.driver_id,
        cp_id=cp_id,
        terms=terms,
        register_start_wh=lost.register_start_wh,
        started_at=lost.interval_end,
        target_wh=lost.target_wh,
        last_seq=lost.last_seq,
        register_wh=lost.register_wh,
        elapsed_s=lost.elapsed_s,
        traceparent=lost.traceparent,
    )
