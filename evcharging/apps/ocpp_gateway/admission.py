"""Decides who may connect: the station's id, its security profile, its password or certificate, the version spoken.

Security profiles are those of the OCPP 1.6 security whitepaper and of OCPP 2.0.1 part 2, A00: 1 is Basic, 2 is TLS with
Basic, 3 is TLS with a client certificate. Where no subprotocol is agreed upon, the opening is completed without one and
closed at once (OCPP-J 1.6 section 3.2, 2.0.1 part 4 section 3.2). Makes no sockets, and no links before all is well.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pydantic import TypeAdapter

from evcharging.apps.ocpp_gateway.passwords import PasswordChecker, TooManyAttempts
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.messages.base import CpId
from evcharging.messages.network import OcppConfig
from evcharging.ocpp.server_socket import SocketHandler
from evcharging.ocpp.upgrade import Refusal, UpgradeRequest
from evcharging.ocpp.versions import OcppVersion, version_of
from evcharging.ocpp.websocket_server import Acceptance, Decision, Dismissal

__all__ = ["OFFERED", "Admission"]

OFFERED: Final = (OcppVersion.V16, OcppVersion.V201)
"""OCPP 2.1 joins when it has handlers."""

PATH: Final = "/ocpp/"
MakeHandler = Callable[[str, OcppVersion, UpgradeRequest], SocketHandler]

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_CP_ID = TypeAdapter(CpId)
_RETRY = {"Retry-After": "5"}


class Admission:
    """Decides about openings; `decide` is what a `WebSocketServer` is made with.

    Args:
        stations: who is registered, and how.
        passwords: verifies Basic passwords of the registered.
        make_handler: makes what an admitted socket talks to.
        full: why nobody more can be taken, or None.
        dismissed: is told of each opening that was completed only to be closed.
        intruded: is told of each opening under the id of a charge point that an engine runs.
        stranger_password: what stations that nobody registered must give; None asks for nothing.
    """

    def __init__(
        self,
        stations: StationRegistry,
        passwords: PasswordChecker,
        make_handler: MakeHandler,
        *,
        full: Callable[[], str | None] = lambda: None,
        dismissed: Callable[[str, UpgradeRequest], None] = lambda _reason, _request: None,
        intruded: Callable[[str, UpgradeRequest], None] = lambda _cp_id, _request: None,
        stranger_password: str | None = None,
    ) -> None:
        self._stations = stations
        self._passwords = passwords
        self._make_handler = make_handler
        self._full = full
        self._dismissed = dismissed
        self._intruded = intruded
        self._stranger_password = stranger_password.encode() if stranger_password is not None else None

    def decide(self, request: UpgradeRequest) -> Decision | Awaitable[Decision]:
        """Accept, dismiss or refuse; at once wherever no password has to be verified for the first time."""
        cp_id = _cp_id_of(request.target)
        if isinstance(cp_id, Refusal):
            return cp_id
        if self._stations.held_by_engine(cp_id):
            self._intruded(cp_id, request)
            return Refusal(403, "engine_id", f"an engine runs the charge point {cp_id}: give the station another id\n")
        refusal = self._refuse_if_full()
        registration = self._stations.find(cp_id)
        if refusal is not None or registration is None:
            return refusal or Refusal(404, "unknown_station", f"no station {cp_id} is registered here\n")
        credentials = self._check_credentials(registration, request)
        if isinstance(credentials, Refusal):
            return credentials
        return self._welcome(cp_id, request) if credentials is None else self._await(credentials, cp_id, request)

    async def _await(self, fits: Awaitable[bool], cp_id: str, request: UpgradeRequest) -> Decision:
        try:
            if not await fits:
                return _wrong_password(cp_id)
        except TooManyAttempts:
            return _BUSY
        return self._refuse_if_full() or self._welcome(cp_id, request)

    def _refuse_if_full(self) -> Refusal | None:
        full = self._full()
        return Refusal(503, "full", f"{full}\n", _RETRY) if full is not None else None

    def _check_credentials(self, registration: OcppConfig, request: UpgradeRequest) -> Refusal | Awaitable[bool] | None:
        """None where they are right, or none are needed."""
        cp_id, profile = registration.cp_id, registration.security_profile
        if profile >= 2 and not request.secure:
            return Refusal(403, "tls_required", f"{cp_id} has security profile {profile}: connect with wss://\n")
        if profile < 3:
            return self._check_password(registration, request)
        if _names(request.certificate, cp_id):
            return None
        return Refusal(403, "certificate", f"{cp_id} has security profile 3: it needs a certificate in its name\n")

    def _check_password(self, registration: OcppConfig, request: UpgradeRequest) -> Refusal | Awaitable[bool] | None:
        cp_id, password_hash = registration.cp_id, registration.password_hash
        expected = self._stranger_password if self._stations.registered(cp_id) is None else None
        if password_hash is None and expected is None:
            if registration.security_profile == 0:
                return None
            return Refusal(401, "password", f"no password is registered for {cp_id}\n", _CHALLENGE)
        given = _basic(request.headers.get("authorization", ""))
        if given is None or not hmac.compare_digest(given[0], cp_id.encode()):
            return _wrong_password(cp_id)
        if password_hash is None:
            return None if hmac.compare_digest(given[1], expected or b"") else _wrong_password(cp_id)
        return self._check_by_hash(cp_id, password_hash, given[1])

    def _check_by_hash(self, cp_id: str, password_hash: str, password: bytes) -> Refusal | Awaitable[bool] | None:
        old_hash = self._stations.old_password(cp_id)
        if old_hash is not None:
            return self._check_new_and_old(cp_id, password_hash, old_hash, password)
        try:
            fits = self._passwords.check(cp_id, password_hash, password)
        except TooManyAttempts:
            return _BUSY
        if isinstance(fits, bool):
            return None if fits else _wrong_password(cp_id)
        return fits

    async def _check_new_and_old(self, cp_id: str, new_hash: str, old_hash: str, password: bytes) -> bool:
        """Whether a password is the registration's, which ends the old one's time, or that.

        Raises:
            TooManyAttempts: not now.
        """
        fits = self._passwords.check(cp_id, new_hash, password)
        if fits if isinstance(fits, bool) else await fits:
            self._stations.came_with_the_new_password(cp_id)
            return True
        fits = self._passwords.check(cp_id, old_hash, password)
        return fits if isinstance(fits, bool) else await fits

    def _welcome(self, cp_id: str, request: UpgradeRequest) -> Decision:
        for name in request.subprotocols:
            version = version_of(name)
            if version in OFFERED:
                return Acceptance(name, self._make_handler(cp_id, version, request))
        self._dismissed("subprotocol", request)
        offered = ", ".join(version.subprotocol for version in OFFERED)
        return Dismissal(1002, f"subprotocols spoken here: {offered}")


def _cp_id_of(target: str) -> str | Refusal:
    path = target.partition("?")[0]
    if not path.startswith(PATH):
        return Refusal(404, "no_such_path", f"stations connect to {PATH}<id>\n")
    segment = path.removeprefix(PATH).removesuffix("/")
    try:
        if _BAD_ESCAPE.search(segment) is None:
            return _CP_ID.validate_python(unquote_to_bytes(segment).decode())
    except ValueError:
        pass  # of pydantic's, or no UTF-8
    return Refusal(
        404, "bad_id", "a station's id is 1 to 48 letters, digits or any of _ . : @ | = * - (percent-encoded)\n"
    )


def _basic(authorization: str) -> tuple[bytes, bytes] | None:
    """User and password as bytes: OCPP keys may be any 16 to 20 bytes."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def _names(certificate: Mapping[str, Any] | None, cp_id: str) -> bool:
    """Whether a verified certificate is the station's: its common name or an alternative name is the id."""
    if certificate is None:
        return False
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    if any(kind == "commonName" and value == cp_id for kind, value in subject):
        return True
    alternatives = certificate.get("subjectAltName", ())
    return any(kind == "DNS" and value.lower() == cp_id.lower() for kind, value in alternatives)


def _wrong_password(cp_id: str) -> Refusal:
    return Refusal(401, "password", f"wrong user or password; the user is the station's id, {cp_id}\n", _CHALLENGE)


_BUSY = Refusal(503, "busy", "too many passwords are being verified; come again\n", _RETRY)
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="ocpp"'}
