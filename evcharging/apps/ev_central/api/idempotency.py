"""``Idempotency-Key`` on writes: the same request again gets the same answer and has no second effect.

An ASGI layer inside of who may write and outside of the routes. Only answers that tell of an effect (2xx) are kept; a
refusal frees the key. Where the effect is in doubt (the process was cut short, the database went away during a commit)
the key stays taken, and repeats are told so instead of being carried out.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evcharging.apps.ev_central.api.guards import READING
from evcharging.apps.ev_central.api.problems import IN_DOUBT, Refused, without_database
from evcharging.store import idempotency
from evcharging.store.database import Database, DatabaseUnavailable
from evcharging.store.idempotency import Completed, Open, OtherRequest
from evcharging.store.simulator import tables

__all__ = ["KEPT_FOR", "OncePerKey"]

log = structlog.get_logger()

KEPT_FOR = timedelta(days=1)
"""Keys older than this may be forgotten."""

CUT_SHORT_AFTER = timedelta(seconds=60)
"""No request is carried out for longer than this; one that seems to be was cut short."""

KEY = re.compile(r"[\x21-\x7e]{1,255}")
MOST_UNSETTLED = 10_000
"""Outcomes that could not be written down yet, kept in memory until their key is asked for again."""


class OncePerKey:
    """Answers a repeated write from the database."""

    def __init__(self, app: ASGIApp, *, database: Database, now: Callable[[], datetime]) -> None:
        self._app = app
        self._database = database
        self._now = now
        self._unsettled: OrderedDict[str, Completed | None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive, key)
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        for message in answer:
            await send(message)

    async def _answer(self, scope: Scope, receive: Receive, key: str) -> list[Message]:
        if KEY.fullmatch(key) is None:
            raise Refused(
                "invalid_request",
                "Idempotency-Key: expected 1 to 255 visible ASCII characters",
                errors=[{"pointer": "header/Idempotency-Key", "detail": "expected 1 to 255 visible ASCII characters"}],
            )
        request = await receive()
        route = f"{scope['method']} {scope['path']}"[:300]
        digest = hashlib.sha256(scope["query_string"] + b"\n" + request.get("body", b"")).hexdigest()
        known = await self._claim(key, route, digest)
        if isinstance(known, Completed):
            return _replayed(known)
        if isinstance(known, OtherRequest):
            raise Refused("key_reused", f"the key was used for {known.route} with another content")
        if isinstance(known, Open):
            if self._now() - known.since < CUT_SHORT_AFTER:
                raise Refused("in_progress", "the same request is being carried out", headers={"Retry-After": "1"})
            raise Refused("outcome_unknown", f"the same request was cut short at {known.since.isoformat()}")
        return await self._carry_out(scope, request, receive, key)

    async def _carry_out(self, scope: Scope, request: Message, receive: Receive, key: str) -> list[Message]:
        unread = [request]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        sent: list[Message] = []

        async def capture(message: Message) -> None:
            sent.append(message)

        state = scope.setdefault("state", {})
        await self._app(scope, replay, capture)
        status = sent[0]["status"]
        if 200 <= status < 300:
            body = b"".join(message.get("body", b"") for message in sent[1:])
            await self._settle(key, Completed(status, _texts(sent[0]), body))
        elif not state.get(IN_DOUBT):
            await self._settle(key, None)
        return sent

    async def _settle(self, key: str, outcome: Completed | None) -> None:
        """Write down how a request ended: with an answer to keep, or without effect."""
        try:
            async with self._database.begin() as transaction:
                await _write(transaction, key, outcome)
        except DatabaseUnavailable as error:
            log.warning("the outcome of a key could not be stored yet", error=str(error))
            self._unsettled[key] = outcome
            while len(self._unsettled) > MOST_UNSETTLED:
                self._unsettled.popitem(last=False)

    async def _claim(self, key: str, route: str, digest: str) -> idempotency.Claim:
        try:
            async with self._database.begin() as transaction:
                if key in self._unsettled:
                    await _write(transaction, key, self._unsettled[key])
                claimed = await idempotency.claim(
                    transaction,
                    tables.idempotency_keys,
                    key=key,
                    route=route,
                    request_hash=digest,
                    now=self._now(),
                )
        except DatabaseUnavailable as error:
            log.warning("a key could not be claimed", error=str(error))
            raise without_database(error, in_doubt=False) from None  # the request itself was not begun
        self._unsettled.pop(key, None)
        return claimed


async def _write(transaction: AsyncConnection, key: str, outcome: Completed | None) -> None:
    if outcome is None:
        await idempotency.release(transaction, tables.idempotency_keys, key=key)
    else:
        await idempotency.complete(transaction, tables.idempotency_keys, key=key, response=outcome)


def _texts(start: Message) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in start.get("headers", [])
        if name.lower() in (b"content-type", b"location")
    ]


def _replayed(known: Completed) -> list[Message]:
    headers = MutableHeaders(headers=dict(known.headers))
    headers["content-length"] = str(len(known.body))
    headers["idempotency-replayed"] = "true"
    return [
        {"type": "http.response.start", "status": known.status, "headers": headers.raw},
        {"type": "http.response.body", "body": known.body, "more_body": False},
    ]
