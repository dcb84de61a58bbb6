"""Serving HTTP: the port is bound first, and a port that cannot be had ends with its flag named."""

from __future__ import annotations

import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.http import bind, is_loopback, metrics_response, serving


def test_a_bound_socket_listens():
    with bind("127.0.0.1", 0, flag="--http-port") as sock, socket.create_connection(sock.getsockname(), timeout=5):
        pass


def test_a_taken_port_is_told_with_its_flag():
    with bind("127.0.0.1", 0, flag="--http-port") as sock:
        port = sock.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--http-port {port}: the port is taken on 127\.0\.0\.1"):
            bind("127.0.0.1", port, flag="--http-port")


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("no-such-host.invalid", 0), ("127.0.0.1", 65536)])
def test_an_address_that_cannot_be_listened_on_is_told_with_its_flag(host, port):
    with pytest.raises(UsageError, match=rf"--http-port {port}: "):
        bind(host, port, flag="--http-port")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)],  # noqa: S104
)
def test_loopback_is_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected


async def test_an_application_is_served_for_as_long_as_the_block_runs():
    sock = bind("127.0.0.1", 0, flag="--http-port")
    host, port = sock.getsockname()
    app = Starlette(routes=[Route("/metrics", metrics_response)])
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        async with serving(app, sock, name="test"):
            answer = await client.get("/metrics")
            assert answer.status_code == 200
            assert "python_info" in answer.text
        with pytest.raises(httpx.TransportError):
            await client.get("/metrics")
