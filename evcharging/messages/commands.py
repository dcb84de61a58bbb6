"""Commands from Central to whoever runs a charge point, and their replies."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, JsonValue

from evcharging.messages.base import ConnectorId, CpId, Message, UtcTime

__all__ = ["LONGEST_EXPIRY_S", "Command", "CommandAction", "CommandOutcome", "Reply"]

LONGEST_EXPIRY_S = 60.0
"""No command lives longer; a reader that starts needs to look back no further than this."""


class CommandAction(StrEnum):
    """What a charge point is asked to do."""

    START_SUPPLY = "START_SUPPLY"
    STOP_SUPPLY = "STOP_SUPPLY"
    STOP_CP = "STOP_CP"
    RESUME_CP = "RESUME_CP"
    SET_LIMIT = "SET_LIMIT"
    INJECT = "INJECT"
    OCPP_CALL = "OCPP_CALL"


class Command(Message):
    """One order to one charge point. Executed at most once per ``command_id``, and never after ``expires_at``.

    ``payload`` by action: START_SUPPLY ``{kwh?, resume?}``; STOP_SUPPLY ``{reason?}``; INJECT ``{kind, …}``;
    OCPP_CALL ``{action, payload}``, both as the standard spells them.

    ``id_tag`` goes with START_SUPPLY to a charge point of source ``ocpp``: the driver's token, which Central has stored
    as Accepted and put on ``auth.tokens``, though a reader of both topics may meet the command first.
    """

    command_id: str = Field(min_length=1)
    cp_id: CpId
    connector_id: ConnectorId = 1
    action: CommandAction
    session_id: str | None = None
    driver_id: str | None = None
    id_tag: str | None = Field(default=None, max_length=20)
    limit_amps: float | None = Field(default=None, ge=0)
    payload: dict[str, JsonValue] | None = None
    expires_at: UtcTime | None = None

    def body_id(self) -> str:
        """The command's own id."""
        return self.command_id


class CommandOutcome(StrEnum):
    """How a command ended."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CALL_RESULT = "CALL_RESULT"
    CALL_ERROR = "CALL_ERROR"
    EXPIRED = "EXPIRED"
    NOT_CONNECTED = "NOT_CONNECTED"
    TIMEOUT = "TIMEOUT"


class Reply(Message):
    """The answer to one command.

    ``payload`` of an accepted START_SUPPLY at an OCPP station has ``connection_timeout_s`` where it is known for how
    long the station waits for a vehicle.
    """

    command_id: str = Field(min_length=1)
    cp_id: CpId
    outcome: CommandOutcome
    payload: dict[str, Any] | None = None
    error_code: str | None = None
    error_description: str | None = None

    def body_id(self) -> str:
        """Derived from the command, so that a repeated answer is the same event."""
        return f"{self.command_id}:reply"
