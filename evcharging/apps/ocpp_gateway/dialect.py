"""How a version of OCPP says what Central orders. One implementation a version; nothing above it knows a version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.writes import Effect

__all__ = ["Ask", "Dialect", "Handlers", "Payload", "level_of", "status_refusal"]

Payload: TypeAlias = dict[str, Any]
LEVEL_DIGITS: Final = 4


def status_refusal(response: Payload) -> str | None:
    """Why a response means no: its status, unless that is Accepted or a promise of it."""
    status = str(response.get("status"))
    return None if status in ("Accepted", "Scheduled", "RebootRequired") else status


def level_of(value: object) -> int:
    """A stack level as stations tell it, in text; 0 for what is none."""
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) <= LEVEL_DIGITS else 0


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to make. ``refusal`` reads the response: None where the station will do it, else its word for no."""

    action: str
    payload: Payload
    refusal: Callable[[Payload], str | None] = status_refusal


class Handlers(Protocol):
    """Answers a station's calls."""

    def handle(self, point: ChargePoint, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer one call that is valid by its schema; `CallRejected` becomes CALLERROR."""
        ...


class Dialect(Protocol):
    """Central's orders in the words of one version."""

    @property
    def actions(self) -> frozenset[str]:
        """What a CSMS may initiate."""
        ...

    @property
    def begins_charging(self) -> frozenset[str]:
        """Of these, what asks a station to charge: nothing for one whose boot was not accepted."""
        ...

    @property
    def transaction_messages(self) -> frozenset[str]:
        """What a station tells of its transactions, and must not lose."""
        ...

    @property
    def vehicle_timeout_key(self) -> str:
        """The configuration key of how many seconds a station waits for the vehicle of a start."""
        ...

    @property
    def heartbeat_key(self) -> str:
        """The configuration key of the interval that every answer to a boot sets anew."""
        ...

    def start(self, *, id_tag: str, connector_id: int | None, remote_start_id: int) -> Ask:
        """Begin a transaction."""
        ...

    def stop(self, transaction_id: str) -> Ask:
        """End a transaction."""
        ...

    def serve(self, connector_id: int, *, operative: bool) -> Ask:
        """Put a connector, or with 0 the whole station, into service or out of it."""
        ...

    def highest_level(self) -> Ask:
        """Ask for the highest stack level that a charging profile may have."""
        ...

    def level_told(self, response: Payload) -> int:
        """What the answer to that says; 0, which every station takes, where it says nothing."""
        ...

    def read_keys(self, keys: Sequence[str]) -> Ask:
        """Ask for the values of configuration keys that its version has."""
        ...

    def values_told(self, response: Payload) -> dict[str, str]:
        """The values that the answer to that has, by key, in the station's spelling."""
        ...

    def set_key(self, key: str, value: str) -> Ask:
        """Set a configuration key that its version has; no answer counts as a refusal."""
        ...

    def set_told(self, response: Payload) -> str:
        """The station's word in answer to that."""
        ...

    def limit(self, connector_id: int, limit_amps: float, *, stack_level: int = 0) -> Ask:
        """Set the current limit of a connector, or with 0 of the whole station."""
        ...

    def inject(self, connector_id: int, kind: str, payload: Mapping[str, Any]) -> Ask:
        """Have a simulated station act out an event."""
        ...

    def record(self, cp_id: str, action: str, request: Payload, response: Payload) -> Effect[None] | None:
        """What is to be kept of a call that was answered."""
        ...
