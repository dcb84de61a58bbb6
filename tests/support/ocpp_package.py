"""The `ocpp` package's own charge point and central system, as somebody else would write them.

Nothing of ours is in here: the package parses, validates against the standard's schemas and encodes, `websockets`
carries. What our side sends wrongly makes the package answer CALLERROR or raise, and is kept in ``errors``.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.charge_point import ChargePoint as PackageChargePoint
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

PATIENCE_S = 30.0
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}

Answers = Mapping[str, Mapping[str, Any] | Callable[..., Any]]
"""By action: the response's fields in snake case, or a function of the request's fields that returns the response."""

AnswersByStation = Callable[[str], Answers]
"""What a station with that id is answered."""


class Peer:
    """One of the package's charge point objects, with every request that it handled and every error that it met."""

    def __init__(self, charge_point: PackageChargePoint, requests: list[tuple[str, dict[str, Any]]]) -> None:
        self.charge_point = charge_point
        self.requests = requests
        self.errors: list[str] = []
        self.logger = logging.getLogger(f"ocpp-package.{id(self)}")
        self.logger.propagate = False
        self.logger.addHandler(_Keeper(self.errors))
        charge_point.logger = self.logger

    async def call(self, request: Any) -> Any:
        """Send a request of the package's; CALLERROR raises the package's own exceptions."""
        return await self.charge_point.call(request, suppress=False)

    def of(self, action: str) -> list[dict[str, Any]]:
        """The requests of one action, in order."""
        return [request for name, request in self.requests if name == action]

    async def next(self, action: str, matches: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait until a request of ``action`` that matches was handled, and return it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for request in self.of(action):
                    if matches(request):
                        return request
                await asyncio.sleep(0.01)


@asynccontextmanager
async def charge_point(
    url: str, *, version: str = "1.6", answers: Answers | None = None, **dial: Any
) -> AsyncIterator[Peer]:
    """The package's charge point, connected to the central system at ``url`` (which ends with its id)."""
    async with connect(url, subprotocols=[websockets.Subprotocol(SUBPROTOCOLS[version])], **dial) as socket:
        assert socket.subprotocol == SUBPROTOCOLS[version]
        peer = _peer(url.rsplit("/", 1)[-1], socket, version, answers or {})
        async with _started(peer):
            yield peer


class CentralSystem:
    """The package's central system: a peer for each charge point that connects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.peers: dict[str, list[Peer]] = {}

    async def connected(self, station_id: str, *, times: int = 1) -> Peer:
        """Wait until ``station_id`` connected that often; its newest peer."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.peers.get(station_id, ())) < times:
                await asyncio.sleep(0.01)
        return self.peers[station_id][-1]


@asynccontextmanager
async def central_system(
    *, version: str = "1.6", answers: Answers | AnswersByStation | None = None, **server: Any
) -> AsyncIterator[CentralSystem]:
    """The package's central system on a free port of the loopback; `CentralSystem.url` lacks the station's id."""
    system = CentralSystem("")
    numbered = {"StartTransaction": _numbered_transactions()} if version == "1.6" else {}

    async def accept(socket: ServerConnection) -> None:
        assert socket.request is not None
        station_id = socket.request.path.rsplit("/", 1)[-1]
        own = answers(station_id) if callable(answers) else answers or {}
        peer = _peer(station_id, socket, version, {**_ANSWERS_TO_STATIONS[version], **numbered, **own})
        system.peers.setdefault(station_id, []).append(peer)
        async with _started(peer):
            await socket.wait_closed()

    subprotocols = [websockets.Subprotocol(SUBPROTOCOLS[version])]
    async with serve(accept, "127.0.0.1", 0, subprotocols=subprotocols, **server) as listening:
        scheme = "wss" if "ssl" in server else "ws"
        system.url = f"{scheme}://localhost:{next(iter(listening.sockets)).getsockname()[1]}/ocpp"
        yield system


def now_text() -> str:
    """This moment as the standard writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _peer(cp_id: str, socket: Any, version: str, answers: Answers) -> Peer:
    base, results = (ChargePoint16, result16) if version == "1.6" else (ChargePoint201, result201)
    requests: list[tuple[str, dict[str, Any]]] = []
    handlers = {f"on_{action}": _handler(action, answer, results, requests) for action, answer in answers.items()}
    return Peer(type("PackageSide", (base,), handlers)(cp_id, socket, response_timeout=PATIENCE_S), requests)


def _handler(action: str, answer: Any, results: Any, requests: list[tuple[str, dict[str, Any]]]) -> Any:
    response = getattr(results, action)

    async def handle(self: PackageChargePoint, **request: Any) -> Any:
        requests.append((action, request))
        fields = answer(**request) if callable(answer) else answer
        if asyncio.iscoroutine(fields):
            fields = await fields
        return response(**fields)

    handle.__name__ = f"on_{action}"  # the package finds handlers by the names of functions
    return on(action)(handle)


@asynccontextmanager
async def _started(peer: Peer) -> AsyncIterator[None]:
    task = asyncio.create_task(_serve(peer))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _serve(peer: Peer) -> None:
    with suppress(websockets.ConnectionClosed):
        await peer.charge_point.start()


class _Keeper(logging.Handler):
    """Keeps what the package logs as an error: a frame or a payload of ours that it could not take."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record.getMessage())


def _numbered_transactions() -> Callable[..., dict[str, Any]]:
    numbers = itertools.count(1001)
    return lambda **_: {"transaction_id": next(numbers), "id_tag_info": {"status": "Accepted"}}


_ANSWERS_TO_STATIONS: dict[str, Answers] = {
    "1.6": {
        "Authorize": {"id_tag_info": {"status": "Accepted"}},
        "BootNotification": lambda **_: {"current_time": now_text(), "interval": 300, "status": "Accepted"},
        "DataTransfer": {"status": "Accepted"},
        "DiagnosticsStatusNotification": {},
        "FirmwareStatusNotification": {},
        "Heartbeat": lambda **_: {"current_time": now_text()},
        "MeterValues": {},
        "StatusNotification": {},
        "StopTransaction": {"id_tag_info": {"status": "Accepted"}},
    },
    "2.0.1": {
        "Authorize": {"id_token_info": {"status": "Accepted"}},
        "BootNotification": lambda **_: {"current_time": now_text(), "interval": 300, "status": "Accepted"},
        "DataTransfer": {"status": "Accepted"},
        "Heartbeat": lambda **_: {"current_time": now_text()},
        "MeterValues": {},
        "NotifyReport": {},
        "NotifyEvent": {},
        "SecurityEventNotification": {},
        "FirmwareStatusNotification": {},
        "LogStatusNotification": {},
        "StatusNotification": {},
        "TransactionEvent": {"id_token_info": {"status": "Accepted"}},
    },
}
