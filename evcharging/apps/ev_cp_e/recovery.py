"""What an engine had said before it was stopped or killed, read from the log: the only memory it has.

`Memory` takes records of ``cp.status``, ``cp.telemetry`` and ``central.replies`` in the order of the log, and those of
``ocpp.config`` that say whose the ids are; it answers, for each charge point, with a `Past`. It reads no log itself and
decides nothing: whether a session goes on is for the charge point to say when it has heard its charger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from evcharging.apps.ev_cp_e.announcer import SESSIONS_REMEMBERED
from evcharging.domain.energy import WH_PER_KWH, InvalidEnergy, exact_wh
from evcharging.domain.sessions import FIRST_SEQ
from evcharging.domain.states import WHOLE_CHARGE_POINT, ChargePointState
from evcharging.messages.charge_points import Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.commands import Reply
from evcharging.messages.envelope import Event, Received
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import REPLIES, STATUS

__all__ = ["Memory", "OpenSession", "Past"]


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that the log shows begun and not ended.

    Attributes:
        session_id, driver_id, target_wh, traceparent: as at its start.
        register_start_wh: the register before its first energy.
        elapsed_s: how long it was under way, the time without an engine not counted.
        last_seq, register_wh, interval_end: where its last interval ended; its start where there is none.
        last_heard_at: time of its last record.
        soc: of its vehicle, a fraction from 0 to 1, None where it was not told.
    """

    session_id: str
    driver_id: str | None
    register_start_wh: Decimal
    target_wh: Decimal | None
    elapsed_s: float
    last_seq: int
    register_wh: Decimal
    interval_end: datetime
    last_heard_at: datetime
    soc: float | None = None
    traceparent: str | None = None


@dataclass(slots=True)
class Past:
    """All that the log tells of one charge point.

    Attributes:
        state: the last state anyone reported, None where nobody did.
        stop_stands: whether an administrative stop is in force.
        station_connected: whether the id is a connected OCPP station's.
        station_registered: whether a station may connect under the id at any time: it is registered, no engine has it.
        open_session: a session that has not ended.
        register_wh: the highest register reading on record, None without one.
        ended: the end statuses on record by session, the last `SESSIONS_REMEMBERED` of them, oldest first.
        answered: the replies on record by command.
    """

    state: ChargePointState | None = None
    stop_stands: bool = False
    station_connected: bool = False
    station_registered: bool = False
    open_session: OpenSession | None = None
    register_wh: Decimal | None = None
    ended: dict[str, Event[Status]] = field(default_factory=dict)
    answered: dict[str, Event[Reply]] = field(default_factory=dict)


class Memory:
    """Gathers the past of some charge points.

    Args:
        cp_ids: whose records count; all others are passed over.
        source: names the engine on events that are announced again.
    """

    def __init__(self, cp_ids: Iterable[str], *, source: str) -> None:
        self._source = source
        self._lives = {cp_id: _Life() for cp_id in cp_ids}

    def take(self, received: Received[Any]) -> None:
        """Take the next record."""
        life = self._lives.get(received.message.cp_id)
        if life is None:
            return
        match received.message:
            case Status() as status:
                life.take_status(status, Event(STATUS, status, received.id, self._source, received.traceparent))
            case Telemetry() as telemetry:
                life.take_telemetry(telemetry)
            case OcppConfig() as config:
                life.past.station_registered = not (config.deleted or config.held_by_engine)
            case Reply() as reply:
                life.past.answered[reply.command_id] = Event(
                    REPLIES, reply, received.id, self._source, received.traceparent
                )

    def open_since(self) -> dict[str, datetime]:
        """When each session that is still open last began to flow, by charge point."""
        return {cp_id: life.begun.message.ts for cp_id, life in self._lives.items() if life.begun is not None}

    def without_telemetry(self) -> dict[str, datetime]:
        """As `open_since`, for the sessions of which no interval has been taken."""
        return {cp_id: since for cp_id, since in self.open_since().items() if self._lives[cp_id].last is None}

    def past_of(self, cp_id: str) -> Past:
        """What is known of one charge point by now.

        Raises:
            KeyError: it is none of those asked for.
        """
        life = self._lives[cp_id]
        life.past.open_session = life.open_session()
        return life.past


class _Life:
    """The records of one charge point, boiled down."""

    def __init__(self) -> None:
        self.past = Past()
        self.begun: Event[Status] | None = None
        self.last: Telemetry | None = None

    def take_status(self, status: Status, event: Event[Status]) -> None:
        self.past.state = status.state
        self._take_stop(status)
        self._take_speaker(status)
        detail = status.detail
        if detail is not None:
            self._take_register(detail.register_end_wh)
            self._take_register(detail.register_start_wh)
        if status.source is not StatusSource.ENGINE or status.session_id is None:
            return
        if status.state is ChargePointState.SUPPLYING:
            if status.session_id in self.past.ended:
                return  # an old status that was announced again
            if self.begun is None or self.begun.message.session_id != status.session_id:
                self.last = None
            self.begun = event
        elif detail is not None and detail.last_seq is not None:
            self.past.ended.pop(status.session_id, None)
            self.past.ended[status.session_id] = event
            if len(self.past.ended) > SESSIONS_REMEMBERED:
                del self.past.ended[next(iter(self.past.ended))]
            if self.begun is not None and self.begun.message.session_id == status.session_id:
                self.begun = None

    def take_telemetry(self, telemetry: Telemetry) -> None:
        self._take_register(telemetry.register_wh)
        if self.begun is None or telemetry.session_id != self.begun.message.session_id:
            return
        if self.last is None or telemetry.seq > self.last.seq:
            self.last = telemetry

    def open_session(self) -> OpenSession | None:
        """The session that began and did not end; None also where its start says too little to go on from."""
        if self.begun is None:
            return None
        status, last = self.begun.message, self.last
        detail = status.detail or StatusDetail()
        start_wh = _energy(detail.register_start_wh)
        if start_wh is None and last is not None:
            start_wh = exact_wh(last.register_wh) - exact_wh(Decimal(str(last.kwh)) * WH_PER_KWH)
        if start_wh is None or status.session_id is None:
            return None
        since_begun_s = (last.interval_end - status.ts).total_seconds() if last is not None else 0.0
        return OpenSession(
            session_id=status.session_id,
            driver_id=detail.driver_id or (last.driver_id if last is not None else None),
            register_start_wh=start_wh,
            target_wh=_energy(_number(detail, "target_wh")),
            elapsed_s=(_number(detail, "elapsed_s") or 0.0) + max(0.0, since_begun_s),
            last_seq=last.seq if last is not None else FIRST_SEQ - 1,
            register_wh=exact_wh(last.register_wh) if last is not None else start_wh,
            interval_end=last.interval_end if last is not None else status.ts,
            last_heard_at=max(status.ts, last.ts) if last is not None else status.ts,
            soc=last.soc if last is not None else None,
            traceparent=self.begun.traceparent,
        )

    def _take_stop(self, status: Status) -> None:
        told = status.detail.administrative_stop if status.detail is not None else None
        if told is not None:
            self.past.stop_stands = told
        elif status.source is StatusSource.ENGINE:
            # An engine says so on every status for as long as the stop stands.
            self.past.stop_stands = status.state is ChargePointState.STOPPED
        elif ChargePointState.STOPPED in (status.state, status.previous_state):
            self.past.stop_stands = True

    def _take_speaker(self, status: Status) -> None:
        """Central lists connectors for stations only; its word may be the last on the id, the topic being compacted."""
        listed = status.detail.connectors if status.detail is not None else None
        if status.source is StatusSource.ENGINE:
            self.past.station_connected = False
        elif status.source is StatusSource.OCPP or listed is not None:
            whole = {c.connector_id: c.state for c in listed or ()} | {status.connector_id: status.state}
            self.past.station_connected = whole.get(WHOLE_CHARGE_POINT) is not ChargePointState.DISCONNECTED

    def _take_register(self, register_wh: float | None) -> None:
        energy_wh = _energy(register_wh)
        if energy_wh is not None and (self.past.register_wh is None or energy_wh > self.past.register_wh):
            self.past.register_wh = energy_wh


def _number(detail: StatusDetail, name: str) -> float | None:
    value = (detail.model_extra or {}).get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _energy(value: float | None) -> Decimal | None:
    try:
        return None if value is None else exact_wh(value)
    except InvalidEnergy:
        return None
