from tests.support.station_world import VEHICLE, Csms, World, living


def listed(id_tag: str, status: str = "Accepted") -> dict:
    return {"idTag": id_tag, "idTagInfo": {"status": status}}


async def send_list(world: World, *entries: dict) -> None:
    answer = await world.csms.call(
        "SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": list(entries)}
    )
    assert answer == {"status": "Accepted"}


async def offline(world: World) -> None:
    world.network.up = False
    world.network.cut()
    await world.settle()


async def test_TC_007_a_cached_card_starts_before_the_csms_is_asked_with_local_pre_authorize():
    async with living(configuration={"LocalPreAuthorize": "true"}) as world:
        await world.charge("TAG")
        world.station.unplug(1)
        await world.settle()
        world.csms.received.clear()
        await world.charge("TAG")
        assert "Authorize" not in world.csms.actions()
        assert "StartTransaction" in world.csms.actions()


async def test_without_local_pre_authorize_a_known_card_is_asked_about():
    async with living() as world:
        await world.charge("TAG")
        world.station.unplug(1)
        await world.charge("TAG")
        assert len(world.csms.of("Authorize")) == 2


async def test_TC_008_a_card_of_the_local_list_starts_without_being_asked_about():
    async with living(configuration={"LocalPreAuthorize": "true"}) as world:
        await send_list(world, listed("TAG"))
        await world.charge("tag")
        assert world.csms.of("Authorize") == []


async def test_TC_036_a_known_card_starts_while_offline_and_is_delivered_on_return():
    async with living() as world:
        await send_list(world, listed("TAG"))
        await offline(world)
        await world.charge("TAG")
        assert world.csms.of("StartTransaction") == []
        assert world.ear.began[0].began_offline
        world.network.up = True
        await world.clock.advance(10)
        assert world.csms.of("StartTransaction")[0]["timestamp"] == "2025-06-16T00:00:00.000Z"


async def test_a_known_card_does_not_start_offline_without_local_authorize_offline():
    async with living(configuration={"LocalAuthorizeOffline": "false"}) as world:
        await send_list(world, listed("TAG"))
        await offline(world)
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)


async def test_an_unknown_card_starts_offline_only_with_allow_offline_tx_for_unknown_id():
    for allowed in (False, True):
        async with living(configuration={"AllowOfflineTxForUnknownId": str(allowed).lower()}) as world:
            await offline(world)
            world.station.plug_in(1, VEHICLE)
            assert await world.station.present("NEW", 1) is allowed


async def test_TC_037_an_offline_card_that_the_csms_refuses_afterwards_is_deauthorized():
    csms = Csms()
    csms.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
    async with living(csms, configuration={"AllowOfflineTxForUnknownId": "true"}) as world:
        await offline(world)
        await world.charge("NEW")
        world.network.up = True
        await world.clock.advance(10)
        assert csms.of("StopTransaction")[0]["reason"] == "DeAuthorized"


async def test_a_blocked_card_of_the_list_never_starts_offline():
    async with living(configuration={"AllowOfflineTxForUnknownId": "true"}) as world:
        await send_list(world, listed("TAG", "Blocked"))
        await offline(world)
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)
        assert "Authorization failed - TAG (Blocked)" in world.messages()


async def test_a_csms_that_does_not_answer_is_as_good_as_none():
    csms = Csms()
    async with living(csms, call_timeout_s=0.05) as world:
        await send_list(world, listed("TAG"))
        csms.silent = {"Authorize"}
        world.station.plug_in(1, VEHICLE)
        assert await world.station.present("TAG", 1)


async def test_an_answer_that_breaks_the_schema_accepts_nobody():
    csms = Csms()
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Sure"}}
    async with living(csms) as world:
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)
        assert ("Authorize", "invalid") in world.ear.calls
