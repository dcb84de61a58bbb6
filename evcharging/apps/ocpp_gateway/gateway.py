"""The wire side of a gateway: openings decided, sockets kept, calls handed to the central system behind them.

It knows no operation of OCPP and no database. What a station's call means is the `CentralSystem`'s.
"""

from __future__ import annotations

import resource
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import count
from typing import Any, Final, Protocol

import structlog

from evcharging.apps.ocpp_gateway.admission import Admission
from evcharging.apps.ocpp_gateway.frame_trace import FrameTrace
from evcharging.apps.ocpp_gateway.link import ChargePointLink, LinkTerms
from evcharging.apps.ocpp_gateway.links import Links
from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.apps.ocpp_gateway.passwords import PasswordChecker
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.apps.runtime.errors import UsageError
from evcharging.bus.protocol import Bus
from evcharging.bus.ratelimit import RateLimit
from evcharging.ocpp.exchange import Direction
from evcharging.ocpp.frames import Frame
from evcharging.ocpp.upgrade import UpgradeRequest
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_server import WebSocketServer

__all__ = ["CentralSystem", "Gateway", "most_sockets", "tls_context"]

log = structlog.get_logger()

FILES_KEPT_FREE: Final = 256
REPLACED: Final = "a newer connection of this station took over"


class CentralSystem(Protocol):
    """What stations talk to. Told of each station once, however its sockets replace one another."""

    def connected(self, link: ChargePointLink) -> None:
        """The station has a new socket, perhaps in place of an older one that it is not told to be gone."""

    def disconnected(self, link: ChargePointLink, reason: str) -> None:
        """The station's current socket is gone."""

    def handle(self, link: ChargePointLink, action: str, payload: dict[str, Any]) -> Any:
        """Answer a call that is valid by its schema: a payload, or an awaitable of one; `CallRejected` is CALLERROR."""

    def rejected(self, link: ChargePointLink, action: str, payload: Any, error: str) -> None:
        """A call was answered with CALLERROR because it breaks its schema."""

    def intruded(self, cp_id: str, remote: str) -> None:
        """Somebody at ``remote`` was turned away who came under the id of a charge point that an engine runs."""


class Gateway:
    """The sockets of one gateway, and what is around them.

    Args:
        settings: see `GatewaySettings`.
        stations: who may connect.
        bus: where frames are published.
        now: the time.
        central: what stations talk to; may be set later, before `listen`.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        stations: StationRegistry,
        bus: Bus,
        now: Callable[[], datetime],
        central: CentralSystem | None = None,
    ) -> None:
        self.central = central
        self._log = log.bind()  # once: a line that is left out would be bound for all the same, station by station
        self.links = Links(wall_ns=time.time_ns)
        self._now = now
        self._run_id = secrets.token_hex(4)
        self._sockets_at_most = most_sockets(settings.most_stations)
        self._may_log_refusal = RateLimit(per_s=1.0)
        numbers = count(1)
        self._terms = LinkTerms(
            messages_per_s=settings.messages_per_s,
            message_burst=settings.message_burst,
            tolerate_unknown_fields=settings.tolerate_unknown_fields,
            clock=time.monotonic,
            new_id=lambda: f"{self._run_id}-{next(numbers)}",
        )
        self._passwords = PasswordChecker()
        self.admission = Admission(
            stations,
            self._passwords,
            self._make_link,
            full=self._full,
            dismissed=self._refused,
            intruded=lambda cp_id, request: self._central.intruded(cp_id, request.remote),
            stranger_password=settings.station_password.get_secret_value() if settings.station_password else None,
        )
        self._server = WebSocketServer(
            self.admission.decide,
            refused=self._refused,
            max_message_bytes=settings.max_message_bytes,
            ping_interval_s=settings.ping_interval_s,
            open_timeout_s=settings.open_timeout_s,
            most_connections=self._sockets_at_most + FILES_KEPT_FREE // 2,
        )
        self.metrics = GatewayMetrics(connected=lambda: len(self.links), opening=lambda: self._server.opening)
        self.trace = FrameTrace(
            bus,
            mode=settings.frames,
            connected=lambda: len(self.links),
            now=now,
            source=f"gateway/{settings.name}",
            run_id=self._run_id,
            metrics=self.metrics,
        )

    async def listen(self, sock: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Let stations in at a socket that is bound."""
        assert self.central is not None, "set the central system first"  # noqa: S101
        await self._server.listen(sock, tls=tls)

    async def close(self) -> None:
        """Say goodbye to every station (1001) and wait until all are gone."""
        await self._server.close()
        self._passwords.close()

    def drop(self, cp_id: str, reason: str) -> None:
        """End a station's socket, as its registration does not allow it any more."""
        link = self.links.get(cp_id)
        if link is not None:
            link.close(1008, reason)

    def opened(self, link: ChargePointLink) -> None:
        """Of `LinkHost`."""
        self.metrics.events["connections"] += 1
        replaced = self.links.enter(link)
        if replaced is not None:
            self.metrics.events["replaced"] += 1
            replaced.close(1008, REPLACED)
        self._log.debug("station connected", cp_id=link.cp_id, version=link.version.value, remote=link.remote)
        self._central.connected(link)

    def closed(self, link: ChargePointLink, reason: str) -> None:
        """Of `LinkHost`."""
        if self.links.leave(link):
            self._log.debug("station disconnected", cp_id=link.cp_id, reason=reason)
            self._central.disconnected(link, reason)

    def handle(
        self, link: ChargePointLink, action: str, payload: dict[str, Any]
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """Of `LinkHost`."""
        answer: dict[str, Any] | Awaitable[dict[str, Any]] = self._central.handle(link, action, payload)
        return answer

    def rejected(self, link: ChargePointLink, action: str, payload: dict[str, Any], code: str) -> None:
        """Of `LinkHost`."""
        self._central.rejected(link, action, payload, code)

    def frame(self, link: ChargePointLink, direction: Direction, frame: Frame | None, raw: bytes | str) -> None:
        """Of `LinkHost`."""
        self.trace.take(link.cp_id, direction, frame, raw)

    @property
    def _central(self) -> CentralSystem:
        assert self.central is not None  # noqa: S101 - `listen` saw to it
        return self.central

    def _make_link(self, cp_id: str, version: OcppVersion, request: UpgradeRequest) -> ChargePointLink:
        return ChargePointLink(
            cp_id,
            version,
            remote=request.remote,
            connected_at=self._now(),
            host=self,
            terms=self._terms,
            metrics=self.metrics,
        )

    def _full(self) -> str | None:
        if len(self._server) < self._sockets_at_most:
            return None
        return f"{self._sockets_at_most} stations are connected, and no more can be"

    def _refused(self, reason: str, request: UpgradeRequest | None) -> None:
        self.metrics.refused(reason)
        left_out = self._may_log_refusal.admit()
        if left_out is not None:
            target, remote = (request.target[:100], request.remote) if request is not None else ("", "")
            log.warning("an opening did not succeed", reason=reason, target=target, remote=remote, left_out=left_out)


def most_sockets(wanted: int | None) -> int:
    """How many sockets may be held: as many as are wanted, or as the limit of open files allows.

    Raises:
        UsageError: more are wanted than the limit allows; says how to raise it.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(limit - FILES_KEPT_FREE, 1)
    if wanted is not None and wanted > allowed:
        needed = wanted + FILES_KEPT_FREE
        raise UsageError(
            f"--most-stations {wanted}: that takes {needed} open files and {limit} are allowed;"
            f" run: sudo prlimit --pid $$ --nofile={needed}  (for a service of systemd: LimitNOFILE={needed})"
        )
    return wanted if wanted is not None else allowed


def tls_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the gateway's certificate, or None where none is set.

    A station's certificate is asked for where its signers are known, and verified where it is given: whether a station
    must have one is its security profile's matter.

    Raises:
        UsageError: a file cannot be read, or holds something else.
    """
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        key = settings.tls_key or settings.tls_certificate
        raise UsageError(
            f"--tls-certificate {settings.tls_certificate}, --tls-key {key}: no certificate with its key, PEM ({error})"
        ) from None
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"--tls-client-ca {settings.tls_client_ca}: no certificates, PEM ({error})") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
