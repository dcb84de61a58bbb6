import asyncio

from tests.support.station_world import World, living


def cuts(world: World, times: int, *, for_good: bool = False) -> None:
    """Cut the socket at the first StopTransactions, before they are answered."""
    left = times

    def answer(_: object) -> dict[str, object]:
        nonlocal left
        if left:
            left -= 1
            world.network.up = not for_good
            world.network.cut()
        return {}

    world.csms.answers["StopTransaction"] = answer


async def stopped(world: World) -> None:
    """Stop the station while its clock goes on."""
    stopping = asyncio.create_task(world.station.stop())
    async with asyncio.timeout(10):
        while not stopping.done():
            await world.clock.advance(0.5)
    await stopping


async def test_a_station_that_may_comes_back_with_what_it_kept_as_often_as_it_must():
    async with living(comes_back_s=5.0) as world:
        await world.charge()
        cuts(world, 3)
        await stopped(world)
        assert len(world.csms.of("StopTransaction")) == 4
        assert world.station.outbox.kept == 0
        assert world.ear.settled[0].delivered
        assert world.csms.socket.close_code is None
        assert world.ear.connections == ["up", "down"] * 4


async def test_one_that_was_gone_before_it_is_stopped_comes_back_at_once_whatever_its_pause():
    async with living(comes_back_s=5.0) as world:
        await world.charge()
        world.network.up = False
        world.network.cut()
        await world.clock.advance(200.0)
        dialled = world.network.dialled
        world.network.up = True
        stopping = asyncio.create_task(world.station.stop())
        await world.settle()
        await stopping
        assert world.network.dialled == dialled + 1
        assert world.ear.settled[0].delivered


async def test_one_that_finds_no_csms_ends_when_its_time_is_over():
    async with living(comes_back_s=0.2) as world:
        await world.charge()
        cuts(world, 1, for_good=True)
        await stopped(world)
        assert world.station.outbox.kept == 1
        assert world.messages()[-1] == "1 messages were not delivered"


async def test_one_that_has_nothing_to_say_does_not_come_back_for_it():
    async with living(comes_back_s=600.0) as world:
        world.network.up = False
        world.network.cut()
        await world.settle()
        async with asyncio.timeout(10):
            await world.station.stop()


async def test_without_leave_to_come_back_a_lost_connection_is_the_end_of_it():
    async with living() as world:
        await world.charge()
        cuts(world, 1)
        async with asyncio.timeout(10):
            await world.station.stop()
        assert len(world.csms.of("StopTransaction")) == 1
        assert world.station.outbox.kept == 1
