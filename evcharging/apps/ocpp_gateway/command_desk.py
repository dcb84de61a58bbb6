"""Central's commands at the stations of this gateway: each carried out once, in time or not at all, and answered.

Every gateway reads every command. The one with the station's socket takes it at once; one without it looks again a
little later and then takes what nobody took, only to answer NOT_CONNECTED. The database has who took a command, under a
unique index, so that of several gateways, and of several lives of one, a single one acts and a single one answers.
Commands for what is no OCPP station are left alone, above all those for engines' charge points. One station's commands
are carried out in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ChargePoints, OpenTransaction
from evcharging.apps.ocpp_gateway.dialect import Dialect
from evcharging.apps.ocpp_gateway.kept_connectors import learn_holders
from evcharging.apps.ocpp_gateway.presence import is_ours_to_take
from evcharging.apps.ocpp_gateway.station_calls import NOT_CONNECTED, StationCalls
from evcharging.apps.ocpp_gateway.supply_orders import SupplyOrders
from evcharging.apps.ocpp_gateway.verdicts import Outcome, Refused, refused
from evcharging.apps.ocpp_gateway.writes import StorageAway, Work, Writes
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Event, Received, expired
from evcharging.messages.topics import REPLIES
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import commands as store

__all__ = ["CommandDesk"]

log = structlog.get_logger()

COMMANDS = Counter("evcharging_gateway_commands_total", "Commands answered", ["action", "outcome"])

WAITING_AT_MOST: Final = 100
"""Commands of one station that may wait for their turn."""
RESERVE_NOW: Final = "ReserveNow"
EXPIRED = Outcome(CommandOutcome.EXPIRED, error_description="it came too late and was not done")


class CommandDesk:
    """Takes commands; `run` for as long as the gateway lives.

    Args:
        dialects: by version.
        life: this run of this gateway, and no other.
        source: names the gateway on events.
        leave_others_s: so long a command for a station that is not here is left to other gateways.
        settle_s: so long after the start of this gateway stations are given to come back.
        held_by_engine: whether an engine runs the charge point of that id.
        say_reserved: is told of a connector of which it is known now for whom it is reserved.
        now: the time, with a zone.
        send: puts an event on the bus; called in order, never waits.
    """

    def __init__(
        self,
        points: ChargePoints,
        writes: Writes,
        calls: StationCalls,
        orders: SupplyOrders,
        *,
        dialects: Mapping[OcppVersion, Dialect],
        life: str,
        source: str,
        leave_others_s: float,
        settle_s: float,
        held_by_engine: Callable[[str], bool] = lambda _cp_id: False,
        say_reserved: Callable[[ChargePoint, int], None] = lambda _point, _connector_id: None,
        now: Callable[[], datetime],
        send: Callable[[Event[Any]], None],
    ) -> None:
        self._points = points
        self._writes = writes
        self._calls = calls
        self._orders = orders
        self._dialects = dialects
        self._life = life
        self._source = source
        self._leave_others_s = leave_others_s
        self._settle_s = settle_s
        self._held_by_engine = held_by_engine
        self._say_reserved = say_reserved
        self._now = now
        self._send = send
        self._began = now()
        self._queues: dict[str, deque[Received[Command]]] = {}
        self._in_hand: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Be there for what `take` and `end` begin, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._tasks = group
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def take(self, received: Received[Command]) -> None:
        """Deal with one command. `run` must be running."""
        if self._tasks is None or received.message.command_id in self._in_hand:
            return
        if self._held_by_engine(received.message.cp_id):
            return
        self._in_hand.add(received.message.command_id)
        point = self._points.get(received.message.cp_id)
        if point is not None and point.link is not None:
            self._enqueue(received)
        else:
            self._tasks.create_task(self._leave_to_others(received))

    def end(self, point: ChargePoint, transaction: OpenTransaction, reason: str) -> None:
        """Have a station end a transaction for a reason of our own: its target is reached, or its start taken back."""
        if self._tasks is not None and point.link is not None:
            self._tasks.create_task(self._end(point, transaction, reason))

    def _enqueue(self, received: Received[Command]) -> None:
        assert self._tasks is not None  # noqa: S101 - the callers have looked
        cp_id = received.message.cp_id
        queue = self._queues.get(cp_id)
        if queue is None:
            self._queues[cp_id] = deque((received,))
            self._tasks.create_task(self._work_off(cp_id))
        elif len(queue) >= WAITING_AT_MOST:
            self._in_hand.discard(received.message.command_id)
            log.warning("a command is left: too many wait for their turn", cp_id=cp_id)
        else:
            queue.append(received)

    async def _work_off(self, cp_id: str) -> None:
        queue = self._queues[cp_id]
        try:
            while queue:
                await self._answer(queue.popleft())
        finally:
            del self._queues[cp_id]

    async def _leave_to_others(self, received: Received[Command]) -> None:
        """Give another gateway, or the station's return, its time; then see to it that somebody answers."""
        since_start_s = (self._now() - self._began).total_seconds()
        await asyncio.sleep(max(self._leave_others_s, self._settle_s - since_start_s))
        point = self._points.get(received.message.cp_id)
        if point is not None and point.link is not None:
            self._enqueue(received)
        else:
            await self._answer(received)

    async def _answer(self, received: Received[Command]) -> None:
        command = received.message
        try:
            taken = await self._take(command)
            if taken is None:
                return
            if taken.reply is not None:
                if self._is_asked_again(received, taken):
                    reply = Reply.from_json(taken.reply)
                    self._send(Event(REPLIES, reply, reply.body_id(), self._source, received.traceparent))
            elif taken.gateway == self._life:
                await self._reply(received, await self._outcome(command))
        except StorageAway:
            log.warning("a command is left: the database is away", command_id=command.command_id)
        finally:
            self._in_hand.discard(command.command_id)

    def _is_asked_again(self, received: Received[Command], taken: store.TakenCommand) -> bool:
        """Whether a command that was answered wants its answer again, of this gateway, and was not read at start."""
        point = self._points.get(received.message.cp_id)
        ours = taken.gateway == self._life or (point is not None and point.link is not None)
        return ours and received.timestamp_ms >= self._began.timestamp() * 1000

    async def _take(self, command: Command) -> store.TakenCommand | None:
        """Take a command for this gateway; None where it is for another, or for no OCPP station."""
        if self._held_by_engine(command.cp_id):
            return None  # which may have come to be known while this waited

        async def effect(work: Work) -> store.TakenCommand | None:
            point = self._points.get(command.cp_id)
            if not await is_ours_to_take(work, command.cp_id, point):
                return None
            return await store.take(
                work.transaction,
                command_id=command.command_id,
                cp_id=command.cp_id,
                action=command.action.value,
                gateway=self._life,
                now=work.now,
            )

        return await self._writes.do(effect)

    async def _outcome(self, command: Command) -> Outcome:
        try:
            if expired(command.expires_at, self._now()):
                return EXPIRED
            return await self._carry_out(command)
        except Refused as refusal:
            return refusal.outcome
        except StorageAway:
            return refused("database_unavailable", "the database is away; the station was not asked")
        except Exception:
            log.exception("a command could not be carried out", command_id=command.command_id)
            return refused("internal_error", "the command could not be carried out; the gateway's log says why")

    async def _carry_out(self, command: Command) -> Outcome:
        point = self._points.get(command.cp_id)
        if point is None or point.link is None:
            return NOT_CONNECTED
        dialect = self._dialects.get(point.link.version)
        if dialect is None:
            raise Refused("not_supported", f"no commands are known for OCPP {point.link.version.value}")
        if command.action is not CommandAction.OCPP_CALL:
            return await self._orders.carry_out(point, dialect, command)
        payload = command.payload or {}
        request = payload.get("payload") or {}
        if not isinstance(request, dict):
            raise Refused("invalid_payload", "OCPP_CALL needs a payload that is an object")
        return await self._calls.pass_on(point, dialect, str(payload.get("action")), request)

    async def _reply(self, received: Received[Command], outcome: Outcome) -> None:
        """Store what came of it together with the reply, however long the database is away."""
        command = received.message
        COMMANDS.labels(command.action.value, outcome.outcome.value).inc()

        async def effect(work: Work) -> None:
            if outcome.record is not None:
                await outcome.record(work)
                await self._learn_reservation(work, command)
            reply = Reply(
                ts=work.now,
                command_id=command.command_id,
                cp_id=command.cp_id,
                outcome=outcome.outcome,
                payload=outcome.payload,
                error_code=outcome.error_code,
                error_description=outcome.error_description,
            )
            await store.answer(
                work.transaction,
                command.command_id,
                outcome=outcome.outcome.value,
                reply=reply.to_json(),
                now=work.now,
            )
            work.publish(Event(REPLIES, reply, reply.body_id(), self._source, received.traceparent))

        self._writes.post(effect)

    async def _learn_reservation(self, work: Work, command: Command) -> None:
        """A station has taken a reservation: know, and say where it has shown it already, for whom."""
        point = self._points.get(command.cp_id)
        if point is not None and (command.payload or {}).get("action") == RESERVE_NOW:
            await learn_holders(work, [point], say=self._say_reserved)

    async def _end(self, point: ChargePoint, transaction: OpenTransaction, reason: str) -> None:
        dialect = None if point.link is None else self._dialects.get(point.link.version)
        if dialect is None:
            return
        try:
            outcome = await self._orders.end(point, dialect, transaction, reason)
        except StorageAway:
            log.warning("a transaction is not asked to end: the database is away", session_id=transaction.session_id)
            return
        if outcome.outcome is not CommandOutcome.ACCEPTED:
            log.warning(
                "a station does not end a transaction",
                session_id=transaction.session_id,
                why=outcome.error_description,
            )
