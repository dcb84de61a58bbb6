"""Which operations of OCPP a central system initiates, by version: what can be asked of a charge point over HTTP."""

from __future__ import annotations

from functools import cache

from evcharging.ocpp.schemas import actions
from evcharging.ocpp.versions import OcppVersion

__all__ = ["initiated_by_central"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FROM_CHARGE_POINTS_16 = _names(
    "Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat "
    "LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification "
    "StartTransaction StatusNotification StopTransaction"
)
"""OCPP 1.6 edition 2, chapter 4, and the security whitepaper, edition 3. DataTransfer goes both ways."""

FROM_CHARGE_POINTS_201 = _names(
    "Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate "
    "GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation "
    "NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport "
    "NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate "
    "SecurityEventNotification SignCertificate StatusNotification TransactionEvent"
)
"""OCPP 2.0.1 part 2, chapter 1."""

FROM_CHARGE_POINTS_21 = FROM_CHARGE_POINTS_201 | _names(
    "BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm NotifyDERStartStop "
    "NotifyPeriodicEventStream NotifyPriorityCharging NotifySettlement OpenPeriodicEventStream "
    "PullDynamicScheduleUpdate ReportDERControl VatNumberValidation"
)
"""OCPP 2.1 part 2, chapter 1."""

FROM_CHARGE_POINTS = {
    OcppVersion.V16: FROM_CHARGE_POINTS_16,
    OcppVersion.V201: FROM_CHARGE_POINTS_201,
    OcppVersion.V21: FROM_CHARGE_POINTS_21,
}


@cache
def initiated_by_central(version: OcppVersion) -> frozenset[str]:
    """The actions that a central system sends, DataTransfer included."""
    return actions(version) - FROM_CHARGE_POINTS[version]
