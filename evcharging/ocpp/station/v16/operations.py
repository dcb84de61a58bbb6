"""What the CSMS may ask of a 1.6 station, one method an action: each does what it is asked, and answers that.

A request is valid by its schema when it comes here. What has to be sent because of it goes out after the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from evcharging.domain.authorization_store import ListUpdate
from evcharging.domain.authorization_wire import entry_from_v16
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.rebooting import ResetKind
from evcharging.ocpp.station.v16.configuration import Configuration
from evcharging.ocpp.station.v16.remote import Remote
from evcharging.ocpp.station.v16.smart_charging import SmartCharging
from evcharging.ocpp.station.wire import RegistrationStatus
from evcharging.ocpp.timestamps import parse_timestamp

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

VENDOR: Final = "evcharging"
_ACCEPTED: Final[Payload] = {"status": "Accepted"}
_REJECTED: Final[Payload] = {"status": "Rejected"}


class Operations:
    """The CSMS-initiated operations of OCPP 1.6 at one station."""

    __slots__ = ("_configuration", "_remote", "_smart", "_station")

    def __init__(self, station: Station, configuration: Configuration) -> None:
        self._station = station
        self._configuration = configuration
        self._remote = Remote(station)
        self._smart = SmartCharging(station)

    def handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Answer a call. Raises CallRejected for one a station does not take, or not while it is not registered."""
        operation = _OPERATIONS.get(action)
        if operation is None:
            raise CallRejected(Fault.NOT_SUPPORTED, f"a station does not take {action}")
        if self._station.registration.status in {None, RegistrationStatus.REJECTED}:
            raise CallRejected(Fault.SECURITY_ERROR, "the station's boot was not accepted")
        return operation(self, payload)

    def cancel_reservation(self, payload: Payload) -> Payload:
        """CancelReservation."""
        return _ACCEPTED if self._station.reservations.cancel(payload["reservationId"]) else _REJECTED

    def change_availability(self, payload: Payload) -> Payload:
        """ChangeAvailability."""
        operative = payload["type"] == "Operative"
        return {"status": self._station.availability.change(payload["connectorId"], operative=operative).value}

    def change_configuration(self, payload: Payload) -> Payload:
        """ChangeConfiguration."""
        return {"status": self._configuration.change(payload["key"], payload["value"])}

    def clear_cache(self, payload: Payload) -> Payload:
        """ClearCache."""
        return _ACCEPTED if self._station.authorization.clear_cache() else _REJECTED

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

    def get_composite_schedule(self, payload: Payload) -> Payload:
        """GetCompositeSchedule."""
        return self._smart.composite(payload)

    def get_configuration(self, payload: Payload) -> Payload:
        """GetConfiguration."""
        return self._configuration.get(payload.get("key"))

    def get_diagnostics(self, payload: Payload) -> Payload:
        """GetDiagnostics."""
        name = self._station.maintenance.upload_diagnostics(
            payload["location"], retries=payload.get("retries"), retry_interval_s=payload.get("retryInterval")
        )
        return {"fileName": name}

    def get_local_list_version(self, payload: Payload) -> Payload:
        """GetLocalListVersion."""
        return {"listVersion": self._station.authorization.list_version}

    def remote_start(self, payload: Payload) -> Payload | Awaitable[Payload]:
        """RemoteStartTransaction."""
        return self._remote.start(payload)

    def remote_stop(self, payload: Payload) -> Payload:
        """RemoteStopTransaction."""
        return self._remote.stop(payload)

    def reserve_now(self, payload: Payload) -> Payload:
        """ReserveNow."""
        expires_at_s = parse_timestamp(payload["expiryDate"], field="expiryDate").timestamp()
        outcome = self._station.reservations.reserve(
            payload["connectorId"],
            payload["reservationId"],
            payload["idTag"],
            payload.get("parentIdTag"),
            expires_at_s,
        )
        return {"status": outcome.value}

    def reset(self, payload: Payload) -> Payload:
        """Reset."""
        self._station.rebooting.reset(ResetKind(payload["type"]))
        return _ACCEPTED

    def send_local_list(self, payload: Payload) -> Payload:
        """SendLocalList."""
        try:
            entries = [entry_from_v16(entry) for entry in payload.get("localAuthorizationList", ())]
        except ValueError as error:
            raise CallRejected(Fault.TYPE_CONSTRAINT, f"localAuthorizationList: {error}"[:255]) from None
        outcome = self._station.authorization.update_list(
            payload["listVersion"], ListUpdate(payload["updateType"]), entries
        )
        return {"status": outcome.value}

    def set_charging_profile(self, payload: Payload) -> Payload:
        """SetChargingProfile."""
        return self._smart.set(payload)

    def trigger_message(self, payload: Payload) -> Payload:
        """TriggerMessage: what it asks for follows the answer."""
        connector_id = payload.get("connectorId")
        if connector_id is not None and not 0 <= connector_id <= len(self._station.connectors):
            return _REJECTED
        trigger = _TRIGGERS.get(payload["requestedMessage"])
        if trigger is None:
            return {"status": "NotImplemented"}
        asyncio.get_running_loop().call_soon(trigger, self._station, connector_id)
        return _ACCEPTED

    def unlock_connector(self, payload: Payload) -> Payload:
        """UnlockConnector."""
        return self._remote.unlock(payload)

    def update_firmware(self, payload: Payload) -> Payload:
        """UpdateFirmware."""
        self._station.maintenance.update_firmware(
            payload["location"],
            retrieve_at_s=parse_timestamp(payload["retrieveDate"], field="retrieveDate").timestamp(),
            retries=payload.get("retries"),
            retry_interval_s=payload.get("retryInterval"),
        )
        return {}


_OPERATIONS: Final[Mapping[str, Callable[[Operations, Payload], Payload | Awaitable[Payload]]]] = {
    "CancelReservation": Operations.cancel_reservation,
    "ChangeAvailability": Operations.change_availability,
    "ChangeConfiguration": Operations.change_configuration,
    "ClearCache": Operations.clear_cache,
    "ClearChargingProfile": Operations.clear_charging_profile,
    "DataTransfer": Operations.data_transfer,
    "GetCompositeSchedule": Operations.get_composite_schedule,
    "GetConfiguration": Operations.get_configuration,
    "GetDiagnostics": Operations.get_diagnostics,
    "GetLocalListVersion": Operations.get_local_list_version,
    "RemoteStartTransaction": Operations.remote_start,
    "RemoteStopTransaction": Operations.remote_stop,
    "ReserveNow": Operations.reserve_now,
    "Reset": Operations.reset,
    "SendLocalList": Operations.send_local_list,
    "SetChargingProfile": Operations.set_charging_profile,
    "TriggerMessage": Operations.trigger_message,
    "UnlockConnector": Operations.unlock_connector,
    "UpdateFirmware": Operations.update_firmware,
}


def _boot(station: Station, _: int | None) -> None:
    station.spawn(station.registration.boot_again())


def _heartbeat(station: Station, _: int | None) -> None:
    station.outbox.post(station.wire.heartbeat())


def _meter_values(station: Station, connector_id: int | None) -> None:
    for connector in station.connectors:
        if connector_id in {None, 0, connector.number}:
            station.metering.trigger(connector)


def _status(station: Station, connector_id: int | None) -> None:
    if connector_id is None:
        station.tell_statuses(again=True)
        return
    connector = station.connector(connector_id)
    line = station.availability.line if connector is None else connector.line
    line.tell(again=True)


_TRIGGERS: Final[Mapping[str, Callable[[Station, int | None], None]]] = {
    "BootNotification": _boot,
    "DiagnosticsStatusNotification": lambda station, _: station.maintenance.tell_diagnostics(),
    "FirmwareStatusNotification": lambda station, _: station.maintenance.tell_firmware(),
    "Heartbeat": _heartbeat,
    "MeterValues": _meter_values,
    "StatusNotification": _status,
}
