"""A gateway for tests: real sockets on free ports, certificates made on the spot, a central system that notes all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import argon2
import orjson
import trustme
from websockets.asyncio.client import ClientConnection, connect

from evcharging.apps.ocpp_gateway.gateway import Gateway, tls_context
from evcharging.apps.ocpp_gateway.link import ChargePointLink
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.apps.runtime.http import bind
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.network import OcppConfig
from evcharging.ocpp.errors import CallRejected, Fault

__all__ = ["DEADLINE_S", "NotingCentral", "WireGateway", "ask", "basic", "password_hash", "until", "wire_gateway"]

DEADLINE_S = 30
Payload = dict[str, Any]
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def password_hash(password: str) -> str:
    """argon2, with parameters that take no time."""
    return _HASHER.hash(password)


def basic(user: str, password: str) -> dict[str, str]:
    """The header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass
class NotingCentral:
    """The least central system: answers the Heartbeat, and notes what it is told."""

    links: list[ChargePointLink] = field(default_factory=list)
    ended: list[tuple[ChargePointLink, str]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, Payload, str]] = field(default_factory=list)
    intruders: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[ChargePointLink, Payload], Payload | Awaitable[Payload]]] = field(default_factory=dict)

    def connected(self, link: ChargePointLink) -> None:
        self.links.append(link)

    def disconnected(self, link: ChargePointLink, reason: str) -> None:
        self.ended.append((link, reason))

    def rejected(self, link: ChargePointLink, action: str, payload: Any, error: str) -> None:
        self.refused.append((action, payload, error))

    def intruded(self, cp_id: str, remote: str) -> None:
        self.intruders.append(cp_id)

    def handle(self, link: ChargePointLink, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        self.calls.append((link.cp_id, action))
        answer = self.answers.get(action)
        if answer is not None:
            return answer(link, payload)
        if action == "Heartbeat":
            return {"currentTime": "2026-01-31T12:00:00.000Z"}
        raise CallRejected(Fault.NOT_SUPPORTED, f"{action} is not answered in this test")


class WireGateway:
    """A gateway's wire side that is listening."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.central = NotingCentral()
        self.bus = MemoryBus(MemoryLog())
        self.stations = StationRegistry(
            open_registration=settings.welcomes_strangers,
            default=lambda cp_id: OcppConfig(ts=datetime.now(UTC), cp_id=cp_id),
        )
        self.gateway = Gateway(
            settings, stations=self.stations, bus=self.bus, now=lambda: datetime.now(UTC), central=self.central
        )
        self.port = 0
        self.tls_port = 0
        self.authority: trustme.CA | None = None

    def register(self, cp_id: str, **fields: Any) -> None:
        self.stations.take(OcppConfig(ts=datetime.now(UTC), cp_id=cp_id, **fields))

    def url(self, cp_id: str) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp/{cp_id}"

    def connect(self, cp_id: str, *protocols: str, headers: dict[str, str] | None = None) -> connect:
        """To be awaited, or entered; without ``protocols`` it offers OCPP 1.6."""
        return connect(
            self.url(cp_id),
            subprotocols=protocols or ("ocpp1.6",),  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            proxy=None,
        )

    def connect_tls(
        self,
        cp_id: str,
        *,
        headers: dict[str, str] | None = None,
        certificate_of: str | None = None,
        signed_by: Any = None,
    ) -> connect:
        """Over TLS, with a client certificate for ``certificate_of`` where that is given."""
        assert self.authority is not None
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate_of is not None:
            (signed_by or self.authority).issue_cert(common_name=certificate_of).configure_cert(context)
        return connect(
            f"wss://127.0.0.1:{self.tls_port}/ocpp/{cp_id}",
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            additional_headers=headers,
            compression=None,
            proxy=None,
            ssl=context,
        )

    def counted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Refused openings and ignored frames, by reason."""
        return dict(self.gateway.metrics.refusals), dict(self.gateway.metrics.ignored_frames)


@contextlib.asynccontextmanager
async def wire_gateway(*, tls: Path | None = None, **settings: Any) -> AsyncIterator[WireGateway]:
    """A gateway whose settings differ so from the defaults; with ``tls`` its certificates are put into that folder."""
    authority = None
    if tls is not None:
        authority = trustme.CA()
        own = authority.issue_cert("127.0.0.1")
        own.private_key_and_cert_chain_pem.write_to_path(str(tls / "gateway.pem"))
        authority.cert_pem.write_to_path(str(tls / "ca.pem"))
        settings |= {"tls_certificate": tls / "gateway.pem", "tls_client_ca": tls / "ca.pem"}
    wire = WireGateway(GatewaySettings(**{"frames": "off", **settings}))
    wire.authority = authority
    await wire.bus.start()
    tracing = asyncio.create_task(wire.gateway.trace.run())
    sock = bind("127.0.0.1", 0, flag="--ws-port")
    wire.port = sock.getsockname()[1]
    await wire.gateway.listen(sock)
    if tls is not None:
        tls_sock = bind("127.0.0.1", 0, flag="--tls-port")
        wire.tls_port = tls_sock.getsockname()[1]
        await wire.gateway.listen(tls_sock, tls=tls_context(wire.settings))
    try:
        yield wire
    finally:
        await wire.gateway.close()
        tracing.cancel()
        await asyncio.gather(tracing, return_exceptions=True)
        await wire.bus.stop()


async def ask(station: ClientConnection, frame: Any) -> Any:
    """Send a frame (JSON, or text as it is) and return the next that comes."""
    await station.send(frame if isinstance(frame, str) else orjson.dumps(frame).decode())
    return orjson.loads(await asyncio.wait_for(station.recv(), DEADLINE_S))
