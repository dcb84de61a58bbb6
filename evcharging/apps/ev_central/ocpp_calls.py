"""Operations that a central system initiates, asked over HTTP: through the bus to the gateway, and the answer back.

A call is a command like any other, so whichever gateway holds the socket carries it out; the reply is matched by the
command's id, at whichever copy of Central waits for it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from evcharging.apps.ev_central.admission import is_out_of_touch
from evcharging.apps.ev_central.errors import UnknownChargePoint
from evcharging.apps.ev_central.ocpp_actions import initiated_by_central
from evcharging.apps.ev_central.ocpp_errors import (
    CallFailed,
    CallRefused,
    InvalidValue,
    NoAnswer,
    NotConnected,
    TooManyCalls,
    UnknownAction,
)
from evcharging.apps.ev_central.ocpp_passwords import follow_password, password_given, password_taken
from evcharging.apps.ev_central.passwords import hashed
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.commands import CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import new_traceparent
from evcharging.ocpp.errors import CallRejected
from evcharging.ocpp.schemas import check_order
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.simulator.stations import find_station

__all__ = ["ANSWER_WITHIN_S", "OcppCalls"]

ANSWER_WITHIN_S = 30.0
MOST_CALLS = 1_000
DEFAULT_VERSION = OcppVersion.V16
NEVER_CONNECTED = "it is registered and has never connected: have it connect to the gateway, at /ocpp/ and its id"
AWAY = "it has no connection to a gateway; wait until it is back (GET /cp tells)"


class OcppCalls:
    """Calls under way. `hear` must be given every reply that is read from the bus.

    A password that a station takes is its registration's from then on.
    """

    def __init__(self, transactions: Transactions, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._transactions = transactions
        self._answer_within_s = answer_within_s
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    def hear(self, reply: Reply) -> None:
        """Hand a reply to whoever waits for it; most are for nobody here."""
        waiter = self._waiting.get(reply.command_id)
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)

    async def call(self, cp_id: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Have a charge point carry out ``action``; returns its response, as the standard spells it.

        Raises:
            UnknownChargePoint, UnknownAction, InvalidValue: nothing was sent.
            NotConnected, CallRefused: nothing was sent to the charge point.
            CallFailed: it answered CALLERROR.
            NoAnswer: there was no answer in time.
            DatabaseUnavailable: nothing was sent; or a station took a password that its registration does not have yet:
                asked again, both have it.
        """
        if len(self._waiting) >= MOST_CALLS:
            raise TooManyCalls(f"{MOST_CALLS} calls wait for their answers already")
        password = password_given(action, payload)
        password_hash = None if password is None else await hashed(password)  # now: the station may be back in a moment
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        command_id: str | None = None
        try:
            async with self._transactions.begin() as work:
                command_id = await self._order(work, cp_id, action, payload)
                self._waiting[command_id] = answer
            async with asyncio.timeout(self._answer_within_s):
                reply = await answer
        except TimeoutError:
            why = f"nothing came within {self._answer_within_s:.0f} s"
            raise NoAnswer(cp_id, action, why, in_doubt=True) from None
        finally:
            if command_id is not None:
                self._waiting.pop(command_id, None)
        response = _response(reply, cp_id, action)
        if password_hash is not None and password_taken(action, response):
            async with self._transactions.begin() as work:
                await follow_password(work, cp_id, password_hash)
        return response

    async def _order(self, work: Work, cp_id: str, action: str, payload: dict[str, Any]) -> str:
        await work.load(cp_ids=[cp_id])
        point = work.charge_points.get(cp_id)
        if point is None:
            if await find_station(work.transaction, cp_id) is None:
                raise UnknownChargePoint(cp_id)
            raise NotConnected(cp_id, NEVER_CONNECTED)
        try:
            version = OcppVersion(point.ocpp_version or DEFAULT_VERSION)
        except ValueError:
            version = DEFAULT_VERSION
        known = initiated_by_central(version)
        if action not in known:
            raise UnknownAction(action, version.value, sorted(known))
        try:
            check_order(version, action, payload)
        except CallRejected as error:
            pointer, _, detail = error.description.partition(": ")
            raise InvalidValue(_pointer(pointer), detail or error.description) from None
        if point.source != StatusSource.OCPP.value:
            raise NotConnected(cp_id, f"it speaks no OCPP (source {point.source or 'unknown'})")
        if is_out_of_touch(point):
            raise NotConnected(cp_id, NEVER_CONNECTED if point.last_seen_at is None else AWAY)
        return work.order(
            CommandAction.OCPP_CALL,
            cp_id,
            cause=str(uuid4()),
            connector_id=0,
            valid_s=self._answer_within_s,
            payload={"action": action, "payload": payload},
            traceparent=new_traceparent(),
        )


def _response(reply: Reply, cp_id: str, action: str) -> dict[str, Any]:
    told = reply.error_description or reply.error_code or ""
    match reply.outcome:
        case CommandOutcome.CALL_RESULT | CommandOutcome.ACCEPTED:
            return reply.payload or {}
        case CommandOutcome.CALL_ERROR:
            raise CallFailed(
                cp_id,
                action,
                error_code=reply.error_code or "GenericError",
                error_description=reply.error_description or "",
            )
        case CommandOutcome.NOT_CONNECTED:
            raise NotConnected(cp_id, told or "no gateway has a connection to it")
        case CommandOutcome.REJECTED:
            raise CallRefused(cp_id, action, told or "the gateway gave no reason")
        case CommandOutcome.EXPIRED:
            raise NoAnswer(cp_id, action, "it could not be sent in time", in_doubt=False)
        case CommandOutcome.TIMEOUT:
            raise NoAnswer(cp_id, action, told or "its time ran out", in_doubt=True)


def _pointer(where: str) -> str:
    return "#" if where in ("payload", "") else "#/" + where.replace(".", "/")
