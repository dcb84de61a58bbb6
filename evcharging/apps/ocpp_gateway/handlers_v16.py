"""The ten operations of OCPP 1.6 that a charge point initiates (edition 2, chapter 4), over the version-free services.

Requests are valid by their schemas. Only the two that must be stored before they are answered are awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from evcharging.apps.ocpp_gateway.authorization import Authorization, Verdict
from evcharging.apps.ocpp_gateway.boots import BootReport, Boots
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, ConnectorReport
from evcharging.apps.ocpp_gateway.connector_numbers import connector_number, transaction_place
from evcharging.apps.ocpp_gateway.meter_values_v16 import readings_of
from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.statuses import Statuses
from evcharging.apps.ocpp_gateway.transactions import Start, Stop, Transactions
from evcharging.apps.ocpp_gateway.upkeep import Upkeep
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.energy import InvalidEnergy, exact_wh
from evcharging.domain.states import OcppStatus
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.stop_notes import read_vendor_code
from evcharging.ocpp.timestamps import parse_timestamp, timestamp

__all__ = ["HandlersV16"]

Payload: TypeAlias = dict[str, Any]
Answer: TypeAlias = Payload | Awaitable[Payload]


class HandlersV16:
    """Answers a 1.6 station's calls.

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
        transactions: Transactions,
        upkeep: Upkeep,
        now: Callable[[], datetime],
    ) -> None:
        self._authorization = authorization
        self._boots = boots
        self._metering = metering
        self._statuses = statuses
        self._transactions = transactions
        self._upkeep = upkeep
        self._now = now
        self._by_action: dict[str, Callable[[ChargePoint, Payload], Answer]] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot_notification,
            "DataTransfer": self._data_transfer,
            "DiagnosticsStatusNotification": self._diagnostics_status,
            "FirmwareStatusNotification": self._firmware_status,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "StartTransaction": self._start_transaction,
            "StatusNotification": self._status_notification,
            "StopTransaction": self._stop_transaction,
        }

    def handle(self, point: ChargePoint, action: str, payload: Payload) -> Answer:
        """Answer one call.

        Raises:
            CallRejected: the action is none a charge point initiates, or the payload says what cannot be.
            StorageAway: from the awaited answer of a transaction message; it must not be answered.
        """
        handler = self._by_action.get(action)
        if handler is None:
            raise CallRejected(Fault.NOT_SUPPORTED, f"{action} is not for a charge point to call")
        return handler(point, payload)

    def _authorize(self, _point: ChargePoint, payload: Payload) -> Payload:
        return {"idTagInfo": _id_tag_info(self._authorization.check(payload["idTag"]))}

    def _boot_notification(self, point: ChargePoint, payload: Payload) -> Payload:
        report = BootReport(
            vendor=payload["chargePointVendor"],
            model=payload["chargePointModel"],
            serial_number=payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber"),
            firmware_version=payload.get("firmwareVersion"),
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

    def _diagnostics_status(self, point: ChargePoint, payload: Payload) -> Payload:
        self._upkeep.maintenance(point.cp_id, "diagnostics", payload["status"])
        return {}

    def _firmware_status(self, point: ChargePoint, payload: Payload) -> Payload:
        self._upkeep.maintenance(point.cp_id, "firmware", payload["status"])
        return {}

    def _heartbeat(self, _point: ChargePoint, _payload: Payload) -> Payload:
        return {"currentTime": timestamp(self._now())}

    def _meter_values(self, point: ChargePoint, payload: Payload) -> Payload:
        transaction_id = payload.get("transactionId")
        self._metering.take(
            point,
            readings_of(payload["meterValue"]),
            connector_id=transaction_place(payload["connectorId"]),
            transaction_id=None if transaction_id is None else str(transaction_id),
        )
        return {}

    def _status_notification(self, point: ChargePoint, payload: Payload) -> Payload:
        told_at = payload.get("timestamp")
        report = ConnectorReport(
            OcppStatus(payload["status"]),
            self._now() if told_at is None else parse_timestamp(told_at),
            payload["errorCode"],
            payload.get("info"),
            payload.get("vendorErrorCode"),
        )
        self._statuses.report(point, connector_number(payload["connectorId"], "connectorId"), report)
        return {}

    async def _start_transaction(self, point: ChargePoint, payload: Payload) -> Payload:
        started = await self._transactions.start(
            point,
            Start(
                connector_id=transaction_place(payload["connectorId"]),
                id_tag=payload["idTag"],
                started_at=parse_timestamp(payload["timestamp"]),
                register_wh=_register(payload["meterStart"]),
                reservation_id=payload.get("reservationId"),
            ),
        )
        return {"transactionId": started.number, "idTagInfo": _id_tag_info(started.verdict)}

    async def _stop_transaction(self, point: ChargePoint, payload: Payload) -> Payload:
        transaction_id = str(payload["transactionId"])
        verdict = await self._transactions.stop(
            point,
            Stop(
                transaction_id=transaction_id,
                stopped_at=parse_timestamp(payload["timestamp"]),
                register_wh=_register(payload["meterStop"]),
                id_tag=payload.get("idTag"),
                reason=payload.get("reason"),
                noted=_noted(point, transaction_id),
                transaction_data=payload.get("transactionData"),
            ),
        )
        return {} if verdict is None else {"idTagInfo": _id_tag_info(verdict)}


def _noted(point: ChargePoint, transaction_id: str) -> EndReason | None:
    """Why the station ends it, where it said more of the connector than the standard has a word for."""
    live = point.open.get(transaction_id)
    report = None if live is None else point.connectors.get(live.connector_id)
    if live is None or report is None or report.reported_at < live.started_at:
        return None
    return read_vendor_code(report.vendor_error_code)


def _id_tag_info(verdict: Verdict) -> Payload:
    info: Payload = {"status": verdict.status.value}
    if verdict.expires_at is not None:
        info["expiryDate"] = timestamp(verdict.expires_at)
    if verdict.parent_id_tag is not None:
        info["parentIdTag"] = verdict.parent_id_tag
    return info


def _register(value: int) -> Decimal | None:
    """A register as told; a negative one is a meter's mistake and not known, which must not lose the transaction."""
    try:
        return exact_wh(float(value))
    except (InvalidEnergy, OverflowError):
        return None
