"""A CSMS on a real socket: the `websockets` library below, the standard's schemas on every frame, canned answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from evcharging.ocpp.exchange import Exchange
from evcharging.ocpp.versions import OcppVersion, version_of
from tests.support.station_v201 import Csms201

DEADLINE_S = 30.0


class CsmsServer(Csms201):
    """Answers stations of 1.6 and 2.0.1; `hear` waits for what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.connections = 0
        self._changed = asyncio.Condition()
        self.answers["Authorize"] = self._authorized
        self.answers["BootNotification"] = {**self.answers["BootNotification"], "interval": 60}

    async def serve(self, connection: ServerConnection) -> None:
        """Be the far end of one connection."""
        self.connections += 1
        sending: set[asyncio.Task[None]] = set()

        def send(data: bytes) -> None:
            task = asyncio.ensure_future(_send(connection, data))
            sending.add(task)
            task.add_done_callback(sending.discard)

        self.exchange = exchange = Exchange(
            version_of(connection.subprotocol or "") or OcppVersion.V16,
            send=send,
            handle=self._handle,
            new_id=lambda: f"csms-{next(self._ids)}",
            observer=self,
        )
        await self._tell()
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                exchange.receive(message)
                await self._tell()
        exchange.close("closed")

    async def hear(self, found: Callable[[], Any]) -> Any:
        """Wait until ``found`` gives something; returns it."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(found)
        return found()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @staticmethod
    def _authorized(request: dict[str, Any]) -> dict[str, Any]:
        return {"idTagInfo" if "idTag" in request else "idTokenInfo": {"status": "Accepted"}}


@contextlib.asynccontextmanager
async def a_csms(**options: Any) -> AsyncIterator[CsmsServer]:
    """Run a CSMS; its `url` takes the stations' ids behind a slash. ``options`` are those of `websockets`."""
    csms = CsmsServer()
    subprotocols = [version.subprotocol for version in (OcppVersion.V201, OcppVersion.V16)]
    async with serve(csms.serve, "127.0.0.1", 0, subprotocols=subprotocols, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        csms.url = f"ws{'s' if 'ssl' in options else ''}://127.0.0.1:{port}/ocpp"
        yield csms


async def _send(connection: ServerConnection, data: bytes) -> None:
    with contextlib.suppress(ConnectionClosed):
        await connection.send(data.decode())
