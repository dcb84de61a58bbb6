from tests.support.station_world import VEHICLE, Csms, living


async def test_TC_003_regular_session_with_the_plug_first():
    async with living() as world:
        await world.charge("TAG")
        await world.clock.advance(120)
        assert await world.station.present("TAG")
        world.station.unplug(1)
        await world.settle()
        csms = world.csms
        assert csms.statuses() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
        assert [action for action in csms.actions() if "Status" not in action] == [
            "BootNotification",
            "Authorize",
            "StartTransaction",
            "MeterValues",
            "MeterValues",
            "StopTransaction",
        ]
        start, stop = csms.of("StartTransaction")[0], csms.of("StopTransaction")[0]
        assert start == {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2025-06-16T00:00:00.000Z"}
        assert stop["transactionId"] == 1
        assert stop["idTag"] == "TAG"
        assert "reason" not in stop
        assert {one["transactionId"] for one in csms.of("MeterValues")} == {1}


async def test_TC_004_1_regular_session_with_the_card_first():
    async with living() as world:
        assert await world.station.present("TAG", 1)
        await world.settle()
        assert world.csms.statuses() == ["Available", "Preparing"]
        assert world.csms.of("StartTransaction") == []
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert world.csms.statuses()[-1] == "Charging"
        assert len(world.csms.of("StartTransaction")) == 1


async def test_TC_004_2_a_card_without_a_vehicle_is_forgotten_after_connection_time_out():
    async with living(configuration={"ConnectionTimeOut": "20"}) as world:
        assert await world.station.present("TAG", 1)
        await world.clock.advance(19)
        assert world.csms.statuses() == ["Available", "Preparing"]
        await world.clock.advance(2)
        assert world.csms.statuses() == ["Available", "Preparing", "Available"]
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert world.csms.of("StartTransaction") == []


async def test_TC_005_1_pulling_the_plug_ends_the_transaction_with_ev_disconnected():
    async with living() as world:
        await world.charge()
        await world.clock.advance(30)
        world.station.unplug(1)
        await world.settle()
        stop = world.csms.of("StopTransaction")[0]
        assert stop["reason"] == "EVDisconnected"
        assert world.csms.statuses()[-2:] == ["Finishing", "Available"]


async def test_TC_005_2_without_stop_on_ev_side_disconnect_the_transaction_waits_for_the_vehicle():
    async with living(configuration={"StopTransactionOnEVSideDisconnect": "false"}) as world:
        await world.charge()
        await world.clock.advance(30)
        world.station.unplug(1)
        await world.settle()
        assert world.csms.of("StopTransaction") == []
        assert world.csms.statuses()[-1] == "SuspendedEV"
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert world.csms.statuses()[-1] == "Charging"
        assert await world.station.present("TAG")
        await world.settle()
        assert len(world.csms.of("StopTransaction")) == 1


async def test_a_card_of_another_group_does_not_stop_a_session():
    async with living() as world:
        await world.charge("TAG")
        assert not await world.station.present("OTHER", 1)
        await world.settle()
        assert world.csms.of("StopTransaction") == []


async def test_a_card_of_the_same_group_stops_a_session():
    csms = Csms()
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    async with living(csms) as world:
        await world.charge("TAG")
        assert await world.station.present("OTHER", 1)
        await world.settle()
        assert csms.of("StopTransaction")[0]["idTag"] == "OTHER"


async def test_a_refused_card_begins_nothing():
    csms = Csms()
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    async with living(csms) as world:
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)
        await world.settle()
        assert csms.of("StartTransaction") == []
        assert "Authorization failed - TAG (Blocked)" in world.messages()


async def test_two_connectors_charge_two_vehicles_apart():
    async with living(connectors=2) as world:
        await world.charge("ONE", 1)
        await world.charge("TWO", 2)
        await world.clock.advance(60)
        assert await world.station.present("TWO")
        await world.settle()
        assert [one["connectorId"] for one in world.csms.of("StartTransaction")] == [1, 2]
        assert world.csms.of("StopTransaction")[0]["transactionId"] == 2
        assert world.csms.statuses(1)[-1] == "Charging"
        assert world.csms.statuses(2)[-1] == "Finishing"


async def test_without_unlock_on_ev_side_disconnect_the_cable_stays_locked_until_the_card_or_the_csms_lets_go():
    async with living(configuration={"UnlockConnectorOnEVSideDisconnect": "false"}) as world:
        for unlock in ("card", "csms"):
            await world.charge("TAG")
            world.station.unplug(1)
            await world.settle()
            assert world.csms.of("StopTransaction")[-1]["reason"] == "EVDisconnected"
            assert world.csms.statuses()[-1] == "Finishing"
            assert not await world.station.present("OTHER", 1)
            if unlock == "card":
                assert await world.station.present("TAG", 1)
            else:
                await world.csms.call("UnlockConnector", {"connectorId": 1})
            await world.settle()
            assert world.csms.statuses()[-1] == "Available"
        assert len(world.csms.of("StartTransaction")) == 2
