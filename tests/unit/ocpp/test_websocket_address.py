"""Which addresses can be a websocket's, and what is said of the others."""

from __future__ import annotations

import socket

import pytest

from evcharging.ocpp.websocket_address import BadUrl, Target, check_url, resolve, target_of


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("ws://127.0.0.1:9000/ocpp/CP-001", "127.0.0.1", 9000),
        ("ws://csms.example/x", "csms.example", 80),
        ("wss://csms.example/x?a=b", "csms.example", 443),
        ("ws://[::1]:9000/", "::1", 9000),
    ],
)
def test_reads_host_and_port_with_the_ports_of_the_schemes(url: str, host: str, port: int) -> None:
    assert check_url(url) == (host, port)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://csms.example/", "expected an address such as ws://"),
        ("csms.example", "expected an address such as ws://"),
        ("ws://", "expected an address"),
        ("ws://host:0/", "expected an address"),
        ("ws://host:70000/", "Port out of range"),
        ("ws://ho st/", "expected an address"),
        ("ws://host/a\r\nX: y", "expected an address"),
        ("ws://cp:word@host/", "give the password by its own setting"),
        ("ws://host/#part", "expected no fragment"),
        ("ws://[::1/", "Invalid IPv6"),
    ],
)
def test_says_what_is_wrong_with_an_address(url: str, told: str) -> None:
    with pytest.raises(BadUrl, match=told):
        check_url(url)


async def test_looks_no_name_up_where_there_is_an_address() -> None:
    assert (await resolve("ws://127.0.0.1:9/")).addresses == ((socket.AF_INET, ("127.0.0.1", 9)),)
    assert (await resolve("ws://[::1]:9/")).addresses == ((socket.AF_INET6, ("::1", 9)),)


async def test_finds_the_addresses_behind_a_name() -> None:
    assert (socket.AF_INET, ("127.0.0.1", 9)) in (await resolve("ws://localhost:9/")).addresses


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://127.0.0.1:9000/ocpp/CP-001", Target("127.0.0.1:9000", "/ocpp/CP-001", "127.0.0.1", False)),
        ("wss://CSMS.example/x?a=b", Target("CSMS.example", "/x?a=b", "csms.example", True)),
        ("WS://[::1]:9000", Target("[::1]:9000", "/", "::1", False)),
        ("ws://csms.example?a=/b", Target("csms.example", "/?a=/b", "csms.example", False)),
        ("ws://csms.example/x#", Target("csms.example", "/x", "csms.example", False)),
        ("ws://csms.example/ocpp/SÄULE", Target("csms.example", "/ocpp/S%C3%84ULE", "csms.example", False)),
    ],
)
def test_asks_the_host_for_the_path_with_its_query(url: str, target: Target) -> None:
    check_url(url)
    assert target_of(url) == target
