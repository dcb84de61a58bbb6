"""The operations of OCPP 2.0.1 that a charging station initiates, over the version-free services.

An EVSE is a connector of the bus's: one session flows at an EVSE, whichever of its plugs is used; EVSE 0 is the whole
station. Requests are valid by their schemas. Only what must be stored before it is answered is awaited. What a central
system cannot serve here (certificates, charging schedules of the vehicle's) is answered NotImplemented.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import structlog

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.boots import BootReport, Boots
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport
from evcharging.apps.ocpp_gateway.connector_numbers import connector_number
from evcharging.apps.ocpp_gateway.id_tokens_v201 import check, id_token_info
from evcharging.apps.ocpp_gateway.meter_values_v201 import readings_of
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.records_v201 import note_report, settle_reservation
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.transaction_events_v201 import TransactionEvents
from evcharging.apps.ocpp_gateway.upkeep import Upkeep
from evcharging.apps.ocpp_gateway.writes import Writes
from evcharging.domain.states import OcppStatus
from evcharging.messages.network import TokenStatus
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.timestamps import parse_timestamp, timestamp

__all__ = ["HandlersV201"]

log = structlog.get_logger()

Payload: TypeAlias = dict[str, Any]
Answer: TypeAlias = Payload | Awaitable[Payload]

NOT_SERVED: Final = frozenset(
    {
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "SignCertificate",
    }
)
TAKEN_NOTE_OF: Final = frozenset(
    {
        "ClearedChargingLimit",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
    }
)
"""Notices that ask for nothing; they are in the trace of frames."""

WHILE_OCCUPIED: Final = (
    OcppStatus.PREPARING,
    OcppStatus.CHARGING,
    OcppStatus.SUSPENDED_EV,
    OcppStatus.SUSPENDED_EVSE,
    OcppStatus.FINISHING,
)
STATUSES: Final = {
    "Available": OcppStatus.AVAILABLE,
    "Reserved": OcppStatus.RESERVED,
    "Unavailable": OcppStatus.UNAVAILABLE,
    "Faulted": OcppStatus.FAULTED,
}
BY_WEIGHT: Final = ("Occupied", "Reserved", "Available", "Faulted", "Unavailable")
"""What an EVSE with several connectors is: the first of these that any of them is."""


class HandlersV201:
    """Answers a 2.0.1 station's calls.

    Args:
        now: the time, with a zone.
    """

    def __init__(
        self,
        *,
        authorization: Authorization,
        boots: Boots,
        metering: Metering,
        statuses: Statuses,
        events: TransactionEvents,
        upkeep: Upkeep,
        writes: Writes,
        now: Callable[[], datetime],
    ) -> None:
        self._authorization = authorization
        self._boots = boots
        self._metering = metering
        self._statuses = statuses
        self._upkeep = upkeep
        self._writes = writes
        self._now = now
        self._plugs: dict[tuple[str, int], dict[int, str]] = {}
        """What was last said of each connector of an EVSE."""
        self._by_action: dict[str, Callable[[ChargePoint, Payload], Answer]] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot_notification,
            "DataTransfer": self._data_transfer,
            "FirmwareStatusNotification": self._firmware_status,
            "Heartbeat": self._heartbeat,
            "LogStatusNotification": self._log_status,
            "MeterValues": self._meter_values,
            "NotifyReport": self._notify_report,
            "ReservationStatusUpdate": self._reservation_status,
            "SecurityEventNotification": self._security_event,
            "StatusNotification": self._status_notification,
            "TransactionEvent": events.take,
        }

    def handle(self, point: ChargePoint, action: str, payload: Payload) -> Answer:
        """Answer one call.

        Raises:
            CallRejected: the action is none a station initiates, or not served, or the payload says what cannot be.
            StorageAway: from the awaited answer of a transaction's event; it must not be answered.
        """
        handler = self._by_action.get(action)
        if handler is not None:
            return handler(point, payload)
        if action in TAKEN_NOTE_OF:
            return {}
        if action in NOT_SERVED:
            raise CallRejected(Fault.NOT_IMPLEMENTED, f"{action} is not served here")
        raise CallRejected(Fault.NOT_SUPPORTED, f"{action} is not for a charging station to call")

    def _authorize(self, _point: ChargePoint, payload: Payload) -> Payload:
        if "certificate" in payload or "iso15118CertificateHashData" in payload:
            # Nobody here can verify a contract certificate, so that nobody may charge by one.
            info = id_token_info(Verdict(TokenStatus.INVALID))
            return {"idTokenInfo": info, "certificateStatus": "NoCertificateAvailable"}
        return {"idTokenInfo": id_token_info(check(self._authorization, payload["idToken"]))}

    def _boot_notification(self, point: ChargePoint, payload: Payload) -> Payload:
        station = payload["chargingStation"]
        report = BootReport(
            vendor=station["vendorName"],
            model=station["model"],
            serial_number=station.get("serialNumber"),
            firmware_version=station.get("firmwareVersion"),
            reason=payload["reason"],
            details=payload,
        )
        terms = self._boots.boot(point, report)
        return {"status": terms.status, "currentTime": timestamp(self._now()), "interval": terms.interval_s}

    def _data_transfer(self, point: ChargePoint, payload: Payload) -> Payload:
        status = self._upkeep.data_transfer(
            point.cp_id,
            vendor_id=payload["vendorId"],
            message_id=payload.get("messageId"),
            data=payload.get("data"),
        )
        return {"status": status}

    def _firmware_status(self, point: ChargePoint, payload: Payload) -> Payload:
        self._upkeep.maintenance(point.cp_id, "firmware", payload["status"])
        return {}

    def _log_status(self, point: ChargePoint, payload: Payload) -> Payload:
        self._upkeep.maintenance(point.cp_id, "diagnostics", payload["status"])
        return {}

    def _heartbeat(self, _point: ChargePoint, _payload: Payload) -> Payload:
        return {"currentTime": timestamp(self._now())}

    def _meter_values(self, point: ChargePoint, payload: Payload) -> Payload:
        evse_id = connector_number(payload["evseId"], "evseId")
        self._metering.take(point, readings_of(payload["meterValue"]), connector_id=evse_id)
        return {}

    def _notify_report(self, point: ChargePoint, payload: Payload) -> Payload:
        effect = note_report(point.cp_id, payload.get("reportData", ()))
        if effect is not None:
            self._writes.post(effect)
        return {}

    def _reservation_status(self, point: ChargePoint, payload: Payload) -> Payload:
        self._writes.post(settle_reservation(point.cp_id, payload["reservationId"], payload["reservationUpdateStatus"]))
        return {}

    def _security_event(self, point: ChargePoint, payload: Payload) -> Payload:
        log.warning("a station tells of a security event", cp_id=point.cp_id, type=payload["type"])
        return {}

    def _status_notification(self, point: ChargePoint, payload: Payload) -> Payload:
        told_at = parse_timestamp(payload["timestamp"])
        evse_id = connector_number(payload["evseId"], "evseId")
        plugs = self._plugs.setdefault((point.cp_id, evse_id), {})
        plugs[connector_number(payload["connectorId"], "connectorId")] = payload["connectorStatus"]
        word = next(word for word in BY_WEIGHT if word in plugs.values())
        before = point.connectors.get(evse_id)
        if word != "Occupied":
            status = STATUSES[word]
        elif before is not None and before.status in WHILE_OCCUPIED:
            return {}  # the transaction's events say it more exactly
        else:
            status = OcppStatus.PREPARING
        self._statuses.report(point, evse_id, ConnectorReport(status, told_at))
        return {}
