import pytest

from evcharging.apps.runtime.csms_reach import told_with_hint, what_to_check

REFUSED = "the handshake was refused"


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("ws://127.0.0.1:1/ocpp/<id>: Connection refused", "is the CSMS running"),
        ("wss://h/x: the TLS handshake failed: the server does not speak TLS at this port", "should the address begin"),
        ("wss://h/x: its certificate is not trusted (self-signed)", "--ca"),
        ("wss://h/x: the TLS handshake failed (UNSUPPORTED_PROTOCOL)", "the same versions of TLS"),
        ("HTTP 302: redirected to /login; redirects are not followed", "redirects to"),
        ("the server chose no subprotocol; offered were ocpp2.0.1", "that version of OCPP"),
        ("ws://h/x: no websocket within 30 s", "does a firewall drop"),
        ("something new", "host, port and path"),
    ],
)
def test_every_failure_has_a_question_that_leads_on(reason: str, hint: str) -> None:
    asked = what_to_check(reason)
    assert asked is not None
    assert hint in asked


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (200, "websocket at this path"),
        (400, "that version of OCPP"),
        (401, "is the password right"),
        (403, "wss:// or a client certificate"),
        (404, "path that it expects before the id"),
        (409, "another connection of this id"),
        (418, "what does the log of the CSMS say of this station"),
        (426, "websocket at this path"),
        (429, "too many at once"),
        (500, "look at the log of the CSMS"),
        (503, "too busy"),
    ],
)
def test_a_status_without_a_word_has_the_question_of_that_status(status: int, hint: str) -> None:
    told = told_with_hint(f"HTTP {status}: {REFUSED}")
    assert told.startswith(f"HTTP {status}: {REFUSED}; check: ")
    assert hint in told


@pytest.mark.parametrize(
    "body",
    ["Forbidden", "403 Forbidden", "Error 403: access denied", "<html><body>You shall not pass</body></html>"],
)
def test_a_page_or_the_name_of_a_status_is_no_reason(body: str) -> None:
    assert "is its id admitted" in told_with_hint(f"HTTP 403: {body}")


@pytest.mark.parametrize(
    "reason",
    [
        "HTTP 403: CP-T has security profile 2: connect with wss://",
        "HTTP 403: CP-T has security profile 3: it needs a certificate in its name",
        "HTTP 401: wrong user or password; the user is the station's id, CP-T",
        "HTTP 401: no password is registered for CP-T",
        "HTTP 404: unknown station",
        'HTTP 409: {"error": "a station of this id is connected"}',
        "HTTP 503: too many passwords are being verified; come again",
    ],
)
def test_where_the_csms_said_why_nothing_else_is_to_be_checked(reason: str) -> None:
    assert what_to_check(reason) is None
    assert told_with_hint(reason) == reason


def test_a_connection_closed_without_a_word_may_be_for_a_certificate_or_for_want_of_tls() -> None:
    silent = "the server closed the connection and gave no answer"
    over_tls = told_with_hint(f"wss://h:9/x: {silent}")
    assert "a client certificate, or refuse the one it got" in over_tls
    assert "--client-cert" in over_tls
    perhaps = "the server closed the connection, perhaps since it does not speak TLS at this port"
    assert "a client certificate" in told_with_hint(f"wss://h:9/x: {perhaps}")
    assert "wss://" in told_with_hint(f"ws://h:9/x: {silent}")
    assert "certificate" not in told_with_hint(f"ws://h:9/x: {silent}")
    assert "wss://" in told_with_hint("ws://h:9/x: the server closed the connection meanwhile")
