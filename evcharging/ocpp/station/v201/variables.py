"""The variables of a 2.0.1 station's controllers: how each is read, what may be written, and what acts on it then.

Part 2, appendix 3 of the standard; the required ones of the blocks that stations have, and what they act on beyond.
The table is shared by all stations; what a station has of its own is in its parameters, authorization and profiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from evcharging.domain.station_password import STATION_LENGTHS
from evcharging.ocpp.station.key_values import boolean, measurands_of, shown, whole
from evcharging.ocpp.station.v201.meter_values import MEASURANDS
from evcharging.ocpp.timestamps import timestamp

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["MOST_ITEMS", "VARIABLES", "Variable"]

MOST_ITEMS: Final = 50
"""Variables in one GetVariables or SetVariables."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable with its Actual attribute.

    Attributes:
        component, name, instance: as the standard spells them.
        read: its value now, None for one that may only be written.
        write: takes a value, raising ValueError for one that makes no sense; None where nothing can be set.
        kind: the standard's dataType.
        readonly: whether the CSMS may not write it; a station's own settings still may.
        after: lets a change act at once.
        unit, values: for reports; ``values`` is the comma-separated list of what a list may hold.
    """

    component: str
    name: str
    read: Callable[[Station], str] | None
    write: Callable[[Station, str], None] | None = None
    kind: str = "string"
    instance: str | None = None
    readonly: bool = False
    after: Callable[[Station], None] | None = None
    unit: str | None = None
    values: str | None = None

    @property
    def mutability(self) -> str:
        """As the standard spells it."""
        if self.read is None:
            return "WriteOnly"
        return "ReadOnly" if self.write is None or self.readonly else "ReadWrite"

    @property
    def label(self) -> str:
        """What a station's own settings call it: ``Component.Variable``, with its instance in brackets."""
        return f"{self.component}.{self.name}" + (f"[{self.instance}]" if self.instance else "")


def _measurands(text: str) -> tuple[str, ...]:
    return measurands_of(text, MEASURANDS)


def _parameter(
    component: str,
    name: str,
    attribute: str,
    parse: Callable[[str], Any],
    *,
    instance: str | None = None,
    after: Callable[[Station], None] | None = None,
) -> Variable:
    def write(station: Station, text: str) -> None:
        setattr(station.parameters, attribute, parse(text))

    return Variable(
        component,
        name,
        lambda station: shown(getattr(station.parameters, attribute)),
        write,
        kind=_KINDS[parse],
        instance=instance,
        after=after,
        unit=_UNITS.get(attribute.rpartition("_")[2]) if parse is whole else None,
        values=",".join(MEASURANDS) if parse is _measurands else None,
    )


def _rule(component: str, name: str, attribute: str, parse: Callable[[str], Any]) -> Variable:
    def write(station: Station, text: str) -> None:
        parameters = station.parameters
        parameters.authorization = replace(parameters.authorization, **{attribute: parse(text)})

    return Variable(
        component,
        name,
        lambda station: shown(getattr(station.parameters.authorization, attribute)),
        write,
        kind=_KINDS[parse],
        unit=_UNITS.get(attribute.rpartition("_")[2]),
    )


def _store(component: str, name: str, attribute: str) -> Variable:
    def write(station: Station, text: str) -> None:
        setattr(station.authorization, attribute, boolean(text))

    return Variable(
        component, name, lambda station: shown(getattr(station.authorization, attribute)), write, kind="boolean"
    )


def _fixed(
    component: str, name: str, read: Callable[[Station], str], kind: str = "string", *, instance: str | None = None
) -> Variable:
    return Variable(component, name, read, kind=kind, instance=instance)


def _told(path: str) -> Callable[[Station], str]:
    """Reads an attribute of the station, by its dotted path."""
    read = attrgetter(path)
    return lambda station: shown(read(station))


def _time(station: Station) -> str:
    return timestamp(datetime.fromtimestamp(station.clock.now_s(), UTC))


def _list_entries(station: Station) -> str:
    return str(len(station.authorization.entries))


def _profiles_installed(station: Station) -> str:
    return str(len(station.profiles.installed))


def _rate_units(station: Station) -> str:
    return ",".join(sorted(unit.value for unit in station.profiles.rules.rate_units))


def _password(station: Station, text: str) -> None:
    if len(text) not in STATION_LENGTHS or not text.isascii() or not text.isprintable():
        raise ValueError("expected 16 to 40 printable characters")
    station.link.password = text


def _security_profile(station: Station) -> str:
    if not station.settings.csms_url.startswith("wss:"):
        return "1" if station.link.password is not None else "0"
    return "2" if station.link.password is not None else "3"


def _tells_samples(station: Station) -> None:
    station.metering.reset_sampling()


_KINDS: Final[dict[Callable[[str], Any], str]] = {boolean: "boolean", whole: "integer", _measurands: "MemberList"}
_UNITS: Final = {"s": "s", "wh": "Wh"}

VARIABLES: Final[tuple[Variable, ...]] = (
    _parameter(
        "AlignedDataCtrlr",
        "Interval",
        "aligned_interval_s",
        whole,
        after=lambda station: station.metering.reset_aligned(),
    ),
    _parameter("AlignedDataCtrlr", "Measurands", "aligned", _measurands),
    _parameter("AlignedDataCtrlr", "TxEndedMeasurands", "ended_aligned", _measurands),
    _store("AuthCacheCtrlr", "Enabled", "cache_enabled"),
    _rule("AuthCtrlr", "AuthorizeRemoteStart", "authorize_remote_tx_requests", boolean),
    _rule("AuthCtrlr", "LocalAuthorizeOffline", "local_authorize_offline", boolean),
    _rule("AuthCtrlr", "LocalPreAuthorize", "local_pre_authorize", boolean),
    _rule("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "allow_offline_tx_for_unknown_id", boolean),
    _fixed(
        "ClockCtrlr",
        "DateTime",
        _time,
        "dateTime",
    ),
    _fixed("ClockCtrlr", "TimeSource", lambda _: "Heartbeat", "SequenceList"),
    _fixed("DeviceDataCtrlr", "ItemsPerMessage", lambda _: str(MOST_ITEMS), "integer", instance="GetVariables"),
    _fixed("DeviceDataCtrlr", "ItemsPerMessage", lambda _: str(MOST_ITEMS), "integer", instance="SetVariables"),
    _fixed(
        "DeviceDataCtrlr",
        "BytesPerMessage",
        _told("settings.max_frame_bytes"),
        "integer",
        instance="GetVariables",
    ),
    _fixed(
        "DeviceDataCtrlr",
        "BytesPerMessage",
        _told("settings.max_frame_bytes"),
        "integer",
        instance="SetVariables",
    ),
    _store("LocalAuthListCtrlr", "Enabled", "list_enabled"),
    _fixed("LocalAuthListCtrlr", "Entries", _list_entries, "integer"),
    _fixed("LocalAuthListCtrlr", "ItemsPerMessage", _told("authorization.max_send_length"), "integer"),
    _parameter(
        "OCPPCommCtrlr",
        "HeartbeatInterval",
        "heartbeat_interval_s",
        whole,
        after=lambda station: station.registration.reset_heartbeat(),
    ),
    _parameter(
        "OCPPCommCtrlr",
        "WebSocketPingInterval",
        "ping_interval_s",
        whole,
        after=lambda station: station.link.reset_ping(),
    ),
    _fixed(
        "OCPPCommCtrlr",
        "MessageTimeout",
        _told("settings.call_timeout_s"),
        "integer",
        instance="Default",
    ),
    _parameter("OCPPCommCtrlr", "MessageAttempts", "message_attempts", whole, instance="TransactionEvent"),
    _parameter("OCPPCommCtrlr", "MessageAttemptInterval", "message_retry_s", whole, instance="TransactionEvent"),
    _fixed("OCPPCommCtrlr", "FileTransferProtocols", lambda _: "FTP,FTPS,HTTP,HTTPS,SFTP", "MemberList"),
    _fixed(
        "OCPPCommCtrlr",
        "RetryBackOffWaitMinimum",
        _told("settings.backoff.first_s"),
        "integer",
    ),
    _parameter("OCPPCommCtrlr", "ResetRetries", "reset_retries", whole),
    _parameter("OCPPCommCtrlr", "UnlockOnEVSideDisconnect", "unlock_on_disconnect", boolean),
    _fixed("ReservationCtrlr", "Available", lambda _: "true", "boolean"),
    _fixed("ReservationCtrlr", "NonEvseSpecific", lambda _: "true", "boolean"),
    _parameter("SampledDataCtrlr", "TxUpdatedInterval", "sample_interval_s", whole, after=_tells_samples),
    _parameter("SampledDataCtrlr", "TxUpdatedMeasurands", "sampled", _measurands),
    _parameter("SampledDataCtrlr", "TxEndedMeasurands", "ended_sampled", _measurands),
    Variable("SecurityCtrlr", "BasicAuthPassword", None, _password),
    _fixed("SecurityCtrlr", "Identity", _told("settings.station_id")),
    _fixed("SecurityCtrlr", "OrganizationName", _told("settings.vendor")),
    _fixed("SecurityCtrlr", "SecurityProfile", _security_profile, "integer"),
    _fixed("SmartChargingCtrlr", "Available", lambda _: "true", "boolean"),
    _fixed(
        "SmartChargingCtrlr",
        "Entries",
        _profiles_installed,
        "integer",
        instance="ChargingProfiles",
    ),
    _fixed(
        "SmartChargingCtrlr",
        "ProfileStackLevel",
        _told("profiles.rules.max_stack_level"),
        "integer",
    ),
    _fixed("SmartChargingCtrlr", "PeriodsPerSchedule", _told("profiles.rules.max_periods"), "integer"),
    _fixed(
        "SmartChargingCtrlr",
        "RateUnit",
        _rate_units,
        "MemberList",
    ),
    _parameter("TxCtrlr", "EVConnectionTimeOut", "connection_timeout_s", whole),
    _rule("TxCtrlr", "MaxEnergyOnInvalidId", "max_energy_on_invalid_id_wh", whole),
    _parameter("TxCtrlr", "StopTxOnEVSideDisconnect", "stop_on_disconnect", boolean),
    _rule("TxCtrlr", "StopTxOnInvalidId", "stop_transaction_on_invalid_id", boolean),
    _fixed("TxCtrlr", "TxStartPoint", lambda _: "PowerPathClosed", "MemberList"),
    _fixed("TxCtrlr", "TxStopPoint", lambda _: "PowerPathClosed", "MemberList"),
)
"""Every variable of the controllers, in the order of reports."""
