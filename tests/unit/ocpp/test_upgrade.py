"""Reading the head of a request for a WebSocket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.ocpp.upgrade import BadRequest, Refusal, parse_request, refusal_bytes, refused_unread

GOOD = (
    "GET /ocpp/CP-001 HTTP/1.1",
    "Host: csms",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1",
)


def head(*lines: str, without: str = "") -> bytes:
    kept = [line for line in GOOD if not (without and line.startswith(without))]
    return "\r\n".join([*kept, *lines]).encode()


def refused(data: bytes) -> Refusal:
    with pytest.raises(BadRequest) as told:
        parse_request(data)
    return told.value.refusal


def test_a_request_tells_its_target_its_headers_and_the_subprotocols_in_order() -> None:
    request = parse_request(head(), remote="127.0.0.1")

    assert request.target == "/ocpp/CP-001"
    assert request.subprotocols == ("ocpp1.6", "ocpp2.0.1")
    assert request.key == "AAECAwQFBgcICQoLDA0ODw=="
    assert request.headers["host"] == "csms"
    assert (request.remote, request.secure, request.certificate) == ("127.0.0.1", False, None)


def test_chargers_may_spell_headers_as_they_like() -> None:
    data = head("CONNECTION:keep-alive ,  UPGRADE", "upgrade:   WebSocket  ", without="Connection").replace(
        b"Upgrade: websocket\r\n", b""
    )

    assert parse_request(data).headers["upgrade"] == "WebSocket"


def test_subprotocols_in_several_headers_are_read_as_one_list() -> None:
    assert parse_request(head("sec-websocket-protocol: ocpp2.1")).subprotocols == ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")


def test_a_request_without_subprotocols_offers_none() -> None:
    assert parse_request(head(without="Sec-WebSocket-Protocol")).subprotocols == ()


@pytest.mark.parametrize("data", [b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_the_first_byte_of_tls_is_refused_before_the_rest_has_come_and_told_apart(data: bytes) -> None:
    refusal = refused_unread(data)
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (400, "tls_to_plain_port")
    assert "wss://" in refusal.text


@pytest.mark.parametrize("data", [b"", b"G", head(), b"hello\r\n"])
def test_whatever_else_comes_first_is_read_on(data: bytes) -> None:
    assert refused_unread(data) is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /ocpp/CP-001", 400),
        (head("no colon"), 400),
        (head(" folded: value"), 400),
        (head("Content-Length: 5"), 400),
        (head("Transfer-Encoding: chunked"), 400),
        (head(without="Sec-WebSocket-Key"), 400),
        (head("Sec-WebSocket-Key: c2hvcnQ=", without="Sec-WebSocket-Key"), 400),
        (head("Sec-WebSocket-Key: \xff", without="Sec-WebSocket-Key"), 400),
        (head().replace(b"GET", b"POST"), 405),
        (head(without="Upgrade"), 426),
        (head(without="Connection"), 426),
        (head("Sec-WebSocket-Version: 8", without="Sec-WebSocket-Version"), 426),
        (head().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
    ],
)
def test_what_is_no_request_for_a_websocket_is_refused_as_http_has_it(data: bytes, status: int) -> None:
    refusal = refused(data)

    assert (refusal.status, refusal.reason) == (status, "no_websocket")


def test_the_version_that_is_spoken_is_told_to_who_speaks_another() -> None:
    refusal = refused(head("Sec-WebSocket-Version: 8", without="Sec-WebSocket-Version"))

    assert refusal.headers == {"Sec-WebSocket-Version": "13"}


def test_a_refusal_is_a_whole_answer_that_ends_the_connection() -> None:
    answer = refusal_bytes(Refusal(401, "password", "no\n", {"WWW-Authenticate": "Basic"}))

    assert answer == (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\nno\n"
    )


def test_a_request_does_not_show_its_password_when_it_is_printed() -> None:
    assert "c2VjcmV0" not in repr(parse_request(head("Authorization: Basic c2VjcmV0")))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_and_no_more(data: bytes) -> None:
    assert refused(data).status in (400, 405, 426, 505)
