"""A station's end of OCPP 1.6J: its requests by the standard's names, and what the answers mean."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from evcharging.domain.authorization import INVALID, IdTagInfo
from evcharging.domain.authorization_wire import info_from_v16
from evcharging.ocpp.errors import CallRejected, InvalidAnswer
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.interfaces import ConnectorState, TransactionRecord
from evcharging.ocpp.station.v16.configuration import Configuration
from evcharging.ocpp.station.v16.meter_values import meter_value, text_time
from evcharging.ocpp.station.v16.operations import Operations
from evcharging.ocpp.station.wire import (
    NOTHING_SAID,
    BootAnswer,
    Condition,
    Context,
    RegistrationStatus,
    Request,
    Sample,
    TransactionAnswer,
)
from evcharging.ocpp.stop_notes import vendor_fields_of
from evcharging.ocpp.timestamps import parse_timestamp
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

UNKNOWN_TRANSACTION_ID: Final = -1
_CLOCK: Final = Context.CLOCK
ACTIONS_SENT: Final = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""What a station of this version ever calls."""
_ERROR_CODES: Final = {
    Condition.NONE: "NoError",
    Condition.GROUND_FAULT: "GroundFailure",
    Condition.OVER_TEMPERATURE: "HighTemperature",
    Condition.CONTACTOR_WELDED: "PowerSwitchFailure",
    Condition.COMMUNICATION_LOSS: "InternalError",
    Condition.RESET_FAILED: "ResetFailure",
    Condition.EMERGENCY_STOP: "OtherError",
}
_LONGEST: Final = {
    "chargePointVendor": 20,
    "chargePointModel": 20,
    "chargePointSerialNumber": 25,
    "firmwareVersion": 50,
}


class WireV16:
    """The `Wire` of OCPP 1.6. Every payload follows the standard's schema; the core sends it."""

    __slots__ = ("_operations", "_station", "configuration")

    version: Final = OcppVersion.V16
    unknown_transaction_id: Final = UNKNOWN_TRANSACTION_ID

    def __init__(self, station: Station) -> None:
        self._station = station
        self.configuration = Configuration(station)
        profile = station.settings.profile
        if profile is not None:
            station.parameters.sample_interval_s = profile.meter_interval_s
            station.parameters.heartbeat_interval_s = profile.heartbeat_interval_s
        self.configuration.begin_with(station.settings.configuration)
        if station.settings.orders is not None:
            self.configuration.put_back(station.settings.orders.configuration)
        self._operations = Operations(station, self.configuration)

    def boot(self, reason: str) -> Request:
        """Make a BootNotification; 1.6 has no reason for it."""
        settings = self._station.settings
        payload = {
            "chargePointVendor": settings.vendor,
            "chargePointModel": settings.model,
            "chargePointSerialNumber": settings.serial_number or settings.station_id,
            "firmwareVersion": self._station.firmware_version,
        }
        return Request("BootNotification", {name: value[: _LONGEST[name]] for name, value in payload.items()})

    def read_boot(self, answer: Payload) -> BootAnswer:
        """Read the answer to a boot. Raises InvalidAnswer."""
        try:
            status = RegistrationStatus(answer["status"])
            return BootAnswer(status, float(answer["interval"]), parse_timestamp(answer["currentTime"]))
        except (KeyError, ValueError, TypeError, CallRejected) as error:
            raise InvalidAnswer(f"BootNotification: {error}", answer) from None

    def heartbeat(self) -> Request:
        """Make a Heartbeat."""
        return Request("Heartbeat", {})

    def status(self, connector_id: int, state: ConnectorState, condition: Condition, at_s: float) -> Request | None:
        """Make a StatusNotification."""
        payload: Payload = {
            "connectorId": connector_id,
            "errorCode": _ERROR_CODES[condition],
            "status": state.value,
            "timestamp": text_time(at_s),
        }
        if condition is Condition.EMERGENCY_STOP:
            payload["info"] = condition.value
        elif state is ConnectorState.FINISHING:
            connector = self._station.connector(connector_id)
            if connector is not None and connector.stop_note is not None:
                payload |= vendor_fields_of(connector.stop_note)
        return Request("StatusNotification", payload)

    def status_forgotten(self) -> None:
        """Nothing to do: in 1.6 every state has a word of its own."""

    def authorize(self, id_tag: str) -> Request:
        """Make an Authorize."""
        return Request("Authorize", {"idTag": id_tag})

    def read_authorization(self, answer: Payload) -> IdTagInfo:
        """Read the answer to an Authorize; one that cannot be read accepts nobody."""
        return _info(answer) or INVALID

    def began(self, record: TransactionRecord, sample: Sample) -> Request:
        """Make a StartTransaction."""
        payload: Payload = {
            "connectorId": record.connector_id,
            "idTag": record.id_tag,
            "meterStart": record.meter_start_wh,
            "timestamp": text_time(record.started_at_s),
        }
        if record.reservation_id is not None:
            payload["reservationId"] = record.reservation_id
        return Request("StartTransaction", payload)

    def state_changed(self, record: TransactionRecord, state: ConnectorState, sample: Sample) -> Request | None:
        """Nothing: in 1.6 the connector's status tells it."""
        return None

    def metered(self, connector_id: int, record: TransactionRecord | None, sample: Sample) -> Request | None:
        """Make a MeterValues; none where nothing is configured, or the CSMS never took the transaction."""
        parameters = self._station.parameters
        value = meter_value(sample, parameters.aligned if sample.context is _CLOCK else parameters.sampled)
        if value is None:
            return None
        payload: Payload = {"connectorId": connector_id, "meterValue": [value]}
        if record is not None and record.transaction_id is not None:
            if record.transaction_id == UNKNOWN_TRANSACTION_ID:
                return None
            payload["transactionId"] = record.transaction_id
        return Request("MeterValues", payload)

    def ended(self, record: TransactionRecord, samples: list[Sample], id_tag: str | None) -> Request:
        """Make a StopTransaction, with the data that StopTxnSampledData and StopTxnAlignedData ask for."""
        payload: Payload = {
            "meterStop": record.meter_wh,
            "timestamp": text_time(record.ended_at_s or samples[-1].at_s),
            "transactionId": UNKNOWN_TRANSACTION_ID if record.transaction_id is None else record.transaction_id,
        }
        if record.reason is not None and record.reason != "Local":  # Local is what the standard takes for granted
            payload["reason"] = record.reason
        if id_tag is not None:
            payload["idTag"] = id_tag
        data = [value for value in map(self._ended_value, samples) if value is not None]
        if data:
            payload["transactionData"] = data
        return Request("StopTransaction", payload)

    def read_transaction(self, action: str, answer: Payload) -> TransactionAnswer:
        """Read the answer to StartTransaction, MeterValues or StopTransaction."""
        if action == "StartTransaction":
            return TransactionAnswer(answer.get("transactionId"), _info(answer))
        return TransactionAnswer(None, _info(answer)) if action == "StopTransaction" else NOTHING_SAID

    def follow(self, payload: Payload, transaction_id: int | str) -> None:
        """Put the transaction's id into a MeterValues or a StopTransaction that waits."""
        if "meterStart" not in payload:
            payload["transactionId"] = transaction_id

    def firmware_status(self, status: str) -> Request:
        """Make a FirmwareStatusNotification."""
        return Request("FirmwareStatusNotification", {"status": status})

    def diagnostics_status(self, status: str) -> Request:
        """Make a DiagnosticsStatusNotification."""
        return Request("DiagnosticsStatusNotification", {"status": status})

    def handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Do what the CSMS asks. Raises CallRejected."""
        return self._operations.handle(action, payload)

    def _ended_value(self, sample: Sample) -> dict[str, Any] | None:
        parameters = self._station.parameters
        measurands = parameters.ended_aligned if sample.context is Context.CLOCK else parameters.ended_sampled
        return meter_value(sample, measurands) if measurands else None


def _info(answer: Payload) -> IdTagInfo | None:
    """Read `idTagInfo`; None where there is none, or where it says a time that is none."""
    info = answer.get("idTagInfo")
    try:
        return None if info is None else info_from_v16(info)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
