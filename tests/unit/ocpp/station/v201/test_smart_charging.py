"""Charging profiles of a 2.0.1 station: set, acting, cleared, reported and added up."""

from __future__ import annotations

import pytest

from tests.support.station_v201 import csms_of, living_201


def profile(profile_id=1, limit=10.0, **more):
    return {
        "id": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": 1,
                "startSchedule": "2025-06-15T00:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            }
        ],
        **more,
    }


async def test_a_limit_of_ten_ampere_is_seen_in_the_current():
    async with living_201(configuration={"SampledDataCtrlr.TxUpdatedInterval": "10"}) as world:
        csms = csms_of(world)
        await world.charge()
        answer = await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile()})
        assert answer["status"] == "Accepted"
        await world.clock.advance(11)
        sampled = csms.events("Updated")[-1]["meterValue"][0]["sampledValue"]
        assert [one["value"] for one in sampled if one["measurand"] == "Current.Import"] == [10.0]


@pytest.mark.parametrize(
    ("evse_id", "what", "reason"),
    [
        (4, profile(), "UnknownEvse"),
        (1, profile(stackLevel=99), "InvalidStackLevel"),
        (1, profile(chargingProfilePurpose="TxProfile"), "TxNotFound"),
        (1, profile(chargingProfilePurpose="ChargingStationMaxProfile"), "InvalidProfile"),
    ],
)
async def test_a_profile_that_cannot_be_is_rejected_with_its_reason(evse_id, what, reason):
    async with living_201() as world:
        answer = await csms_of(world).call("SetChargingProfile", {"evseId": evse_id, "chargingProfile": what})
        assert answer["status"] == "Rejected"
        assert answer["statusInfo"]["reasonCode"] in {reason, "InvalidProfile"}


async def test_a_second_profile_of_the_same_level_is_a_duplicate():
    async with living_201() as world:
        csms = csms_of(world)
        await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(1)})
        second = await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(2)})
        assert second["statusInfo"]["reasonCode"] == "DuplicateProfile"
        same = await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(1, limit=16.0)})
        assert same["status"] == "Accepted"


async def test_profiles_are_cleared_by_id_or_by_what_they_are():
    async with living_201() as world:
        csms = csms_of(world)
        for profile_id, level in ((1, 0), (2, 1), (3, 2)):
            what = profile(profile_id, stackLevel=level)
            await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": what})
        assert (await csms.call("ClearChargingProfile", {"chargingProfileId": 1}))["status"] == "Accepted"
        assert (await csms.call("ClearChargingProfile", {"chargingProfileId": 1}))["status"] == "Unknown"
        by_level = {"chargingProfileCriteria": {"stackLevel": 1}}
        assert (await csms.call("ClearChargingProfile", by_level))["status"] == "Accepted"
        other = {"chargingProfileCriteria": {"chargingProfilePurpose": "ChargingStationExternalConstraints"}}
        assert (await csms.call("ClearChargingProfile", other))["status"] == "Unknown"
        assert [one.profile.profile_id for one in world.station.profiles.installed] == [3]


async def test_installed_profiles_are_reported_by_evse():
    async with living_201(connectors=2) as world:
        csms = csms_of(world)
        await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile(1)})
        await csms.call("SetChargingProfile", {"evseId": 2, "chargingProfile": profile(2)})
        asked = {"requestId": 6, "chargingProfile": {}}
        assert (await csms.call("GetChargingProfiles", asked))["status"] == "Accepted"
        await world.settle()
        reports = csms.of("ReportChargingProfiles")
        assert [(one["evseId"], one["tbc"]) for one in reports] == [(1, True), (2, False)]
        assert reports[0]["chargingProfile"][0]["id"] == 1
        none = {"requestId": 7, "chargingProfile": {"chargingProfileId": [9]}}
        assert (await csms.call("GetChargingProfiles", none))["status"] == "NoProfiles"


async def test_the_composite_schedule_is_what_may_be_charged():
    async with living_201() as world:
        csms = csms_of(world)
        await csms.call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile()})
        answer = await csms.call("GetCompositeSchedule", {"evseId": 1, "duration": 600, "chargingRateUnit": "A"})
        assert answer["status"] == "Accepted"
        assert answer["schedule"]["evseId"] == 1
        assert answer["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]


@pytest.mark.parametrize("asked", [{"evseId": 8, "duration": 60}, {"evseId": 1, "duration": -5}])
async def test_a_composite_schedule_of_nothing_is_rejected(asked):
    async with living_201() as world:
        assert (await csms_of(world).call("GetCompositeSchedule", asked))["status"] == "Rejected"
