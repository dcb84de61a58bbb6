from tests.support.station_world import VEHICLE, Csms, living


async def test_a_whole_offline_transaction_gets_its_id_from_the_answer_to_its_start():
    csms = Csms()
    csms.answers["StartTransaction"] = {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}
    async with living(csms, configuration={"AllowOfflineTxForUnknownId": "true"}) as world:
        world.network.up = False
        world.network.cut()
        await world.settle()
        await world.charge("NEW")
        await world.clock.advance(125)
        world.station.unplug(1)
        world.network.up = True
        await world.clock.advance(70)
        assert {one["transactionId"] for one in csms.of("MeterValues")} == {4711}
        assert csms.of("StopTransaction")[0]["transactionId"] == 4711
        assert world.ear.settled[0].delivered
        assert world.ear.settled[0].transaction_id == 4711
        assert world.station.snapshot().queued == 0


async def test_what_the_answer_to_a_stop_says_of_the_card_is_remembered():
    csms = Csms()
    csms.answers["StopTransaction"] = {"idTagInfo": {"status": "Blocked"}}
    async with living(csms) as world:
        await world.charge("TAG")
        world.station.unplug(1)
        await world.settle()
        known = world.station.authorization.known("TAG", world.clock.now_s())
        assert known is not None
        assert known.status.value == "Blocked"


async def test_the_group_that_the_answer_to_a_start_names_may_stop_the_session():
    csms = Csms()
    csms.answers["StartTransaction"] = {
        "transactionId": 3,
        "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"},
    }
    async with living(csms) as world:
        await world.charge("TAG")
        csms.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
        assert await world.station.present("COUSIN", 1)
        await world.settle()
        assert csms.of("StopTransaction")[0]["idTag"] == "COUSIN"


async def test_a_transaction_without_an_answer_is_not_settled():
    csms = Csms()
    csms.silent = {"StopTransaction"}
    async with living(csms) as world:
        world.station.plug_in(1, VEHICLE)
        assert await world.station.present("TAG", 1)
        world.station.unplug(1)
        await world.settle()
        assert len(world.ear.ended) == 1
        assert world.ear.settled == []
        assert not world.ear.ended[0].delivered
