"""Central's orders in OCPP 2.0.1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evcharging.apps.ocpp_gateway.dialect import Ask, Payload, level_of
from evcharging.apps.ocpp_gateway.dialect_v16 import LIMIT_PROFILE_ID, OUR_VENDOR
from evcharging.apps.ocpp_gateway.id_tokens_v201 import id_token
from evcharging.apps.ocpp_gateway.records_v201 import record_of
from evcharging.apps.ocpp_gateway.writes import Effect
from evcharging.ocpp.configuration_names import variable_name, variable_of

__all__ = ["DialectV201"]

STACK_LEVEL: Final = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "ProfileStackLevel"}}


class DialectV201:
    """Makes the calls of 2.0.1."""

    actions = frozenset(
        (
            "CancelReservation",
            "CertificateSigned",
            "ChangeAvailability",
            "ClearCache",
            "ClearChargingProfile",
            "ClearDisplayMessage",
            "ClearVariableMonitoring",
            "CostUpdated",
            "CustomerInformation",
            "DataTransfer",
            "DeleteCertificate",
            "GetBaseReport",
            "GetChargingProfiles",
            "GetCompositeSchedule",
            "GetDisplayMessages",
            "GetInstalledCertificateIds",
            "GetLocalListVersion",
            "GetLog",
            "GetMonitoringReport",
            "GetReport",
            "GetTransactionStatus",
            "GetVariables",
            "InstallCertificate",
            "PublishFirmware",
            "RequestStartTransaction",
            "RequestStopTransaction",
            "ReserveNow",
            "Reset",
            "SendLocalList",
            "SetChargingProfile",
            "SetDisplayMessage",
            "SetMonitoringBase",
            "SetMonitoringLevel",
            "SetNetworkProfile",
            "SetVariableMonitoring",
            "SetVariables",
            "TriggerMessage",
            "UnlockConnector",
            "UnpublishFirmware",
            "UpdateFirmware",
        )
    )
    begins_charging = frozenset(("RequestStartTransaction", "ReserveNow"))
    transaction_messages = frozenset(("TransactionEvent", "MeterValues"))
    vehicle_timeout_key = "TxCtrlr.EVConnectionTimeOut"
    heartbeat_key = "OCPPCommCtrlr.HeartbeatInterval"

    def start(self, *, id_tag: str, connector_id: int | None, remote_start_id: int) -> Ask:
        """RequestStartTransaction; its number comes back with the transaction."""
        payload: Payload = {"idToken": id_token(id_tag), "remoteStartId": remote_start_id}
        if connector_id:
            payload["evseId"] = connector_id
        return Ask("RequestStartTransaction", payload)

    def stop(self, transaction_id: str) -> Ask:
        """RequestStopTransaction."""
        return Ask("RequestStopTransaction", {"transactionId": transaction_id})

    def serve(self, connector_id: int, *, operative: bool) -> Ask:
        """ChangeAvailability; Scheduled is a yes: it happens once the transaction is over."""
        payload: Payload = {"operationalStatus": "Operative" if operative else "Inoperative"}
        if connector_id:
            payload["evse"] = {"id": connector_id}
        return Ask("ChangeAvailability", payload)

    def highest_level(self) -> Ask:
        """GetVariables of SmartChargingCtrlr.ProfileStackLevel."""
        return Ask("GetVariables", {"getVariableData": [STACK_LEVEL]}, refusal=lambda _response: None)

    def level_told(self, response: Payload) -> int:
        """Its value."""
        results = response.get("getVariableResult", ())
        told = (one.get("attributeValue") for one in results if one.get("attributeStatus") == "Accepted")
        return level_of(next(told, None))

    def read_keys(self, keys: Sequence[str]) -> Ask:
        """GetVariables."""
        asked = [variable for variable in map(variable_of, keys) if variable is not None]
        return Ask("GetVariables", {"getVariableData": asked}, refusal=lambda _response: None)

    def values_told(self, response: Payload) -> dict[str, str]:
        """Of the variables that it may tell."""
        return {
            variable_name(one): one["attributeValue"]
            for one in response["getVariableResult"]
            if one["attributeStatus"] == "Accepted" and "attributeValue" in one
        }

    def set_key(self, key: str, value: str) -> Ask:
        """SetVariables of one."""
        data = {**(variable_of(key) or {}), "attributeValue": value}
        return Ask("SetVariables", {"setVariableData": [data]}, refusal=lambda _response: None)

    def set_told(self, response: Payload) -> str:
        """Accepted, RebootRequired, Rejected, UnknownComponent, UnknownVariable or NotSupportedAttributeType."""
        return str(response["setVariableResult"][0]["attributeStatus"])

    def limit(self, connector_id: int, limit_amps: float, *, stack_level: int = 0) -> Ask:
        """SetChargingProfile: the station's maximum for EVSE 0, else the default of the EVSE."""
        profile = {
            "id": LIMIT_PROFILE_ID + connector_id,
            "stackLevel": stack_level,
            "chargingProfilePurpose": "TxDefaultProfile" if connector_id else "ChargingStationMaxProfile",
            "chargingProfileKind": "Relative" if connector_id else "Absolute",
            "chargingSchedule": [
                {
                    "id": LIMIT_PROFILE_ID + connector_id,
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": round(limit_amps, 1)}],
                }
            ],
        }
        return Ask("SetChargingProfile", {"evseId": connector_id, "chargingProfile": profile})

    def inject(self, connector_id: int, kind: str, payload: Mapping[str, Any]) -> Ask:
        """DataTransfer of our own vendor id: OCPP has no word for pulling a plug from afar."""
        data = json.dumps({"connector_id": connector_id, "kind": kind, **payload})
        return Ask("DataTransfer", {"vendorId": OUR_VENDOR, "messageId": "Inject", "data": data})

    def record(self, cp_id: str, action: str, request: Payload, response: Payload) -> Effect[None] | None:
        """See `records_v201`."""
        return record_of(cp_id, action, request, response)
