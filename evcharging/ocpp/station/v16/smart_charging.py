"""Charging profiles in the words of OCPP 1.6: set, cleared, and added up for GetCompositeSchedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evcharging.domain.charging_profile_wire import profile_from_v16, purpose_of, schedule_to_v16
from evcharging.domain.charging_schedules import ProfileRejected, RateUnit
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.v16.meter_values import text_time

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

_REJECTED: Final[Payload] = {"status": "Rejected"}


class SmartCharging:
    """The charging profiles of one station, on the wire."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def set(self, payload: Payload) -> Payload:
        """SetChargingProfile."""
        connector_id = payload["connectorId"]
        if not self._exists(connector_id):
            return _REJECTED
        try:
            self._station.power.install(connector_id, profile_from_v16(payload["csChargingProfiles"]))
        except ProfileRejected as error:
            self._station.log(f"Charging profile rejected - {error}")
            return _REJECTED
        return {"status": "Accepted"}

    def clear(self, payload: Payload) -> Payload:
        """ClearChargingProfile: by its id, or by connector, purpose and stack level; Unknown where none fits."""
        profile_id = payload.get("id")
        purpose = payload.get("chargingProfilePurpose")
        if profile_id is not None:
            cleared = self._station.profiles.clear(profile_id=profile_id)
        else:
            cleared = self._station.profiles.clear(
                connector_id=payload.get("connectorId"),
                purpose=None if purpose is None else purpose_of(purpose),
                stack_level=payload.get("stackLevel"),
            )
        self._station.power.apply_all()
        return {"status": "Accepted" if cleared else "Unknown"}

    def composite(self, payload: Payload) -> Payload:
        """GetCompositeSchedule; Rejected for a connector or a unit that there is not."""
        connector_id = payload["connectorId"]
        wanted = payload.get("chargingRateUnit")
        unit = None if wanted is None else RateUnit(wanted)
        allowed = self._station.profiles.rules.rate_units
        if not self._exists(connector_id) or (unit is not None and unit not in allowed) or payload["duration"] < 0:
            return _REJECTED
        schedule = self._station.power.composite(connector_id, float(payload["duration"]), unit)
        return {
            "status": "Accepted",
            "connectorId": connector_id,
            "scheduleStart": text_time(schedule.start_at_s or self._station.clock.now_s()),
            "chargingSchedule": schedule_to_v16(schedule),
        }

    def _exists(self, connector_id: int) -> bool:
        return connector_id == 0 or self._station.connector(connector_id) is not None
