"""One TransactionEvent of OCPP 2.0.1 (part 2, E), read from its payload. It decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from evcharging.apps.ocpp_gateway.connector_numbers import transaction_place
from evcharging.apps.ocpp_gateway.id_tokens_v201 import NO_AUTHORIZATION, id_tag_of
from evcharging.apps.ocpp_gateway.meter_values_v201 import readings_of
from evcharging.apps.ocpp_gateway.readings import Reading
from evcharging.domain.end_reasons import EndReason
from evcharging.ocpp.stop_notes import read_custom_data
from evcharging.ocpp.timestamps import parse_timestamp

__all__ = ["TransactionEvent", "first_register", "last_register", "read_event"]

Payload: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TransactionEvent:
    """What a station tells; what it left out is None."""

    cp_id: str
    kind: str
    at: datetime
    seq_no: int
    offline: bool
    transaction_id: str
    evse_id: int | None
    id_token: Payload | None
    charging_state: str | None
    stopped_reason: str | None
    noted: EndReason | None
    remote_start_id: int | None
    reservation_id: int | None
    meter_values: list[Payload] | None
    readings: list[Reading]

    @property
    def key(self) -> tuple[str, str]:
        """Tells its transaction from all others, of all stations."""
        return self.cp_id, self.transaction_id

    @property
    def id_tag(self) -> str | None:
        """Who was authorized, as far as the event says."""
        return id_tag_of(self.id_token)

    @property
    def needs_no_token(self) -> bool:
        """Whether it was begun by a button or a switch."""
        return self.id_token is not None and self.id_token["type"] == NO_AUTHORIZATION


def read_event(cp_id: str, payload: Payload) -> TransactionEvent:
    """Read a payload that is valid by its schema.

    Raises:
        CallRejected: a timestamp is none.
    """
    info = payload["transactionInfo"]
    evse = payload.get("evse")
    meter_values = payload.get("meterValue")
    return TransactionEvent(
        cp_id=cp_id,
        kind=payload["eventType"],
        at=parse_timestamp(payload["timestamp"]),
        seq_no=payload["seqNo"],
        offline=payload.get("offline", False),
        transaction_id=info["transactionId"],
        evse_id=None if evse is None else transaction_place(evse["id"]) or None,
        id_token=payload.get("idToken"),
        charging_state=info.get("chargingState"),
        stopped_reason=info.get("stoppedReason"),
        noted=read_custom_data(info.get("customData")),
        remote_start_id=info.get("remoteStartId"),
        reservation_id=payload.get("reservationId"),
        meter_values=meter_values,
        readings=[] if meter_values is None else readings_of(meter_values),
    )


def first_register(readings: Sequence[Reading]) -> Decimal | None:
    """The first energy register among readings."""
    return next((reading.register_wh for reading in readings if reading.register_wh is not None), None)


def last_register(readings: Sequence[Reading]) -> Decimal | None:
    """The last one."""
    return first_register(readings[::-1])
