"""How a command came out, before it is told as a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evcharging.apps.ocpp_gateway.writes import Effect
from evcharging.messages.commands import CommandOutcome

__all__ = ["Outcome", "Refused", "accepted", "refused"]


class Refused(Exception):
    """An order is not carried out; ``outcome`` says why."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.outcome = refused(code, description)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is replied, and what is stored together with the reply."""

    outcome: CommandOutcome
    payload: dict[str, Any] | None = None
    error_code: str | None = None
    error_description: str | None = None
    record: Effect[None] | None = None


def accepted(payload: dict[str, Any] | None = None, *, record: Effect[None] | None = None) -> Outcome:
    """It is done, or will be."""
    return Outcome(CommandOutcome.ACCEPTED, payload, record=record)


def refused(code: str, description: str, *, payload: dict[str, Any] | None = None) -> Outcome:
    """It is not done."""
    return Outcome(CommandOutcome.REJECTED, payload, code, description)
