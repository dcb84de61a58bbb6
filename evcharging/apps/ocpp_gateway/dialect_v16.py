"""Central's orders in OCPP 1.6 (edition 2, chapter 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evcharging.apps.ocpp_gateway.dialect import Ask, Payload, level_of
from evcharging.apps.ocpp_gateway.records_v16 import record_of
from evcharging.apps.ocpp_gateway.writes import Effect

__all__ = ["DialectV16"]

OUR_VENDOR: Final = "evcharging"
"""Our own stations know its data transfers; any other answers UnknownVendorId."""
MAX_STACK_LEVEL: Final = "ChargeProfileMaxStackLevel"
LIMIT_PROFILE_ID: Final = 1_000_000
"""The profile that SET_LIMIT sets on connector n is number n from here on, so that it replaces itself."""


class DialectV16:
    """Makes the calls of 1.6."""

    actions = frozenset(
        (
            "CancelReservation",
            "ChangeAvailability",
            "ChangeConfiguration",
            "ClearCache",
            "ClearChargingProfile",
            "DataTransfer",
            "GetCompositeSchedule",
            "GetConfiguration",
            "GetDiagnostics",
            "GetLocalListVersion",
            "RemoteStartTransaction",
            "RemoteStopTransaction",
            "ReserveNow",
            "Reset",
            "SendLocalList",
            "SetChargingProfile",
            "TriggerMessage",
            "UnlockConnector",
            "UpdateFirmware",
        )
    )
    begins_charging = frozenset(("RemoteStartTransaction", "ReserveNow"))
    transaction_messages = frozenset(("StartTransaction", "StopTransaction", "MeterValues"))
    vehicle_timeout_key = "ConnectionTimeOut"
    heartbeat_key = "HeartbeatInterval"

    def start(self, *, id_tag: str, connector_id: int | None, remote_start_id: int) -> Ask:
        """RemoteStartTransaction. 1.6 has no number for it; its idTag tells which transaction comes from it."""
        payload: Payload = {"idTag": id_tag}
        if connector_id:
            payload["connectorId"] = connector_id
        return Ask("RemoteStartTransaction", payload)

    def stop(self, transaction_id: str) -> Ask:
        """RemoteStopTransaction."""
        return Ask("RemoteStopTransaction", {"transactionId": int(transaction_id)})

    def serve(self, connector_id: int, *, operative: bool) -> Ask:
        """ChangeAvailability; Scheduled is a yes: it happens once the transaction is over."""
        kind = "Operative" if operative else "Inoperative"
        return Ask("ChangeAvailability", {"connectorId": connector_id, "type": kind})

    def highest_level(self) -> Ask:
        """GetConfiguration of ChargeProfileMaxStackLevel."""
        return Ask("GetConfiguration", {"key": [MAX_STACK_LEVEL]}, refusal=lambda _response: None)

    def level_told(self, response: Payload) -> int:
        """Its value."""
        told = (one.get("value") for one in response.get("configurationKey", ()) if one.get("key") == MAX_STACK_LEVEL)
        return level_of(next(told, None))

    def read_keys(self, keys: Sequence[str]) -> Ask:
        """GetConfiguration."""
        return Ask("GetConfiguration", {"key": list(keys)}, refusal=lambda _response: None)

    def values_told(self, response: Payload) -> dict[str, str]:
        """Of the keys that have one."""
        return {one["key"]: one["value"] for one in response.get("configurationKey", ()) if "value" in one}

    def set_key(self, key: str, value: str) -> Ask:
        """ChangeConfiguration."""
        return Ask("ChangeConfiguration", {"key": key, "value": value}, refusal=lambda _response: None)

    def set_told(self, response: Payload) -> str:
        """Accepted, RebootRequired, Rejected or NotSupported."""
        return str(response["status"])

    def limit(self, connector_id: int, limit_amps: float, *, stack_level: int = 0) -> Ask:
        """SetChargingProfile: the station's maximum for connector 0, else the default of the connector."""
        purpose = "TxDefaultProfile" if connector_id else "ChargePointMaxProfile"
        profile = {
            "chargingProfileId": LIMIT_PROFILE_ID + connector_id,
            "stackLevel": stack_level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative" if connector_id else "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": round(limit_amps, 1)}],
            },
        }
        return Ask("SetChargingProfile", {"connectorId": connector_id, "csChargingProfiles": profile})

    def inject(self, connector_id: int, kind: str, payload: Mapping[str, Any]) -> Ask:
        """DataTransfer of our own vendor id: OCPP has no word for pulling a plug from afar."""
        data = json.dumps({"connector_id": connector_id, "kind": kind, **payload})
        return Ask("DataTransfer", {"vendorId": OUR_VENDOR, "messageId": "Inject", "data": data})

    def record(self, cp_id: str, action: str, request: Payload, response: Payload) -> Effect[None] | None:
        """See `records_v16`."""
        return record_of(cp_id, action, request, response)
