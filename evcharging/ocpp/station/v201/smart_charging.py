"""Charging profiles in the words of OCPP 2.0.1: set, cleared, reported, and added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evcharging.domain.charging_profile_wire import composite_to_v201, profile_from_v201, profile_to_v201, purpose_of
from evcharging.domain.charging_profiles import Installed
from evcharging.domain.charging_schedules import ProfileRejected, RateUnit
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.v201.remote import rejected
from evcharging.ocpp.station.wire import Request

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["SmartCharging"]


class SmartCharging:
    """The charging profiles of one station, on the wire."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def set(self, payload: Payload) -> Payload:
        """SetChargingProfile."""
        evse_id = payload["evseId"]
        if not self._exists(evse_id):
            return rejected("UnknownEvse", f"EVSE {evse_id}")
        try:
            profile = profile_from_v201(payload["chargingProfile"])
            self._station.power.install(evse_id, profile, replace_same_level=False)
        except ProfileRejected as error:
            self._station.log(f"Charging profile rejected - {error}")
            return rejected(error.reason.value, str(error))
        return {"status": "Accepted"}

    def clear(self, payload: Payload) -> Payload:
        """ClearChargingProfile: by id, or by EVSE, purpose and stack level; Unknown where none fits."""
        profiles, criteria = self._station.profiles, payload.get("chargingProfileCriteria", {})
        profile_id, purpose = payload.get("chargingProfileId"), criteria.get("chargingProfilePurpose")
        try:
            if profile_id is not None:
                cleared = profiles.clear(profile_id=profile_id)
            else:
                cleared = profiles.clear(
                    connector_id=criteria.get("evseId"),
                    purpose=None if purpose is None else purpose_of(purpose),
                    stack_level=criteria.get("stackLevel"),
                )
        except ProfileRejected:
            cleared = 0  # a purpose that none here can have
        self._station.power.apply_all()
        return {"status": "Accepted" if cleared else "Unknown"}

    def composite(self, payload: Payload) -> Payload:
        """GetCompositeSchedule."""
        evse_id, wanted = payload["evseId"], payload.get("chargingRateUnit")
        if not self._exists(evse_id):
            return rejected("UnknownEvse", f"EVSE {evse_id}")
        unit = None if wanted is None else RateUnit(wanted)
        if unit is not None and unit not in self._station.profiles.rules.rate_units:
            return rejected("UnsupportedRateUnit", unit.value)
        if payload["duration"] < 0:
            return rejected("ValuePositiveOnly", "duration")
        schedule = self._station.power.composite(evse_id, float(payload["duration"]), unit)
        return {"status": "Accepted", "schedule": composite_to_v201(schedule, evse_id=evse_id)}

    def report(self, payload: Payload) -> list[Request]:
        """What GetChargingProfiles asks for: one ReportChargingProfiles an EVSE; none where nothing fits."""
        found = [one for one in self._station.profiles.installed if _fits(one, payload)]
        groups: dict[int, list[dict[str, Any]]] = {}
        for one in found:
            groups.setdefault(one.connector_id, []).append(profile_to_v201(one.profile))
        last = len(groups) - 1
        return [
            Request(
                "ReportChargingProfiles",
                {
                    "requestId": payload["requestId"],
                    "chargingLimitSource": "CSO",
                    "evseId": evse_id,
                    "chargingProfile": profiles,
                    "tbc": number < last,
                },
            )
            for number, (evse_id, profiles) in enumerate(groups.items())
        ]

    def _exists(self, evse_id: int) -> bool:
        return evse_id == 0 or self._station.connector(evse_id) is not None


def _fits(one: Installed, payload: Payload) -> bool:
    criterion = payload["chargingProfile"]
    ids, sources = criterion.get("chargingProfileId"), criterion.get("chargingLimitSource")
    purpose, level = criterion.get("chargingProfilePurpose"), criterion.get("stackLevel")
    return (
        payload.get("evseId") in {None, one.connector_id}
        and (ids is None or one.profile.profile_id in ids)
        and (sources is None or "CSO" in sources)
        and (purpose is None or one.profile.purpose.value == purpose)
        and (level is None or one.profile.stack_level == level)
    )
