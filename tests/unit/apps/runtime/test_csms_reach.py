import pytest

from evcharging.apps.runtime.csms_reach import what_to_check


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("ws://127.0.0.1:1/ocpp/<id>: Connection refused", "is the CSMS running"),
        ("wss://h/x: the TLS handshake failed: the server does not speak TLS at this port", "should the address begin"),
        ("wss://h/x: its certificate is not trusted (self-signed)", "--ca"),
        ("wss://h/x: the TLS handshake failed (UNSUPPORTED_PROTOCOL)", "the same versions of TLS"),
        ("HTTP 401: who are you?", "password"),
        ("HTTP 404: unknown station", "know the station's id"),
        ("HTTP 302: redirected to /login; redirects are not followed", "redirects to"),
        ("the server chose no subprotocol; offered were ocpp2.0.1", "that version of OCPP"),
        ("ws://h/x: no websocket within 30 s", "does a firewall drop"),
        ("something new", "host, port and path"),
    ],
)
def test_every_failure_has_a_question_that_leads_on(reason: str, hint: str) -> None:
    assert hint in what_to_check(reason)
