"""What stands between a socket and the routes: ASGI layers that know no route.

From the outside in: `Shell` (security headers, and the answer to a mistake of ours), `BoundedBody` (64 KiB, 30 s),
`Writers` (who may write). Each refuses with a problem of its own and passes everything else on unchanged.
"""

from __future__ import annotations

import asyncio
import hmac
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evcharging.apps.ev_central.api.problems import Refused, problem_response

__all__ = ["BoundedBody", "Shell", "Writers", "is_same_origin"]

log = structlog.get_logger()

MOST_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 30.0
READING = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Shell:
    """Puts the security headers on every answer, and turns what nobody foresaw into a problem and a log line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        head = scope["method"] == "HEAD"
        if head:  # what may be read may be asked about
            scope = {**scope, "method": "GET"}

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception:
            log.exception("a request failed", method=scope["method"], path=scope["path"])
            if begun:
                raise  # the answer is under way: only a broken connection can say that it is not whole
            answer = problem_response("internal_error", "the request failed for a reason that is in Central's log")
            await answer(scope, receive, with_headers)


class BoundedBody:
    """Takes the body in before anything else looks at the request, as far as it is small and comes soon."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _whole_body(scope, receive)
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        except TimeoutError:
            answer = problem_response("slow_request", f"the body did not come within {BODY_TIMEOUT_S:.0f} s")
            await answer(scope, receive, send)
            return
        if body is None:
            return
        unread = [body]

        async def replay() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return await receive()

        await self._app(scope, replay, send)


class Writers:
    """Lets those write who carry the token, where one is set, and nobody whom another web site sent."""

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        self._app = app
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["method"] not in READING:
            try:
                self._admit(Headers(scope=scope))
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, headers: Headers) -> None:
        if not is_same_origin(headers):
            raise Refused("cross_origin", "the Origin header names another host than the one that was called")
        if self._token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), self._token):
            raise Refused(
                "unauthorized",
                "expected Authorization: Bearer with the token that Central was started with",
                headers={"WWW-Authenticate": 'Bearer realm="central"'},
            )


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser's request comes from a page of this very host; programs send no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(netloc) and netloc.lower() == headers.get("host", "").lower()


async def _whole_body(scope: Scope, receive: Receive) -> bytes | None:
    """Read it; None where the caller hung up first."""
    declared = Headers(scope=scope).get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BODY_BYTES:
        raise Refused("too_large", f"got a body of {declared} bytes, expected at most {MOST_BODY_BYTES}")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            raise Refused("too_large", f"got a body of more than {MOST_BODY_BYTES} bytes, expected at most that")
        if not message.get("more_body", False):
            return bytes(body)
