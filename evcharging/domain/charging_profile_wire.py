"""Charging profiles in the two wire forms of OCPP, 1.6 and 2.0.1 (2.1 alike): dicts as JSON has them, both ways.

The payloads have passed the standard's schema; what the schema cannot say is checked here and in charging_schedules.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from evcharging.domain.charging_schedules import (
    ChargingProfile,
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
)

_STATION_MAX_V16: Final = "ChargePointMaxProfile"


def profile_from_v16(payload: Mapping[str, Any]) -> ChargingProfile:
    """Read `csChargingProfiles` of SetChargingProfile, `chargingProfile` of RemoteStartTransaction.

    Raises ProfileRejected.
    """
    return _profile(
        payload,
        profile_id=payload["chargingProfileId"],
        purpose=purpose_of(payload["chargingProfilePurpose"]),
        schedule=payload["chargingSchedule"],
    )


def profile_from_v201(payload: Mapping[str, Any]) -> ChargingProfile:
    """Read `chargingProfile` of SetChargingProfile and RequestStartTransaction of 2.0.1 and 2.1.

    Raises ProfileRejected.
    """
    schedules = payload["chargingSchedule"]
    if not schedules:
        raise ProfileRejected(ProfileReason.INVALID_SCHEDULE, "a profile needs a schedule")
    return _profile(
        payload,
        profile_id=payload["id"],
        purpose=purpose_of(payload["chargingProfilePurpose"]),
        schedule=schedules[0],
    )


def purpose_of(text: str) -> Purpose:
    """Read a purpose in either spelling. Raises ProfileRejected for one that a CSMS cannot set."""
    if text == _STATION_MAX_V16:
        return Purpose.STATION_MAX
    try:
        return Purpose(text)
    except ValueError:
        raise ProfileRejected(
            ProfileReason.INVALID_PROFILE, f"profiles for {text} are not taken here, only for {', '.join(Purpose)}"
        ) from None


def profile_to_v16(profile: ChargingProfile) -> dict[str, Any]:
    """Return a profile as 1.6 spells it."""
    v16_purpose = _STATION_MAX_V16 if profile.purpose is Purpose.STATION_MAX else profile.purpose.value
    return {
        "chargingProfileId": profile.profile_id,
        "chargingProfilePurpose": v16_purpose,
        **_shared(profile),
        "chargingSchedule": schedule_to_v16(profile.schedule),
    }


def profile_to_v201(profile: ChargingProfile) -> dict[str, Any]:
    """Return a profile as 2.0.1 spells it, for ReportChargingProfiles; its schedule has id 1."""
    return {
        "id": profile.profile_id,
        "chargingProfilePurpose": profile.purpose.value,
        **_shared(profile),
        "chargingSchedule": [{"id": 1, **schedule_to_v16(profile.schedule)}],
    }


def schedule_to_v16(schedule: Schedule) -> dict[str, Any]:
    """Return a `ChargingSchedule`, such as the one of GetCompositeSchedule.conf. Limits are cut to 0.1."""
    return {
        "chargingRateUnit": schedule.unit.value,
        "chargingSchedulePeriod": _periods(schedule),
        **({} if schedule.duration_s is None else {"duration": round(schedule.duration_s)}),
        **({} if schedule.start_at_s is None else {"startSchedule": _text(schedule.start_at_s)}),
        **({} if schedule.min_rate is None else {"minChargingRate": _tenths(schedule.min_rate)}),
    }


def composite_to_v201(schedule: Schedule, *, evse_id: int) -> dict[str, Any]:
    """Return the `CompositeSchedule` of GetCompositeScheduleResponse; `schedule` has a start and a duration."""
    if schedule.start_at_s is None or schedule.duration_s is None:
        raise ValueError("a composite schedule has a start and a duration; this one lacks one of them")
    return {
        "evseId": evse_id,
        "duration": round(schedule.duration_s),
        "scheduleStart": _text(schedule.start_at_s),
        "chargingRateUnit": schedule.unit.value,
        "chargingSchedulePeriod": _periods(schedule),
    }


def _profile(
    payload: Mapping[str, Any], *, profile_id: int, purpose: Purpose, schedule: Mapping[str, Any]
) -> ChargingProfile:
    try:
        kind = Kind(payload["chargingProfileKind"])
        recurrency = Recurrency(payload["recurrencyKind"]) if "recurrencyKind" in payload else None
    except ValueError as error:
        raise ProfileRejected(ProfileReason.INVALID_PROFILE, str(error)) from None
    return ChargingProfile(
        profile_id=profile_id,
        stack_level=payload["stackLevel"],
        purpose=purpose,
        kind=kind,
        schedule=_schedule(schedule),
        recurrency=recurrency,
        valid_from_s=_time(payload, "validFrom"),
        valid_to_s=_time(payload, "validTo"),
        transaction_id=payload.get("transactionId"),
    )


def _schedule(payload: Mapping[str, Any]) -> Schedule:
    try:
        unit = RateUnit(payload["chargingRateUnit"])
    except ValueError as error:
        raise ProfileRejected(ProfileReason.UNSUPPORTED_RATE_UNIT, str(error)) from None
    return Schedule(
        unit=unit,
        periods=tuple(
            Period(
                start_s=float(period["startPeriod"]), limit=float(period["limit"]), phases=period.get("numberPhases")
            )
            for period in payload["chargingSchedulePeriod"]
        ),
        duration_s=payload.get("duration"),
        start_at_s=_time(payload, "startSchedule"),
        min_rate=payload.get("minChargingRate"),
    )


def _shared(profile: ChargingProfile) -> dict[str, Any]:
    optional = {
        "recurrencyKind": None if profile.recurrency is None else profile.recurrency.value,
        "validFrom": None if profile.valid_from_s is None else _text(profile.valid_from_s),
        "validTo": None if profile.valid_to_s is None else _text(profile.valid_to_s),
        "transactionId": profile.transaction_id,
    }
    return {
        "stackLevel": profile.stack_level,
        "chargingProfileKind": profile.kind.value,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _periods(schedule: Schedule) -> list[dict[str, Any]]:
    """The wire counts whole seconds: of periods that begin in the same one, the last counts."""
    told: dict[int, dict[str, Any]] = {}
    for period in schedule.periods:
        start_s = round(period.start_s)
        told[start_s] = {
            "startPeriod": start_s,
            "limit": _tenths(period.limit),
            **({} if period.phases is None else {"numberPhases": period.phases}),
        }
    return list(told.values())


def _tenths(figure: float) -> float:
    """A limit is told to one decimal and never higher than it is; what is a hair under a tenth is that tenth."""
    return math.floor(figure * 10 + 1e-6) / 10


def _text(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(payload: Mapping[str, Any], key: str) -> float | None:
    """Read a time of RFC 3339; one without a zone is UTC."""
    text = payload.get(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
    except (ValueError, OverflowError):
        raise ProfileRejected(
            ProfileReason.INVALID_SCHEDULE, f"{key}: expected a time as 2026-03-01T17:00:00Z, got {text!r}"
        ) from None
