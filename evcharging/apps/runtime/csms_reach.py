"""What to look at where a CSMS could not be reached, by what the attempt came to. Words for people, nothing else."""

from __future__ import annotations

from typing import Final

__all__ = ["what_to_check"]

_HINTS: Final = (
    ("Connection refused", "is the CSMS running, and is this its host and port?"),
    ("does not speak TLS", "is the port the one for wss://, or should the address begin with ws://?"),
    ("no TLS handshake", "is the port the one for wss://, or should the address begin with ws://?"),
    ("not trusted", "name the authority that signed the CSMS's certificate with --ca"),
    ("TLS handshake", "do both sides allow the same versions of TLS, and is a client certificate asked for?"),
    ("HTTP 401", "does the CSMS know the station's id, and is the password right?"),
    ("HTTP 403", "does the CSMS know the station's id, and is the password right?"),
    ("HTTP 404", "does the CSMS know the station's id, and is this the path that it expects before the id?"),
    ("HTTP 3", "give the address that the CSMS redirects to"),
    ("HTTP 5", "look at the log of the CSMS: it failed"),
    ("subprotocol", "does the CSMS speak that version of OCPP?"),
    ("no websocket within", "is it a CSMS that listens there, is it overloaded, does a firewall drop what is sent?"),
    ("not known", "is the name of the host right?"),
    ("unreachable", "is there a route to that host?"),
)
_ELSE: Final = "is the CSMS running, and are host, port and path of the address right?"


def what_to_check(reason: str) -> str:
    """Return the question to ask, for the ``reason`` that a dial or a socket ended with."""
    return next((hint for word, hint in _HINTS if word in reason), _ELSE)
