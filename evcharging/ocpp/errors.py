"""What can go wrong between two OCPP peers, arranged by whose fault it is.

::

    OcppError
    ├── UnreadableFrame     the peer sent what cannot be answered: no JSON, no array, no message id
    ├── CallRejected        the peer's call is refused, by its schema or by its handler: answered with CALLERROR
    ├── CallFailed          our call was answered with CALLERROR
    ├── InvalidAnswer       our call was answered with a result that breaks the schema
    ├── CallTimedOut        our call was not answered in time
    └── ConnectionLost      the socket went before our call was answered
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from evcharging.ocpp.versions import OcppVersion

__all__ = [
    "CallFailed",
    "CallRejected",
    "CallTimedOut",
    "ConnectionLost",
    "Fault",
    "InvalidAnswer",
    "OcppError",
    "UnreadableFrame",
    "error_code",
]


class Fault(StrEnum):
    """Why a call is refused, in the spelling of OCPP 2.0.1; `error_code` gives that of each version."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL_ERROR = "InternalError"
    PROTOCOL_ERROR = "ProtocolError"
    SECURITY_ERROR = "SecurityError"
    FORMAT_VIOLATION = "FormatViolation"
    PROPERTY_CONSTRAINT = "PropertyConstraintViolation"
    OCCURRENCE_CONSTRAINT = "OccurrenceConstraintViolation"
    TYPE_CONSTRAINT = "TypeConstraintViolation"
    GENERIC_ERROR = "GenericError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"


def error_code(fault: Fault, version: OcppVersion) -> str:
    """The error code of ``version`` for ``fault`` (OCPP-J 1.6 section 4.2.3, 2.0.1 part 4 section 4.3)."""
    if version is OcppVersion.V16:
        return _IN_16.get(fault, fault.value)
    return fault.value


class OcppError(Exception):
    """Any of the errors of this module."""


class UnreadableFrame(OcppError):
    """A text that is no OCPP-J frame with a message id, so that no answer can name it."""


class CallRejected(OcppError):
    """A call of the peer's that is answered with CALLERROR.

    Raised by the schemas and by handlers. ``message_id`` is set where the frame itself is at fault.
    """

    def __init__(
        self, fault: Fault, description: str, details: dict[str, Any] | None = None, *, message_id: str | None = None
    ) -> None:
        super().__init__(f"{fault.value}: {description}")
        self.fault = fault
        self.description = description
        self.details = details or {}
        self.message_id = message_id


class CallFailed(OcppError):
    """The peer answered our call with CALLERROR."""

    def __init__(self, code: str, description: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.details = details or {}


class InvalidAnswer(OcppError):
    """The peer's result for our call breaks its schema; ``payload`` is what it said."""

    def __init__(self, description: str, payload: dict[str, Any]) -> None:
        super().__init__(description)
        self.payload = payload


class CallTimedOut(OcppError):
    """Our call had no answer within its deadline."""


class ConnectionLost(OcppError):
    """The socket is gone; whether the peer acted on the call is not known."""


_IN_16 = {
    Fault.FORMAT_VIOLATION: "FormationViolation",
    Fault.OCCURRENCE_CONSTRAINT: "OccurenceConstraintViolation",  # so spelt by the standard
    Fault.MESSAGE_TYPE_NOT_SUPPORTED: "ProtocolError",
    Fault.RPC_FRAMEWORK_ERROR: "GenericError",
}
