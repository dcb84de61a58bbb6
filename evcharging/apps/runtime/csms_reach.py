"""What to look at where a CSMS could not be reached, by what the attempt came to. Words for people, nothing else."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

__all__ = ["told_with_hint", "what_to_check"]

_HINTS: Final = (
    ("Connection refused", "is the CSMS running, and is this its host and port?"),
    ("does not speak TLS", "is the port the one for wss://, or should the address begin with ws://?"),
    ("no TLS handshake", "is the port the one for wss://, or should the address begin with ws://?"),
    ("not trusted", "name the authority that signed the CSMS's certificate with --ca"),
    ("TLS handshake", "do both sides allow the same versions of TLS, and is a client certificate asked for?"),
    ("subprotocol", "does the CSMS speak that version of OCPP?"),
    ("no websocket within", "is it a CSMS that listens there, is it overloaded, does a firewall drop what is sent?"),
    ("not known", "is the name of the host right?"),
    ("unreachable", "is there a route to that host?"),
)
_ELSE: Final = "is the CSMS running, and are host, port and path of the address right?"

_CLOSED: Final = "the server closed the connection"
_CLOSED_OVER_TLS: Final = (
    "is the port the one for wss://? does the CSMS ask for a client certificate, or refuse the one it got "
    "(--client-cert, --client-key)?"
)
_CLOSED_IN_PLAIN: Final = "is the port one for wss://, though the address says ws://? is it a CSMS that listens there?"

_REFUSED: Final = re.compile(r"\bHTTP (\d{3}): (.*)", re.DOTALL)
"""What a dial says where the server answered: the status, and what it wrote beside it."""
_NO_WEBSOCKET: Final = "is there a websocket at this path, and does what stands before the CSMS let it pass?"
_HINTS_BY_STATUS: Final = {
    200: _NO_WEBSOCKET,
    400: "does the CSMS speak that version of OCPP, and is this the path that it expects before the id?",
    401: "is the password right, and does the CSMS know the station's id?",
    403: "is its id admitted, and may it come so, or with wss:// or a client certificate alone?",
    404: "does the CSMS know the station's id, and is this the path that it expects before the id?",
    405: _NO_WEBSOCKET,
    409: "is there another connection of this id?",
    426: _NO_WEBSOCKET,
    429: "are there too many at once for the CSMS?",
    503: "is the CSMS too busy, or does it still start?",
}
_REDIRECTED: Final = "give the address that the CSMS redirects to"
_FAILED: Final = "look at the log of the CSMS: it failed"
_OTHER_STATUS: Final = "what does the log of the CSMS say of this station?"

_OWN_WORDS: Final = "the handshake was refused"
"""A dial's own, where the server wrote nothing."""
_WORD: Final = re.compile(r"[a-z][a-z']*")
_PAGE: Final = re.compile(r"\s*<(?!id>)[!?a-z]", re.IGNORECASE)
"""A document. ``<id>`` is what a load run puts where stations have different ids."""
_EMPTY_WORDS: Final = frozenset(
    {
        "a",
        "access",
        "an",
        "authentication",
        "authorization",
        "client",
        "code",
        "denied",
        "error",
        "failed",
        "forbidden",
        "found",
        "http",
        "is",
        "it",
        "message",
        "not",
        "page",
        "request",
        "resource",
        "server",
        "status",
        "the",
        "unauthorized",
        "url",
        "was",
    }
)
"""Words that answers write beside a status, and that say no more than it does."""
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_LEAST_WORDS: Final = 2


def told_with_hint(reason: str) -> str:
    """Return ``reason``, with what to check behind it unless the CSMS said why."""
    hint = what_to_check(reason)
    return reason if hint is None else f"{reason}; check: {hint}"


def what_to_check(reason: str) -> str | None:
    """Return the question for the ``reason`` that a dial or a socket ended with, None where the CSMS said why."""
    refused = _REFUSED.search(reason)
    if refused is not None:
        status = int(refused[1])
        return None if _says_why(status, refused[2]) else _by_status(status)
    if _CLOSED in reason:
        return _CLOSED_OVER_TLS if "wss://" in reason.partition(_CLOSED)[0] else _CLOSED_IN_PLAIN
    return next((hint for word, hint in _HINTS if word in reason), _ELSE)


def _by_status(status: int) -> str:
    known = _HINTS_BY_STATUS.get(status)
    if known is not None:
        return known
    return {3: _REDIRECTED, 5: _FAILED}.get(status // 100, _OTHER_STATUS)


def _says_why(status: int, said: str) -> bool:
    """Whether an answer's text is a reason: no page, and more than the name of its status."""
    if status // 100 not in {4, 5} or said == _OWN_WORDS or _PAGE.match(said):
        return False
    phrase = _WORD.findall(_PHRASES.get(status, "").lower())
    return sum(word not in _EMPTY_WORDS and word not in phrase for word in _WORD.findall(said.lower())) >= _LEAST_WORDS
