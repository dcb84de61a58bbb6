"""What Central refuses of tokens, registrations, charging profiles and OCPP calls, by what the caller should do.

::

    CentralError
    ├── NotFound                look for what there is
    │   ├── UnknownToken
    │   ├── UnknownRegistration
    │   ├── UnknownChargingProfile
    │   └── UnknownAction
    ├── AlreadyThere            change what is there instead
    ├── InvalidValue            send another value; says where
    ├── NotConnected            wait until the charge point is back
    ├── CallRefused             the gateway would not send it: change the charge point's state first
    ├── CallFailed              the charge point answered CALLERROR
    ├── NoAnswer                look whether it had its effect
    └── TooManyCalls            ask again shortly
"""

from __future__ import annotations

from evcharging.apps.ev_central.errors import CentralError, NotFound

__all__ = [
    "AlreadyThere",
    "CallFailed",
    "CallRefused",
    "InvalidValue",
    "NoAnswer",
    "NotConnected",
    "TooManyCalls",
    "UnknownAction",
    "UnknownChargingProfile",
    "UnknownRegistration",
    "UnknownToken",
]


class UnknownToken(NotFound):
    """No token of that idTag."""

    def __init__(self, id_tag: str) -> None:
        super().__init__(f"no token {id_tag!r}; GET /api/v1/tokens lists those there are")


class UnknownRegistration(NotFound):
    """No OCPP station of that id is registered."""

    def __init__(self, cp_id: str) -> None:
        super().__init__(f"no OCPP station {cp_id!r} is registered; GET /api/v1/ocpp-stations lists those that are")


class UnknownChargingProfile(NotFound):
    """No charging profile of that id."""

    def __init__(self, profile_id: int) -> None:
        super().__init__(f"no charging profile {profile_id}; GET /api/v1/charging-profiles lists those there are")


class UnknownAction(NotFound):
    """OCPP has no such operation, or none that a central system initiates."""

    def __init__(self, action: str, version: str, known: list[str]) -> None:
        super().__init__(
            f"{action[:60]!r} is no operation that a central system initiates in OCPP {version}; "
            f"there are: {', '.join(known)}"
        )


class AlreadyThere(CentralError):
    """There is one of that name."""


class InvalidValue(CentralError):
    """A value that the standard or Central does not take. ``pointer`` says where it stands in the request's body."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail


class NotConnected(CentralError):
    """Nobody is there to take the call."""

    def __init__(self, cp_id: str, why: str) -> None:
        super().__init__(f"{cp_id} cannot be called: {why}")
        self.cp_id = cp_id


class CallRefused(CentralError):
    """The gateway holds the charge point's socket and would not send the call."""

    def __init__(self, cp_id: str, action: str, why: str) -> None:
        super().__init__(f"{action} was not sent to {cp_id}: {why}")
        self.cp_id = cp_id


class CallFailed(CentralError):
    """The charge point answered with CALLERROR."""

    def __init__(self, cp_id: str, action: str, *, error_code: str, error_description: str) -> None:
        told = f"{error_code}: {error_description}" if error_description else error_code
        super().__init__(f"{cp_id} answered {action} with {told}")
        self.cp_id = cp_id
        self.error_code = error_code
        self.error_description = error_description


class NoAnswer(CentralError):
    """The call was not answered in time. ``in_doubt``: it may have had its effect."""

    def __init__(self, cp_id: str, action: str, why: str, *, in_doubt: bool) -> None:
        super().__init__(f"{cp_id} did not answer {action}: {why}")
        self.cp_id = cp_id
        self.in_doubt = in_doubt


class TooManyCalls(CentralError):
    """More calls wait for their answers than Central keeps in mind."""
