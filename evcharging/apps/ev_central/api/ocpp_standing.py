"""What an OCPP charge point has told of itself and what it was set to, as one record over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evcharging.messages.base import UtcTime
from evcharging.store.gateway.standing import Standing

__all__ = ["StandingOut"]

ENTRY = {
    "id_tag": "ABC123",
    "status": "Accepted",
    "expires_at": "2030-01-01T00:00:00.000Z",
    "parent_id_tag": "GROUP-1",
}


class _Row(BaseModel):
    """Of a row in the gateways' database; columns that it does not name are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BootOut(_Row):
    """The last BootNotification, and how it was answered."""

    version: str = Field(description="of OCPP", examples=["1.6"])
    vendor: str | None = Field(examples=["evcharging"])
    model: str | None = Field(examples=["Simulated"])
    serial_number: str | None
    firmware_version: str | None = Field(examples=["1.0.0"])
    reason: str | None = Field(description="OCPP 2.0.1: why it booted", examples=[None])
    status: str = Field(description="the answer: `Accepted`, `Pending` or `Rejected`", examples=["Accepted"])
    booted_at: UtcTime


class ConnectorOut(_Row):
    """What the charge point last said of a connector; 0 is the whole of it."""

    connector_id: int = Field(examples=[1])
    status: str = Field(description="in OCPP's words", examples=["Available"])
    error_code: str | None = Field(examples=["NoError"])
    info: str | None
    vendor_error_code: str | None
    reported_at: UtcTime


class ConfigurationKeyOut(_Row):
    """A configuration key of 1.6, or a variable of 2.0.1, as it was last told or accepted."""

    key: str = Field(examples=["HeartbeatInterval"])
    value: str | None = Field(description="null where it is a secret, or has none", examples=["300"])
    readonly: bool
    reboot_required: bool = Field(description="accepted, and in force after the next boot")
    seen_at: UtcTime


class RegisteredKeyOut(_Row):
    """A key of the registration, and what came of setting it."""

    key: str = Field(examples=["HeartbeatInterval"])
    value: str = Field(description="as the registration has it", examples=["300"])
    answer: str = Field(
        description="`AsWanted`: it had the value already; `Timeout`; `CallError`; `NotNamed`: its version of"
        " OCPP has no such key; else the charge point's own word: `Accepted`, `RebootRequired` (in force after its next"
        " boot), `Rejected`, `NotSupported`, …",
        examples=["Accepted"],
    )
    detail: str | None = Field(examples=[None])
    answered_at: UtcTime


class InstalledProfileOut(_Row):
    """A charging profile that the charge point has taken."""

    profile_id: int = Field(examples=[1])
    connector_id: int = Field(examples=[1])
    stack_level: int = Field(examples=[0])
    purpose: str = Field(examples=["TxDefaultProfile"])
    transaction_id: str | None
    profile: dict[str, Any] = Field(description="the standard's ChargingProfile")
    installed_at: UtcTime


class LocalListEntryOut(_Row):
    """One idTag of the local list."""

    id_tag: str = Field(examples=["ABC123"])
    status: str = Field(examples=["Accepted"])
    expires_at: UtcTime | None
    parent_id_tag: str | None


class LocalListOut(_Row):
    """The list that the charge point authorizes by itself from."""

    sent_version: int | None = Field(description="of the list it took last", examples=[1])
    reported_version: int | None = Field(description="as it last said itself", examples=[1])
    changed_at: UtcTime
    entries: list[LocalListEntryOut] = Field(
        description="by idTag, 10,000 at most",
        examples=[[ENTRY]],
    )


class MaintenanceOut(_Row):
    """A firmware update, or an upload of diagnostics."""

    status: str = Field(description="as it was last told; `Requested` before", examples=["Installed"])
    location: str | None = Field(description="without user and password")
    file_name: str | None
    requested_at: UtcTime | None
    changed_at: UtcTime


class RejectedMessageOut(_Row):
    """A message about a transaction that broke its schema: answered with CALLERROR, and kept."""

    action: str = Field(examples=["StopTransaction"])
    payload: Any
    error: str = Field(examples=["OccurenceConstraintViolation"])
    at: UtcTime


class DataTransferOut(_Row):
    """A DataTransfer, of either direction."""

    direction: str = Field(description="`in`: from the charge point", examples=["in"])
    vendor_id: str
    message_id: str | None
    data: str | None
    status: str = Field(description="of the answer", examples=["UnknownVendorId"])
    answer: str | None
    at: UtcTime


class StandingOut(BaseModel):
    """A charge point as it has told of itself and as it was set."""

    cp_id: str = Field(examples=["CP-100"])
    boot: BootOut | None = Field(description="null before its first BootNotification")
    connectors: list[ConnectorOut]
    configuration: list[ConfigurationKeyOut] = Field(
        description="keys that it was asked for (GetConfiguration, GetVariables, reports) or that were changed"
    )
    registered_configuration: list[RegisteredKeyOut] = Field(
        description="what came of the keys that its registration has, when they were last set or found to be so"
    )
    charging_profiles: list[InstalledProfileOut]
    local_list: LocalListOut | None
    firmware: MaintenanceOut | None
    diagnostics: MaintenanceOut | None
    rejected_messages: list[RejectedMessageOut] = Field(description="the newest 50, newest first")
    data_transfers: list[DataTransferOut] = Field(description="the newest 50, newest first")

    @classmethod
    def of(cls, cp_id: str, standing: Standing) -> StandingOut:
        """From the gateways' rows."""
        return cls.model_validate(
            {
                "cp_id": cp_id,
                "boot": standing.boot,
                "connectors": standing.connectors,
                "configuration": standing.configuration,
                "registered_configuration": standing.registered_configuration,
                "charging_profiles": standing.charging_profiles,
                "local_list": _local_list(standing),
                "firmware": standing.maintenance.get("firmware"),
                "diagnostics": standing.maintenance.get("diagnostics"),
                "rejected_messages": standing.rejected_messages,
                "data_transfers": standing.data_transfers,
            }
        )


def _local_list(standing: Standing) -> Mapping[str, Any] | None:
    if standing.local_list is None:
        return None
    return {**standing.local_list, "entries": standing.local_list_entries}
