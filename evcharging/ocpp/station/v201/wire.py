"""A station's end of OCPP 2.0.1: its requests by the standard's names, and what the answers mean.

The core's connectors are EVSEs here, each with one connector. A transaction has one name on both sides, made here, and
its events are numbered from 0; TxStartPoint and TxStopPoint are PowerPathClosed.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from evcharging.domain.authorization import INVALID, IdTagInfo
from evcharging.domain.authorization_wire import info_from_v201
from evcharging.domain.charger_state import ChargerState
from evcharging.ocpp.errors import CallRejected, InvalidAnswer
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.interfaces import ConnectorState, Reading, TransactionRecord
from evcharging.ocpp.station.v201.device_model import ONLY_CONNECTOR, STATUS_WORDS, DeviceModel
from evcharging.ocpp.station.v201.meter_values import measured, meter_value, text_time
from evcharging.ocpp.station.v201.operations import Operations
from evcharging.ocpp.station.wire import (
    BootAnswer,
    Condition,
    Context,
    RegistrationStatus,
    Request,
    Sample,
    TransactionAnswer,
)
from evcharging.ocpp.stop_notes import custom_data_of
from evcharging.ocpp.timestamps import parse_timestamp
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["ACTIONS_SENT", "WireV201"]

ACTIONS_SENT: Final = frozenset(
    {
        "Authorize",
        "BootNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyReport",
        "ReportChargingProfiles",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""What a station of this version ever calls."""
CARD: Final = "ISO14443"
"""What a card is taken for that is held to the reader."""

_BOOT_REASONS: Final = frozenset({"PowerUp", "RemoteReset", "ScheduledReset", "FirmwareUpdate", "Triggered"})
_TRIGGERS: Final = {
    Context.PERIODIC: "MeterValuePeriodic",
    Context.CLOCK: "MeterValueClock",
    Context.TRIGGER: "Trigger",
}
_CHARGING_STATES: Final = {
    ConnectorState.CHARGING: "Charging",
    ConnectorState.SUSPENDED_EV: "SuspendedEV",
    ConnectorState.SUSPENDED_EVSE: "SuspendedEVSE",
}
_ENDS: Final[dict[str, tuple[str, str]]] = {
    "DeAuthorized": ("DeAuthorized", "Deauthorized"),
    "EmergencyStop": ("EmergencyStop", "AbnormalCondition"),
    "EVDisconnected": ("EVDisconnected", "EVCommunicationLost"),
    "HardReset": ("ImmediateReset", "ResetCommand"),
    "Local": ("Local", "StopAuthorized"),
    "Other": ("Other", "AbnormalCondition"),
    "PowerLoss": ("PowerLoss", "AbnormalCondition"),
    "Reboot": ("Reboot", "ResetCommand"),
    "Remote": ("Remote", "RemoteStop"),
    "SoftReset": ("Reboot", "ResetCommand"),
    "UnlockCommand": ("Other", "UnlockCommand"),
}
"""The core's reasons, in the words of 1.6, as stoppedReason and triggerReason."""
_LOG_STATUSES: Final = {"UploadFailed": "UploadFailure"}


class WireV201:
    """The `Wire` of OCPP 2.0.1. Every payload follows the standard's schema; the core sends it."""

    __slots__ = ("_operations", "_station", "_told", "device_model")

    version: Final = OcppVersion.V201
    unknown_transaction_id: Final = None

    def __init__(self, station: Station) -> None:
        self._station = station
        self._told: dict[int, tuple[str, int]] = {}
        """The word last told of each connector, and over which connection."""
        self.device_model = DeviceModel(station)
        parameters, profile = station.parameters, station.settings.profile
        if profile is not None:
            parameters.sample_interval_s = profile.meter_interval_s
            parameters.heartbeat_interval_s = profile.heartbeat_interval_s
        parameters.sampled = measured(parameters.sampled)
        parameters.ended_sampled = ("Energy.Active.Import.Register",)
        self.device_model.begin_with(station.settings.configuration)
        if station.settings.orders is not None:
            self.device_model.put_back(station.settings.orders.configuration)
        self._operations = Operations(station, self.device_model)

    def boot(self, reason: str) -> Request:
        """Make a BootNotification."""
        settings = self._station.settings
        charging_station = {
            "vendorName": settings.vendor[:50],
            "model": settings.model[:20],
            "serialNumber": (settings.serial_number or settings.station_id)[:25],
            "firmwareVersion": self._station.firmware_version[:50],
        }
        told = reason if reason in _BOOT_REASONS else "Unknown"
        return Request("BootNotification", {"reason": told, "chargingStation": charging_station})

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
        """Make a StatusNotification; none for the whole station, which 2.0.1 does not tell this way.

        None too where the word, of which there are five, was told already over this connection.
        """
        if connector_id == 0:
            return None
        word = STATUS_WORDS.get(state, "Occupied")
        told = (word, self._station.link.reconnects)
        if self._told.get(connector_id) == told:
            return None
        self._told[connector_id] = told
        return Request("StatusNotification", status_payload(connector_id, word, at_s))

    def status_forgotten(self) -> None:
        """The CSMS may know no state any more."""
        self._told.clear()

    def authorize(self, id_tag: str) -> Request:
        """Make an Authorize."""
        return Request("Authorize", {"idToken": self._token(id_tag)})

    def read_authorization(self, answer: Payload) -> IdTagInfo:
        """Read the answer to an Authorize; one that cannot be read accepts nobody."""
        return _info(answer) or INVALID

    def began(self, record: TransactionRecord, sample: Sample) -> Request:
        """Make the TransactionEvent that a transaction began; its name is the station's from now on."""
        record.transaction_id = record.local_id
        remote = record.remote_start_id is not None
        payload = self._event("Started", record, "RemoteStart" if remote else "Authorized", record.started_at_s)
        info = payload["transactionInfo"]
        info["chargingState"] = _charging_state(sample.reading)
        if remote:
            info["remoteStartId"] = record.remote_start_id
        payload["offline"] = record.began_offline
        payload["evse"] = {"id": record.connector_id, "connectorId": ONLY_CONNECTOR}
        payload["idToken"] = self._token(record.id_tag)
        if record.reservation_id is not None:
            payload["reservationId"] = record.reservation_id
        return _with_meter(payload, [meter_value(sample, self._station.parameters.ended_sampled)])

    def state_changed(self, record: TransactionRecord, state: ConnectorState, sample: Sample) -> Request | None:
        """Make the TransactionEvent that charging was suspended or goes on."""
        payload = self._event("Updated", record, "ChargingStateChanged", sample.at_s)
        payload["transactionInfo"]["chargingState"] = _CHARGING_STATES[state]
        return Request("TransactionEvent", payload)

    def metered(self, connector_id: int, record: TransactionRecord | None, sample: Sample) -> Request | None:
        """Make a TransactionEvent with a sample, MeterValues outside a transaction; none where nothing is asked for."""
        parameters = self._station.parameters
        value = meter_value(sample, parameters.aligned if sample.context is Context.CLOCK else parameters.sampled)
        if value is None:
            return None
        if record is None:
            return Request("MeterValues", {"evseId": connector_id, "meterValue": [value]})
        payload = self._event("Updated", record, _TRIGGERS[sample.context], sample.at_s)
        payload["transactionInfo"]["chargingState"] = _charging_state(sample.reading)
        return _with_meter(payload, [value])

    def ended(self, record: TransactionRecord, samples: list[Sample], id_tag: str | None) -> Request:
        """Make the TransactionEvent that a transaction ended, with the samples that were kept for it."""
        stopped, trigger = _ENDS.get(record.reason or "Local", _ENDS["Other"])
        if stopped == "Local" and id_tag is None:
            trigger = "ChargingStateChanged"  # the vehicle was full, or the policy had enough
        record.transaction_id = record.local_id
        payload = self._event("Ended", record, trigger, record.ended_at_s or samples[-1].at_s)
        payload["transactionInfo"]["stoppedReason"] = stopped
        connector = self._station.connector(record.connector_id)
        if connector is not None and connector.stop_note is not None:
            payload["transactionInfo"]["customData"] = custom_data_of(connector.stop_note)
        if id_tag is not None:
            payload["idToken"] = self._token(id_tag)
        payload["evse"] = {"id": record.connector_id, "connectorId": ONLY_CONNECTOR}
        return _with_meter(payload, [self._ended_value(sample) for sample in samples])

    def read_transaction(self, action: str, answer: Payload) -> TransactionAnswer:
        """Read the answer to a TransactionEvent."""
        return TransactionAnswer(None, _info(answer))

    def follow(self, payload: Payload, transaction_id: int | str) -> None:
        """Nothing to do: a transaction has its name from the beginning."""

    def firmware_status(self, status: str) -> Request:
        """Make a FirmwareStatusNotification."""
        return Request("FirmwareStatusNotification", self._of_request(status, self._operations.firmware_request))

    def diagnostics_status(self, status: str) -> Request:
        """Make a LogStatusNotification."""
        told = _LOG_STATUSES.get(status, status)
        return Request("LogStatusNotification", self._of_request(told, self._operations.log_request))

    def handle(self, action: str, payload: Payload) -> Payload | Awaitable[Payload]:
        """Do what the CSMS asks. Raises CallRejected."""
        return self._operations.handle(action, payload)

    def _event(self, kind: str, record: TransactionRecord, trigger: str, at_s: float) -> dict[str, Any]:
        number = record.next_event
        record.next_event += 1
        return {
            "eventType": kind,
            "timestamp": text_time(at_s),
            "triggerReason": trigger,
            "seqNo": number,
            "offline": not self._station.online,
            "transactionInfo": {"transactionId": record.local_id},
        }

    def _token(self, id_tag: str) -> Payload:
        return {"idToken": id_tag, "type": self._operations.token_types.get(id_tag.lower(), CARD)}

    def _ended_value(self, sample: Sample) -> Payload | None:
        parameters = self._station.parameters
        clock = sample.context is Context.CLOCK
        return meter_value(sample, parameters.ended_aligned if clock else parameters.ended_sampled)

    @staticmethod
    def _of_request(status: str, request_id: int | None) -> Payload:
        return (
            {"status": status}
            if request_id is None or status == "Idle"
            else {"status": status, "requestId": request_id}
        )


def status_payload(connector_id: int, word: str, at_s: float) -> Payload:
    """A StatusNotification."""
    return {
        "timestamp": text_time(at_s),
        "connectorStatus": word,
        "evseId": connector_id,
        "connectorId": ONLY_CONNECTOR,
    }


def _with_meter(payload: dict[str, Any], values: list[Payload | None]) -> Request:
    told = [value for value in values if value is not None]
    if told:
        payload["meterValue"] = told
    return Request("TransactionEvent", payload)


def _charging_state(reading: Reading) -> str:
    if reading.state is ChargerState.CHARGING and reading.power_w > 0.0:
        return "Charging"
    if reading.state is ChargerState.PLUGGED:
        return "EVConnected"
    return "SuspendedEVSE" if reading.state is ChargerState.SUSPENDED else "SuspendedEV"


def _info(answer: Payload) -> IdTagInfo | None:
    """Read `idTokenInfo`; None where there is none, or where it says a time that is none."""
    info = answer.get("idTokenInfo")
    try:
        return None if info is None else info_from_v201(info)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
