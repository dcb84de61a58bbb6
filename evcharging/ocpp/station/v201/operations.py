"""What the CSMS may ask of a 2.0.1 station, one method an action: each does what it is asked, and answers that.

A request is valid by its schema when it comes here. What has to be sent because of it goes out after the answer. The
blocks that are not here (certificates, monitoring, display messages, ISO 15118, local costs) are answered NotSupported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from evcharging.domain.authorization_store import ListOutcome, ListUpdate
from evcharging.domain.authorization_wire import entry_from_v201
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.availability import AvailabilityOutcome
from evcharging.ocpp.station.rebooting import ResetKind
from evcharging.ocpp.station.v201.device_model import ONLY_CONNECTOR, DeviceModel
from evcharging.ocpp.station.v201.meter_values import text_time
from evcharging.ocpp.station.v201.remote import Remote, rejected
from evcharging.ocpp.station.v201.smart_charging import SmartCharging
from evcharging.ocpp.station.v201.triggers import trigger
from evcharging.ocpp.station.v201.variables import MOST_ITEMS
from evcharging.ocpp.station.wire import RegistrationStatus, Request
from evcharging.ocpp.timestamps import parse_timestamp

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["Operations"]

VENDOR: Final = "evcharging"
REPORT_ITEMS: Final = 20
"""Variables in one NotifyReport."""
_ACCEPTED: Final[Payload] = {"status": "Accepted"}


class Operations:
    """The CSMS-initiated operations of OCPP 2.0.1 at one station.

    `firmware_request` and `log_request` are the numbers of the last such requests, which what follows from them names.
    """

    __slots__ = ("_device_model", "_idle_reset", "_remote", "_smart", "_station", "firmware_request", "log_request")

    def __init__(self, station: Station, device_model: DeviceModel) -> None:
        self._station = station
        self._device_model = device_model
        self._remote = Remote(station)
        self._smart = SmartCharging(station)
        self._idle_reset: asyncio.Task[None] | None = None
        self.firmware_request: int | None = None
        self.log_request: int | None = None

    @property
    def token_types(self) -> Mapping[str, str]:
        """Types of the tokens that the CSMS named, by token in lower case."""
        return self._remote.token_types

    def handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer a call. Raises CallRejected for one a station does not take, or not while it is not registered."""
        operation = _OPERATIONS.get(action)
        if operation is None:
            raise CallRejected(Fault.NOT_SUPPORTED, f"this station does not take {action}")
        if self._station.registration.status in {None, RegistrationStatus.REJECTED}:
            raise CallRejected(Fault.SECURITY_ERROR, "the station's boot was not accepted")
        return operation(self, payload)

    def cancel_reservation(self, payload: Payload) -> Payload:
        """CancelReservation."""
        cancelled = self._station.reservations.cancel(payload["reservationId"])
        return _ACCEPTED if cancelled else rejected("NotFound", "no such reservation")

    def change_availability(self, payload: Payload) -> Payload:
        """ChangeAvailability of the station or of an EVSE."""
        evse = payload.get("evse", {})
        if evse.get("connectorId", ONLY_CONNECTOR) != ONLY_CONNECTOR:
            return rejected("UnknownConnectorId", f"connector {evse['connectorId']} of EVSE {evse['id']}")
        outcome = self._station.availability.change(
            evse.get("id", 0), operative=payload["operationalStatus"] == "Operative"
        )
        if outcome is AvailabilityOutcome.REJECTED:
            return rejected("UnknownEvse", f"EVSE {evse.get('id')}")
        return {"status": outcome.value}

    def clear_cache(self, _: Payload) -> Payload:
        """ClearCache."""
        return _ACCEPTED if self._station.authorization.clear_cache() else rejected("NotEnabled", "the cache is off")

    def clear_charging_profile(self, payload: Payload) -> Payload:
        """ClearChargingProfile."""
        return self._smart.clear(payload)

    def data_transfer(self, payload: Payload) -> Payload:
        """DataTransfer: the project's own vendor id knows one message, Echo."""
        if payload["vendorId"] != VENDOR:
            return {"status": "UnknownVendorId"}
        if payload.get("messageId") != "Echo":
            return {"status": "UnknownMessageId"}
        return {"status": "Accepted", **({"data": payload["data"]} if "data" in payload else {})}

    def get_base_report(self, payload: Payload) -> Payload:
        """GetBaseReport: NotifyReport follows, in parts."""
        data = self._device_model.report(payload["reportBase"])
        parts = [data[at : at + REPORT_ITEMS] for at in range(0, len(data), REPORT_ITEMS)]
        generated_at = text_time(self._station.clock.now_s())
        self._post_after(
            Request(
                "NotifyReport",
                {
                    "requestId": payload["requestId"],
                    "generatedAt": generated_at,
                    "seqNo": number,
                    "tbc": number < len(parts) - 1,
                    "reportData": part,
                },
            )
            for number, part in enumerate(parts)
        )
        return _ACCEPTED

    def get_charging_profiles(self, payload: Payload) -> Payload:
        """GetChargingProfiles: ReportChargingProfiles follows."""
        reports = self._smart.report(payload)
        self._post_after(reports)
        return {"status": "Accepted" if reports else "NoProfiles"}

    def get_composite_schedule(self, payload: Payload) -> Payload:
        """GetCompositeSchedule."""
        return self._smart.composite(payload)

    def get_local_list_version(self, _: Payload) -> Payload:
        """GetLocalListVersion; 0 where there is no list, or lists are off."""
        return {"versionNumber": max(0, self._station.authorization.list_version)}

    def get_log(self, payload: Payload) -> Payload:
        """GetLog: LogStatusNotification follows with each step; no file is really sent."""
        replaced = self._station.maintenance.diagnostics_status == "Uploading"
        self.log_request = payload["requestId"]
        name = self._station.maintenance.upload_diagnostics(
            payload["log"]["remoteLocation"],
            retries=payload.get("retries"),
            retry_interval_s=payload.get("retryInterval"),
        )
        return {"status": "AcceptedCanceled" if replaced else "Accepted", "filename": name}

    def get_transaction_status(self, payload: Payload) -> Payload:
        """GetTransactionStatus."""
        return self._remote.transaction_status(payload)

    def get_variables(self, payload: Payload) -> Payload:
        """GetVariables."""
        asked = payload["getVariableData"]
        _check_items(len(asked), "getVariableData")
        return {"getVariableResult": [self._device_model.get(one) for one in asked]}

    def request_start(self, payload: Payload) -> Payload:
        """RequestStartTransaction."""
        return self._remote.start(payload)

    def request_stop(self, payload: Payload) -> Payload:
        """RequestStopTransaction."""
        return self._remote.stop(payload)

    def reserve_now(self, payload: Payload) -> Payload:
        """ReserveNow, for an EVSE or for any."""
        outcome = self._station.reservations.reserve(
            payload.get("evseId", 0),
            payload["id"],
            payload["idToken"]["idToken"],
            payload.get("groupIdToken", {}).get("idToken"),
            parse_timestamp(payload["expiryDateTime"], field="expiryDateTime").timestamp(),
        )
        return {"status": outcome.value}

    def reset(self, payload: Payload) -> Payload:
        """Reset, at once or when no transaction runs; one EVSE alone cannot be reset."""
        station = self._station
        if "evseId" in payload:
            return rejected("UnsupportedRequest", "an EVSE alone cannot be reset here")
        if payload["type"] == "Immediate":
            station.rebooting.reset(ResetKind.HARD)
            return _ACCEPTED
        if all(connector.transaction is None for connector in station.connectors):
            station.rebooting.reset(ResetKind.SOFT)
            return _ACCEPTED
        if self._idle_reset is None or self._idle_reset.done():
            self._idle_reset = station.spawn(self._reset_when_idle())
        return {"status": "Scheduled"}

    def send_local_list(self, payload: Payload) -> Payload:
        """SendLocalList."""
        try:
            entries = [entry_from_v201(entry) for entry in payload.get("localAuthorizationList", ())]
        except ValueError as error:
            raise CallRejected(Fault.TYPE_CONSTRAINT, f"localAuthorizationList: {error}"[:255]) from None
        outcome = self._station.authorization.update_list(
            payload["versionNumber"], ListUpdate(payload["updateType"]), entries
        )
        if outcome is ListOutcome.NOT_SUPPORTED:
            return {"status": "Failed", "statusInfo": {"reasonCode": "NotEnabled"}}
        return {"status": outcome.value}

    def set_charging_profile(self, payload: Payload) -> Payload:
        """SetChargingProfile."""
        return self._smart.set(payload)

    def set_variables(self, payload: Payload) -> Payload:
        """SetVariables."""
        asked = payload["setVariableData"]
        _check_items(len(asked), "setVariableData")
        return {"setVariableResult": [self._device_model.set(one) for one in asked]}

    def trigger_message(self, payload: Payload) -> Payload:
        """TriggerMessage: what it asks for follows the answer."""
        return trigger(self._station, payload)

    def unlock_connector(self, payload: Payload) -> Payload:
        """UnlockConnector."""
        return self._remote.unlock(payload)

    def update_firmware(self, payload: Payload) -> Payload:
        """UpdateFirmware: FirmwareStatusNotification follows with each step; no file is really fetched."""
        firmware = payload["firmware"]
        retrieve_at_s = parse_timestamp(firmware["retrieveDateTime"], field="retrieveDateTime").timestamp()
        replaced = self._station.maintenance.firmware_status in {"Downloading", "Downloaded"}
        self.firmware_request = payload["requestId"]
        self._station.maintenance.update_firmware(
            firmware["location"],
            retrieve_at_s=retrieve_at_s,
            retries=payload.get("retries"),
            retry_interval_s=payload.get("retryInterval"),
        )
        return {"status": "AcceptedCanceled" if replaced else "Accepted"}

    async def _reset_when_idle(self) -> None:
        """No new session begins; when the last one has ended the station reboots, and is in service again after."""
        station = self._station
        taken = await station.availability.empty()
        await station.outbox.drained()
        await station.reboot("ScheduledReset")
        await station.registration.until_accepted()
        station.availability.restore(taken)

    def _post_after(self, requests: Iterable[Request]) -> None:
        """Post requests once the answer to the call that asked for them is out."""
        loop = asyncio.get_running_loop()
        for request in requests:
            loop.call_soon(self._station.outbox.post, request)


def _check_items(items: int, field: str) -> None:
    if items > MOST_ITEMS:
        raise CallRejected(Fault.OCCURRENCE_CONSTRAINT, f"{field}: {items} items; {MOST_ITEMS} at most in one request")


_OPERATIONS: Final[Mapping[str, Callable[[Operations, Payload], Payload]]] = {
    "CancelReservation": Operations.cancel_reservation,
    "ChangeAvailability": Operations.change_availability,
    "ClearCache": Operations.clear_cache,
    "ClearChargingProfile": Operations.clear_charging_profile,
    "DataTransfer": Operations.data_transfer,
    "GetBaseReport": Operations.get_base_report,
    "GetChargingProfiles": Operations.get_charging_profiles,
    "GetCompositeSchedule": Operations.get_composite_schedule,
    "GetLocalListVersion": Operations.get_local_list_version,
    "GetLog": Operations.get_log,
    "GetTransactionStatus": Operations.get_transaction_status,
    "GetVariables": Operations.get_variables,
    "RequestStartTransaction": Operations.request_start,
    "RequestStopTransaction": Operations.request_stop,
    "ReserveNow": Operations.reserve_now,
    "Reset": Operations.reset,
    "SendLocalList": Operations.send_local_list,
    "SetChargingProfile": Operations.set_charging_profile,
    "SetVariables": Operations.set_variables,
    "TriggerMessage": Operations.trigger_message,
    "UnlockConnector": Operations.unlock_connector,
    "UpdateFirmware": Operations.update_firmware,
}
