"""Serves an ASGI application inside a service, on a port that is bound before anything else starts.

Also the two things every service shows over HTTP: ``/health`` and ``/metrics``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from evcharging.apps.runtime.errors import UsageError

__all__ = ["bind", "is_loopback", "metrics_response", "serving"]

BACKLOG = 4096
DRAIN_S = 3


def bind(host: str, port: int, *, flag: str) -> socket.socket:
    """Bind and listen.

    Raises:
        UsageError: the port is taken, not allowed, or the host is no address of this machine; names ``flag``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OverflowError:
        sock.close()
        raise UsageError(f"{flag} {port}: no such port; expected 0 (any free one) to 65535") from None
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"{flag} {port}: the port is taken on {host}; stop what uses it or give another") from None
        raise UsageError(f"{flag} {port}: cannot listen on {host} ({error.strerror})") from None
    sock.setblocking(False)
    return sock


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.asynccontextmanager
async def serving(app: Any, sock: socket.socket, *, name: str) -> AsyncIterator[None]:
    """Serve ``app`` on ``sock`` for as long as the block runs, then let open requests end (3 s at most)."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=DRAIN_S,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[sock]), name=f"http:{name}")
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


async def metrics_response(_request: Request | None = None) -> Response:
    """Every metric of this process in Prometheus' text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


class _Server(uvicorn.Server):
    """Leaves the signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
