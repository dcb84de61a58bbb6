"""Has stations set the configuration keys that their registrations have, and keeps what came of each.

After a boot that was accepted a station is asked for its values, as it may have lost them, and set those that differ;
the interval of heartbeats it was just told anew. A station that is back without a boot, and one whose registration
changes, is set what was not put to it before. What it answers is kept and told in the log once. Nothing here is waited
for by a boot, passwords are never set, and a station that has no keys in its registration costs one look at that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

import structlog

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints
from evcharging.apps.ocpp_gateway.configuration_visit import (
    AS_WANTED,
    CALL_ERROR,
    NOT_NAMED,
    SETTLED,
    TIMEOUT,
    Answer,
    Visit,
)
from evcharging.apps.ocpp_gateway.dialect import Ask, Dialect
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.apps.ocpp_gateway.verdicts import Outcome
from evcharging.apps.ocpp_gateway.writes import StorageAway, Work, Writes
from evcharging.messages.commands import CommandOutcome
from evcharging.ocpp.configuration_names import is_secret, why_not_to_be_set
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import registered_configuration as store

__all__ = ["RegisteredConfiguration"]

log = structlog.get_logger()

STATIONS_AT_ONCE: Final = 100
"""The others wait for their turn: a storm of boots is answered first, and its stations are called one after another."""
PAUSE_S: Final = 1.0
"""Between a station's boot, or its return, and the first call: it has the answer to its boot to take in before that."""
KEYS_A_QUESTION: Final = 10
"""Stations bound how many they are asked for at once, some tightly."""
LONGEST_KEY_TOLD: Final = 50
HIDDEN: Final = "(not shown)"


class RegisteredConfiguration:
    """Sees to it; `run` for as long as the gateway lives.

    Args:
        terms: a station's registration, from memory.
        dialects: by version.
        pause_s: see `PAUSE_S`.
    """

    def __init__(
        self,
        points: ChargePoints,
        writes: Writes,
        calls: StationCalls,
        *,
        dialects: Mapping[OcppVersion, Dialect],
        terms: Callable[[str], BootTerms],
        pause_s: float = PAUSE_S,
    ) -> None:
        self._points = points
        self._writes = writes
        self._calls = calls
        self._dialects = dialects
        self._terms = terms
        self._pause_s = pause_s
        self._waiting: dict[str, _Turn] = {}
        self._unsure: set[str] = set()
        """Stations that were not asked for all their values since they booted."""
        self._in_hand: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Be there for what the others begin, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._tasks = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def booted(self, point: ChargePoint) -> None:
        """A boot of a station that has keys in its registration was accepted; its answer is on its way."""
        self._await_turn(point.cp_id, self._pause_s, booted=True)

    def resumed(self, point: ChargePoint) -> None:
        """A station that was accepted before is back; it may still boot."""
        if self._terms(point.cp_id).configuration:
            self._await_turn(point.cp_id, self._pause_s)

    def changed(self, cp_id: str) -> None:
        """The keys of a registration are others now."""
        point = self._points.get(cp_id)
        if point is not None and point.link is not None and point.accepted:
            self._await_turn(cp_id, 0.0)

    def _await_turn(self, cp_id: str, pause_s: float, *, booted: bool = False) -> None:
        turn = self._waiting.get(cp_id, _Turn(0.0, booted=False))
        at_s = asyncio.get_running_loop().time() + pause_s
        self._waiting[cp_id] = _Turn(max(at_s, turn.at_s), booted=booted or turn.booted)
        self._begin()

    def _begin(self) -> None:
        if self._tasks is not None and len(self._in_hand) < STATIONS_AT_ONCE:
            cp_id = self._next()
            if cp_id is not None:
                self._tasks.create_task(self._take_turns(cp_id))

    def _next(self) -> str | None:
        """Take the station in hand whose turn it is."""
        first = islice(self._waiting, STATIONS_AT_ONCE)  # of which fewer are in hand
        cp_id = next((cp_id for cp_id in first if cp_id not in self._in_hand), None)
        if cp_id is not None:
            self._in_hand.add(cp_id)
        return cp_id

    async def _take_turns(self, cp_id: str | None) -> None:
        """One station after the other, for as long as any waits."""
        while cp_id is not None:
            pause_s = self._waiting[cp_id].at_s - asyncio.get_running_loop().time()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                continue
            try:
                await self._see_to(cp_id, booted=self._waiting.pop(cp_id).booted)
            except StorageAway:
                log.warning("what a station is to be set is left: the database is away", cp_id=cp_id)
            except Exception:
                log.exception("a station could not be set what its registration has", cp_id=cp_id)
            finally:
                self._in_hand.discard(cp_id)
            cp_id = self._next()

    async def _see_to(self, cp_id: str, *, booted: bool) -> None:
        point = self._points.get(cp_id)
        link = None if point is None else point.link
        dialect = None if link is None else self._dialects.get(link.version)
        if point is None or link is None or dialect is None or not point.accepted:
            return
        if booted:
            self._unsure.add(cp_id)
        terms = self._terms(cp_id)
        wanted = {key: HIDDEN if is_secret(key) else value for key, value in (terms.configuration or {}).items()}
        visit = Visit(point, link, dialect, wanted)
        if cp_id in self._unsure:
            visit.known[dialect.heartbeat_key.casefold()] = str(terms.interval_s)
        else:
            visit.put = await self._writes.do_together(self._read, cp_id)
        self._name(visit)
        await self._ask(visit)
        await self._set(visit)
        if visit.answers or visit.put.keys() - visit.wanted.keys():
            await self._writes.do_together(self._keep, visit)
        if not visit.over:
            self._unsure.discard(cp_id)

    def _name(self, visit: Visit) -> None:
        for key, value in visit.to_do():
            why_not = why_not_to_be_set(key, value, visit.link.version)
            if why_not is not None:
                visit.answers[key] = Answer(NOT_NAMED, f"{key[:LONGEST_KEY_TOLD]!r} {why_not}")

    async def _ask(self, visit: Visit) -> None:
        """Learn what the station has; of what it does not tell, it is taken to have something else."""
        keys = [key for key, _ in visit.to_do() if key.casefold() not in visit.known]
        for start in range(0, len(keys), KEYS_A_QUESTION):
            part = keys[start : start + KEYS_A_QUESTION]
            outcome = await self._call(visit, visit.dialect.read_keys(part))
            if outcome is not None and outcome.outcome is CommandOutcome.ACCEPTED:
                told = visit.dialect.values_told(outcome.payload or {})
                visit.known.update((key.casefold(), value) for key, value in told.items())
            elif outcome is not None and outcome.outcome is CommandOutcome.TIMEOUT:
                visit.answers.update((key, Answer(TIMEOUT)) for key in part)

    async def _set(self, visit: Visit) -> None:
        for key, value in visit.to_do():
            if visit.known.get(key.casefold()) == value:
                visit.answers[key] = Answer(AS_WANTED)
                continue
            outcome = await self._call(visit, visit.dialect.set_key(key, value))
            if outcome is None:
                return
            match outcome.outcome:
                case CommandOutcome.ACCEPTED:
                    visit.answers[key] = Answer(visit.dialect.set_told(outcome.payload or {}))
                case CommandOutcome.CALL_ERROR:
                    told = (outcome.error_code or "", outcome.error_description or "")
                    visit.answers[key] = Answer(CALL_ERROR, ": ".join(filter(None, told)))
                case CommandOutcome.TIMEOUT:
                    visit.answers[key] = Answer(TIMEOUT)

    async def _call(self, visit: Visit, ask: Ask) -> Outcome | None:
        """Call a station, unless its turn is over.

        That it is once it does not answer, has another socket, or has booted again: its next turn has all of it.
        """
        point = visit.point
        again = self._waiting.get(point.cp_id)
        if point.link is not visit.link or not point.accepted or (again is not None and again.booted):
            visit.over = True
        if visit.over:
            return None
        outcome = await self._calls.ask(point, visit.dialect, ask)
        visit.over = outcome.outcome not in (CommandOutcome.ACCEPTED, CommandOutcome.CALL_ERROR)
        if outcome.record is not None:
            visit.records.append(outcome.record)
        return outcome

    async def _read(self, work: Work, cp_ids: Sequence[str]) -> list[Mapping[str, Mapping[str, Any]]]:
        """A group's effect: what stations were put before, by key."""
        kept = await store.answers_of(work.transaction, cp_ids)
        return [kept[cp_id] for cp_id in cp_ids]

    async def _keep(self, work: Work, visits: Sequence[Visit]) -> list[None]:
        """A group's effect: store what stations answered, and have the log told of what is no yes and is new."""
        kept = await store.answers_of(work.transaction, [visit.point.cp_id for visit in visits])
        rows: list[dict[str, Any]] = []
        gone: list[tuple[str, str]] = []
        for visit in visits:
            for record in visit.records:
                await record(work)
            cp_id = visit.point.cp_id
            gone += [(cp_id, key) for key in kept[cp_id] if key not in visit.wanted]
            for key, answer in visit.answers.items():
                if not answer.is_known_by(kept[cp_id].get(key), visit.wanted[key]):
                    rows.append(answer.row(cp_id, key, visit.wanted[key], work.now))
        await store.note_answers(work.transaction, rows)
        await store.forget_answers(work.transaction, gone)
        for row in rows:
            if row["answer"] not in SETTLED:
                work.after_commit(partial(_tell, row))
        return [None] * len(visits)


class _Turn(NamedTuple):
    """When a station is to be seen to, and whether it has booted since it was."""

    at_s: float
    booted: bool


def _tell(row: Mapping[str, Any]) -> None:
    told = {name: row[name] for name in ("cp_id", "key", "answer", "detail")}
    log.warning("a station was not set what its registration has", **told)
