"""The configuration keys of OCPP 1.6: how each is read from a station, what may be written, and what acts on it then.

Section 9 of the standard, with AuthorizationKey of the security white paper. The table is shared by all stations; what
a station has of its own is in its parameters, its authorization, its profiles and `extras`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from evcharging.domain.charging_schedules import RateUnit
from evcharging.domain.station_password import STATION_LENGTHS
from evcharging.ocpp.station.key_values import boolean, measurands_of, shown, whole
from evcharging.ocpp.station.v16.meter_values import MEASURANDS

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station
    from evcharging.ocpp.station.v16.configuration import Configuration

FEATURE_PROFILES: Final = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"
MAX_KEYS: Final = 50
_RATE_UNITS: Final = {"Current": RateUnit.AMPS, "Power": RateUnit.WATTS}
_ROTATION: Final = re.compile(r"\d+\.(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)")


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        read: Its value now, None for one that may only be written.
        write: Takes a value, raising ValueError for one that makes no sense; None where nothing can be set.
        readonly: Whether the CSMS may not write it; a station's own settings still may.
        reboot: Whether a change acts after the next boot only.
        after: Lets a change act at once.
    """

    name: str
    read: Callable[[Configuration], str] | None
    write: Callable[[Configuration, str], None] | None = None
    readonly: bool = False
    reboot: bool = False
    after: Callable[[Station], None] | None = None


def measurands(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of measurands that stations have, each once."""
    return measurands_of(text, MEASURANDS)


def _parameter(
    name: str, attribute: str, parse: Callable[[str], Any], *, after: Callable[[Station], None] | None = None
) -> Key:
    def read(configuration: Configuration) -> str:
        return shown(getattr(configuration.station.parameters, attribute))

    def write(configuration: Configuration, text: str) -> None:
        setattr(configuration.station.parameters, attribute, parse(text))

    return Key(name, read, write, after=after)


def _rule(name: str, attribute: str, parse: Callable[[str], Any]) -> Key:
    def read(configuration: Configuration) -> str:
        return shown(getattr(configuration.station.parameters.authorization, attribute))

    def write(configuration: Configuration, text: str) -> None:
        parameters = configuration.station.parameters
        parameters.authorization = replace(parameters.authorization, **{attribute: parse(text)})

    return Key(name, read, write)


def _store(name: str, attribute: str, parse: Callable[[str], Any], *, readonly: bool = False) -> Key:
    def read(configuration: Configuration) -> str:
        return shown(getattr(configuration.station.authorization, attribute))

    def write(configuration: Configuration, text: str) -> None:
        setattr(configuration.station.authorization, attribute, parse(text))

    return Key(name, read, write, readonly=readonly)


def _limit(name: str, attribute: str) -> Key:
    def read(configuration: Configuration) -> str:
        return shown(getattr(configuration.station.profiles.rules, attribute))

    def write(configuration: Configuration, text: str) -> None:
        profiles = configuration.station.profiles
        limits: dict[str, Any] = {attribute: whole(text)}
        profiles.rules = replace(profiles.rules, **limits)

    return Key(name, read, write, readonly=True)


def _rate_units() -> Key:
    def read(configuration: Configuration) -> str:
        allowed = configuration.station.profiles.rules.rate_units
        return ",".join(word for word, unit in _RATE_UNITS.items() if unit in allowed)

    def write(configuration: Configuration, text: str) -> None:
        words = [word.strip() for word in text.split(",")]
        if not words or any(word not in _RATE_UNITS for word in words):
            raise ValueError(f"expected Current, Power or both, got {text!r}")
        profiles = configuration.station.profiles
        profiles.rules = replace(profiles.rules, rate_units=frozenset(_RATE_UNITS[word] for word in words))

    return Key("ChargingScheduleAllowedChargingRateUnit", read, write, readonly=True)


def _extra(
    name: str, default: str, check: Callable[[str], Any], *, readonly: bool = False, reboot: bool = False
) -> Key:
    """A key that nothing simulated follows from, such as the brightness of a lamp: kept and told."""

    def write(configuration: Configuration, text: str) -> None:
        check(text)
        configuration.extras = {**configuration.extras, name: text}

    return Key(
        name, lambda configuration: configuration.extras.get(name, default), write, readonly=readonly, reboot=reboot
    )


def _fixed(name: str, read: Callable[[Configuration], str]) -> Key:
    return Key(name, read, readonly=True)


def _rotation(text: str) -> None:
    if not all(_ROTATION.fullmatch(part.strip()) for part in text.split(",")):
        raise ValueError(f"expected connector.rotation pairs such as 0.RST,1.RST, got {text!r}")


def _authorization_key(configuration: Configuration, text: str) -> None:
    if len(text) not in STATION_LENGTHS or not text.isascii() or not text.isprintable():
        raise ValueError("expected 16 to 40 printable characters")
    configuration.station.link.password = text


def _most_measurands(name: str) -> Key:
    return _fixed(name, lambda _: str(len(MEASURANDS)))


KEYS: Final[Mapping[str, Key]] = {
    key.name.lower(): key
    for key in (
        _rule("AllowOfflineTxForUnknownId", "allow_offline_tx_for_unknown_id", boolean),
        _store("AuthorizationCacheEnabled", "cache_enabled", boolean),
        Key("AuthorizationKey", None, _authorization_key),
        _rule("AuthorizeRemoteTxRequests", "authorize_remote_tx_requests", boolean),
        _extra("BlinkRepeat", "0", whole),
        _parameter(
            "ClockAlignedDataInterval", "aligned_interval_s", whole, after=lambda one: one.metering.reset_aligned()
        ),
        _parameter("ConnectionTimeOut", "connection_timeout_s", whole),
        _extra("ConnectorPhaseRotation", "0.Unknown", _rotation, reboot=True),
        _fixed("ConnectorPhaseRotationMaxLength", lambda one: str(len(one.station.connectors) + 1)),
        _extra("GetConfigurationMaxKeys", str(MAX_KEYS), whole, readonly=True),
        _parameter(
            "HeartbeatInterval", "heartbeat_interval_s", whole, after=lambda one: one.registration.reset_heartbeat()
        ),
        _extra("LightIntensity", "100", lambda text: whole(text, most=100)),
        _rule("LocalAuthorizeOffline", "local_authorize_offline", boolean),
        _rule("LocalPreAuthorize", "local_pre_authorize", boolean),
        _rule("MaxEnergyOnInvalidId", "max_energy_on_invalid_id_wh", whole),
        _parameter("MeterValuesAlignedData", "aligned", measurands),
        _most_measurands("MeterValuesAlignedDataMaxLength"),
        _parameter("MeterValuesSampledData", "sampled", measurands),
        _most_measurands("MeterValuesSampledDataMaxLength"),
        _parameter(
            "MeterValueSampleInterval", "sample_interval_s", whole, after=lambda one: one.metering.reset_sampling()
        ),
        _parameter("MinimumStatusDuration", "minimum_status_s", whole),
        _fixed("NumberOfConnectors", lambda one: str(len(one.station.connectors))),
        _parameter("ResetRetries", "reset_retries", whole),
        _parameter("StopTransactionOnEVSideDisconnect", "stop_on_disconnect", boolean),
        _rule("StopTransactionOnInvalidId", "stop_transaction_on_invalid_id", boolean),
        _parameter("StopTxnAlignedData", "ended_aligned", measurands),
        _most_measurands("StopTxnAlignedDataMaxLength"),
        _parameter("StopTxnSampledData", "ended_sampled", measurands),
        _most_measurands("StopTxnSampledDataMaxLength"),
        _fixed("SupportedFeatureProfiles", lambda _: FEATURE_PROFILES),
        _fixed("SupportedFeatureProfilesMaxLength", lambda _: str(FEATURE_PROFILES.count(",") + 1)),
        _parameter("TransactionMessageAttempts", "message_attempts", whole),
        _parameter("TransactionMessageRetryInterval", "message_retry_s", whole),
        _parameter("UnlockConnectorOnEVSideDisconnect", "unlock_on_disconnect", boolean),
        _parameter("WebSocketPingInterval", "ping_interval_s", whole, after=lambda one: one.link.reset_ping()),
        _store("LocalAuthListEnabled", "list_enabled", boolean),
        _store("LocalAuthListMaxLength", "max_list_length", whole, readonly=True),
        _store("SendLocalListMaxLength", "max_send_length", whole, readonly=True),
        _fixed("ReserveConnectorZeroSupported", lambda _: "true"),
        _limit("ChargeProfileMaxStackLevel", "max_stack_level"),
        _rate_units(),
        _limit("ChargingScheduleMaxPeriods", "max_periods"),
        _limit("MaxChargingProfilesInstalled", "max_installed"),
        _fixed("ConnectorSwitch3to1PhaseSupported", lambda _: "false"),
    )
}
"""Every key, by its name in lower case: names are compared without regard to case (CiString50Type)."""
