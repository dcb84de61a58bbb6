from evcharging.domain.charger_state import FaultCode
from tests.support.station_world import VEHICLE, Csms, World, living


async def start(world: World, **request: object) -> str:
    answer = await world.csms.call("RemoteStartTransaction", {"idTag": "TAG", **request})
    await world.settle()
    return answer["status"]


async def test_TC_010_a_remote_start_with_the_cable_in_begins_at_once():
    async with living() as world:
        world.station.plug_in(1, VEHICLE)
        assert await start(world, connectorId=1) == "Accepted"
        assert world.csms.of("Authorize") == []
        assert world.csms.of("StartTransaction")[0]["idTag"] == "TAG"
        assert world.csms.statuses()[-1] == "Charging"


async def test_TC_011_1_a_remote_start_waits_for_the_cable():
    async with living() as world:
        assert await start(world, connectorId=1) == "Accepted"
        assert world.csms.statuses()[-1] == "Preparing"
        await world.clock.advance(30)
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert len(world.csms.of("StartTransaction")) == 1


async def test_TC_011_2_nobody_comes_within_connection_time_out():
    async with living(configuration={"ConnectionTimeOut": "30"}) as world:
        await start(world, connectorId=1)
        await world.clock.advance(31)
        assert world.csms.statuses()[-1] == "Available"


async def test_authorize_remote_tx_requests_asks_about_the_card_first():
    csms = Csms()
    async with living(csms, configuration={"AuthorizeRemoteTxRequests": "true"}) as world:
        world.station.plug_in(1, VEHICLE)
        assert await start(world) == "Accepted"
        assert csms.of("Authorize") == [{"idTag": "TAG"}]
        assert len(csms.of("StartTransaction")) == 1
        world.station.unplug(1)
        csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        world.station.plug_in(1, VEHICLE)
        assert await start(world) == "Accepted"
        assert len(csms.of("StartTransaction")) == 1


async def test_TC_026_a_remote_start_where_nothing_is_free_is_rejected():
    async with living(connectors=2) as world:
        await world.charge("X", 1)
        assert await start(world, connectorId=1) == "Rejected"
        assert await start(world, connectorId=7) == "Rejected"
        world.station.inject_fault(2, FaultCode.GROUND_FAULT)
        assert await start(world) == "Rejected"


async def test_a_remote_start_without_a_connector_takes_the_one_with_the_vehicle():
    async with living(connectors=3) as world:
        world.station.plug_in(2, VEHICLE)
        assert await start(world) == "Accepted"
        assert world.csms.of("StartTransaction")[0]["connectorId"] == 2


async def test_TC_012_a_remote_stop_ends_the_transaction_with_remote():
    async with living() as world:
        await world.charge()
        assert await world.csms.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await world.settle()
        assert world.csms.of("StopTransaction")[0]["reason"] == "Remote"
        assert world.csms.statuses()[-1] == "Finishing"


async def test_TC_028_a_remote_stop_for_an_unknown_transaction_is_rejected():
    async with living() as world:
        await world.charge()
        assert await world.csms.call("RemoteStopTransaction", {"transactionId": 99}) == {"status": "Rejected"}


async def test_a_remote_start_for_the_vehicle_whose_session_is_over_goes_on_with_its_charge():
    async with living() as world:
        await world.charge()
        await world.clock.advance(600)
        soc = world.station.snapshot().connectors[0].soc
        await world.csms.call("RemoteStopTransaction", {"transactionId": 1})
        assert await start(world, connectorId=1) == "Accepted"
        assert world.csms.statuses()[-3:] == ["Finishing", "Preparing", "Charging"]
        assert world.station.snapshot().connectors[0].soc >= soc > 0.3


async def test_TC_017_unlocking_a_connector_without_a_session():
    async with living() as world:
        assert await world.csms.call("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
        assert await world.csms.call("UnlockConnector", {"connectorId": 2}) == {"status": "NotSupported"}


async def test_TC_018_unlocking_a_connector_ends_its_session_first():
    async with living() as world:
        await world.charge()
        assert await world.csms.call("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
        await world.settle()
        assert world.csms.of("StopTransaction")[0]["reason"] == "UnlockCommand"


async def test_TC_030_a_connector_that_is_stuck_cannot_be_unlocked():
    async with living() as world:
        world.station.inject_fault(1, FaultCode.CONTACTOR_WELDED)
        assert await world.csms.call("UnlockConnector", {"connectorId": 1}) == {"status": "UnlockFailed"}


async def test_the_anomaly_cycle_swings_the_current_between_nothing_and_the_limit():
    def limit(amps: float) -> dict:
        return {
            "connectorId": 0,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "ChargePointMaxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
                },
            },
        }

    async with living() as world:
        world.station.plug_in(1, VEHICLE)
        for cycle in range(1, 4):
            assert (await world.csms.call("SetChargingProfile", limit(0)))["status"] == "Accepted"
            await world.clock.advance(2)
            assert (await world.csms.call("SetChargingProfile", limit(100)))["status"] == "Accepted"
            await world.clock.advance(1)
            assert await start(world, connectorId=1) == "Accepted"
            await world.clock.advance(2)
            assert world.station.snapshot().kw > 7
            await world.csms.call("RemoteStopTransaction", {"transactionId": cycle})
            await world.clock.advance(3)
            assert world.station.snapshot().kw == 0
        assert len(world.csms.of("StopTransaction")) == 3
