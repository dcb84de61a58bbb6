from evcharging.domain.levels import L2_THREE_PHASE, L3
from evcharging.domain.vehicle import VehicleSpec
from tests.support.station_world import World, living

BIG = VehicleSpec(capacity_kwh=77.0, onboard_kw=44.0, arrival_soc=0.1)


def profile(
    purpose: str, *periods: tuple[int, float], profile_id: int = 1, kind: str = "Relative", unit: str = "A", **more
) -> dict:
    schedule = {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": start, "limit": limit} for start, limit in periods],
        **more.pop("schedule", {}),
    }
    return {
        "chargingProfileId": profile_id,
        "stackLevel": more.pop("stack_level", 0),
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
        **more,
    }


async def set_profile(world: World, connector_id: int, content: dict) -> str:
    answer = await world.csms.call("SetChargingProfile", {"connectorId": connector_id, "csChargingProfiles": content})
    await world.settle()
    return answer["status"]


def amps(world: World, connector_id: int = 1) -> float:
    connector = world.station.connectors[connector_id - 1]
    return round(connector.read().amps, 3)


async def test_TC_056_a_tx_default_profile_of_10_a_limits_the_session_to_10_a_in_its_meter_values():
    async with living(configuration={"MeterValuesSampledData": "Current.Import,Current.Offered"}) as world:
        assert await set_profile(world, 1, profile("TxDefaultProfile", (0, 10))) == "Accepted"
        await world.charge()
        await world.clock.advance(61)
        values = world.csms.of("MeterValues")[0]["meterValue"][0]["sampledValue"]
        assert [one["value"] for one in values] == ["10.00", "10.00"]


async def test_TC_057_a_tx_profile_changes_the_session_that_runs_and_ends_with_it():
    async with living() as world:
        assert await set_profile(world, 1, profile("TxProfile", (0, 16))) == "Rejected"
        await world.charge()
        assert amps(world) == 32
        assert await set_profile(world, 1, profile("TxProfile", (0, 16), transactionId=99)) == "Rejected"
        assert await set_profile(world, 1, profile("TxProfile", (0, 16), transactionId=1)) == "Accepted"
        assert amps(world) == 16
        world.station.unplug(1)
        await world.charge()
        assert amps(world) == 32


async def test_a_limit_under_6_a_suspends_and_the_next_period_goes_on():
    async with living() as world:
        await world.charge()
        await set_profile(world, 1, profile("TxProfile", (0, 32), (60, 5), (120, 20)))
        await world.clock.advance(61)
        assert world.csms.statuses()[-1] == "SuspendedEVSE"
        assert amps(world) == 0
        await world.clock.advance(60)
        assert world.csms.statuses()[-1] == "Charging"
        assert amps(world) == 20


async def test_a_schedule_in_watts_is_spread_over_the_phases():
    async with living(spec=L2_THREE_PHASE) as world:
        await set_profile(world, 0, profile("ChargePointMaxProfile", (0, 11085.0), kind="Absolute", unit="W"))
        await world.charge(vehicle=BIG)
        assert amps(world) == round(11085 / (3 * 400 / 3**0.5), 3)


async def test_the_stations_own_limit_is_shared_by_the_sessions_that_run():
    async with living(connectors=2) as world:
        await set_profile(world, 0, profile("ChargePointMaxProfile", (0, 40), kind="Absolute"))
        await world.charge("ONE", 1, vehicle=BIG)
        assert amps(world, 1) == 32
        await world.charge("TWO", 2, vehicle=BIG)
        assert (amps(world, 1), amps(world, 2)) == (20, 20)
        world.station.unplug(1)
        await world.settle()
        assert amps(world, 2) == 32


async def test_TC_067_clearing_a_profile_gives_the_power_back():
    async with living(spec=L3) as world:
        await world.charge(vehicle=BIG)
        await set_profile(world, 1, profile("TxDefaultProfile", (0, 10)))
        assert amps(world) == 10
        assert await world.csms.call("ClearChargingProfile", {"id": 5}) == {"status": "Unknown"}
        assert await world.csms.call("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
        assert amps(world) == 63


async def test_profiles_are_cleared_by_connector_purpose_and_stack_level():
    async with living() as world:
        await set_profile(world, 0, profile("ChargePointMaxProfile", (0, 20), kind="Absolute"))
        await set_profile(world, 1, profile("TxDefaultProfile", (0, 10), profile_id=2))
        await set_profile(world, 1, profile("TxDefaultProfile", (0, 8), profile_id=3, stack_level=1))
        await world.charge()
        assert amps(world) == 8
        clear = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
        assert await world.csms.call("ClearChargingProfile", clear) == {"status": "Accepted"}
        assert amps(world) == 10
        assert await world.csms.call("ClearChargingProfile", {}) == {"status": "Accepted"}
        assert amps(world) == 32


async def test_TC_066_the_composite_schedule_is_what_the_profiles_come_to():
    async with living() as world:
        await set_profile(world, 0, profile("ChargePointMaxProfile", (0, 20), kind="Absolute"))
        await world.charge()
        await set_profile(world, 1, profile("TxProfile", (0, 32), (100, 10), profile_id=2))
        answer = await world.csms.call("GetCompositeSchedule", {"connectorId": 1, "duration": 300})
        assert answer["status"] == "Accepted"
        assert answer["scheduleStart"] == "2025-06-16T00:00:00.000Z"
        schedule = answer["chargingSchedule"]
        assert schedule["duration"] == 300
        assert schedule["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 20.0},
            {"startPeriod": 100, "limit": 10.0},
        ]
        in_watts = await world.csms.call(
            "GetCompositeSchedule", {"connectorId": 1, "duration": 60, "chargingRateUnit": "W"}
        )
        assert in_watts["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 4600.0
        assert await world.csms.call("GetCompositeSchedule", {"connectorId": 7, "duration": 60}) == {
            "status": "Rejected"
        }


async def test_the_four_smart_charging_limits_act():
    settings = {
        "ChargeProfileMaxStackLevel": "2",
        "ChargingScheduleAllowedChargingRateUnit": "Current",
        "ChargingScheduleMaxPeriods": "2",
        "MaxChargingProfilesInstalled": "1",
    }
    async with living(configuration=settings) as world:
        assert await set_profile(world, 1, profile("TxDefaultProfile", (0, 9), stack_level=3)) == "Rejected"
        assert await set_profile(world, 1, profile("TxDefaultProfile", (0, 9000), unit="W")) == "Rejected"
        three = profile("TxDefaultProfile", (0, 9), (1, 8), (2, 7))
        assert await set_profile(world, 1, three) == "Rejected"
        assert await set_profile(world, 1, profile("TxDefaultProfile", (0, 9))) == "Accepted"
        assert await set_profile(world, 1, profile("TxDefaultProfile", (0, 9), profile_id=2)) == "Accepted"
        other = profile("TxDefaultProfile", (0, 9), profile_id=3, stack_level=1)
        assert await set_profile(world, 1, other) == "Rejected"
        told = await world.csms.call("GetConfiguration", {"key": list(settings)})
        assert {one["key"]: one["value"] for one in told["configurationKey"]} == settings


async def test_TC_059_a_remote_start_brings_its_charging_profile():
    async with living() as world:
        world.station.plug_in(1, BIG)
        content = profile("TxProfile", (0, 12))
        answer = await world.csms.call(
            "RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1, "chargingProfile": content}
        )
        assert answer == {"status": "Accepted"}
        await world.settle()
        assert amps(world) == 12


async def test_a_remote_start_with_a_profile_for_something_else_is_rejected():
    async with living() as world:
        world.station.plug_in(1, BIG)
        content = profile("TxDefaultProfile", (0, 12))
        request = {"idTag": "TAG", "connectorId": 1, "chargingProfile": content}
        assert await world.csms.call("RemoteStartTransaction", request) == {"status": "Rejected"}
