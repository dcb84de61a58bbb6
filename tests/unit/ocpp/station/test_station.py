import asyncio
from collections.abc import Awaitable, Callable

import pytest

from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.ocpp.station.interfaces import StationControl, StationSettings
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import Csms, World, living


def test_a_station_is_what_hosts_hold():
    def host(station: StationControl) -> tuple[str, ...]:
        return station.logs

    assert host(World().station) == ()


async def test_a_failure_inside_ends_that_station_with_its_error():
    world = World()
    other = World()
    running = [asyncio.create_task(one.station.run()) for one in (world, other)]
    await world.settle()

    def broken() -> None:
        raise LookupError("a bug")

    world.station.clock.call_later(1.0, broken)
    await world.clock.advance(2)
    with pytest.raises(ExceptionGroup) as caught:
        await running[0]
    assert caught.group_contains(LookupError, match="a bug")
    assert not world.station.snapshot().connected
    assert other.station.online
    running[1].cancel()
    await asyncio.gather(running[1], return_exceptions=True)


async def test_a_cancelled_station_is_without_power_and_says_nothing_more():
    world = World()
    running = asyncio.create_task(world.station.run())
    await world.settle()
    await world.charge()
    world.csms.received.clear()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await world.clock.advance(1000)
    assert world.csms.received == []
    assert world.csms.socket is not None
    assert not world.csms.socket.open


async def test_fifty_log_lines_are_kept():
    async with living() as world:
        for number in range(80):
            world.station.log(str(number))
        assert len(world.station.logs) == 50
        assert world.station.logs[-1] == "[00:00:00] 79"


async def test_a_connector_that_is_not_there_is_named():
    async with living(connectors=2) as world:
        with pytest.raises(ValueError, match="CP-001 has connectors 1 to 2, not 3"):
            world.station.unplug(3)


def test_a_key_that_is_none_is_refused_when_the_station_is_made():
    with pytest.raises(ValueError, match="Nonsense: no configuration key"):
        World(configuration={"Nonsense": "1"})
    with pytest.raises(ValueError, match="HeartbeatInterval: expected a whole number"):
        World(configuration={"HeartbeatInterval": "often"})


async def test_nothing_of_a_csms_that_talks_nonsense_harms_the_station():
    csms = Csms()
    async with living(csms) as world:
        assert csms.socket is not None
        for text in (b"", b"{", b"[]", b"[2]", b'[3,"x",{}]', b'[2,"1","Reset",{"type":"Both"}]', b'[9,"1",{}]'):
            csms.socket.send(text)
        await world.settle()
        assert world.station.online
        assert await csms.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        csms.problems.clear()


def test_a_password_is_in_no_repr():
    settings = StationSettings(station_id="CP", csms_url="ws://x", version=OcppVersion.V16, password="secret-word")
    assert "secret-word" not in repr(settings)


async def test_a_station_that_stops_begins_no_session_any_more():
    busy = BehaviourProfile(name="busy", pause_s=Range(0.0, 0.0), stay_s=Range(5.0, 5.0))
    csms = Csms()
    async with living(csms, profile=busy) as world:
        await world.clock.advance(7)
        csms.silent = {"StopTransaction"}
        stopping = asyncio.create_task(world.station.stop())
        await world.clock.advance(60)
        assert await csms.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
        assert not stopping.done()
        assert world.csms.socket is not None
        world.csms.socket.abort()
        await world.clock.advance(1)
        assert len(world.ear.began) == len(world.ear.ended)
        await stopping


async def test_a_stop_waits_for_a_csms_that_is_slow_as_long_as_it_answers():
    async def in_its_own_time() -> dict[str, object]:
        await asyncio.sleep(1.2)
        return {}

    async with living(call_timeout_s=2.0) as world:
        await world.charge()
        world.csms.answers["MeterValues"] = world.csms.answers["StopTransaction"] = lambda _: in_its_own_time()
        await world.csms.call("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        await world.station.stop()
        assert world.station.outbox.kept == 0
        assert len(world.csms.of("StopTransaction")) == 1


def late_once(told: asyncio.Event) -> Callable[[object], Awaitable[dict[str, object]]]:
    """Answers the first call when ``told``, which is too late for it, and the next ones at once."""

    async def answer() -> dict[str, object]:
        await told.wait()
        return {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}

    return lambda _: answer()


async def test_a_stop_sends_again_what_was_never_answered_without_the_pause_between_attempts():
    timed_out = asyncio.Event()
    async with living(call_timeout_s=0.6) as world:
        await world.charge()
        world.csms.answers["StopTransaction"] = late_once(timed_out)
        stopping = asyncio.create_task(world.station.stop())
        async with asyncio.timeout(5):
            while ("StopTransaction", "timeout") not in world.ear.calls:
                await asyncio.sleep(0.01)
        timed_out.set()
        await stopping
        assert len(world.csms.of("StopTransaction")) == 2
        assert world.station.outbox.kept == 0
        assert world.ear.settled[0].delivered


async def test_a_stop_sends_at_once_what_waits_for_its_next_attempt():
    timed_out = asyncio.Event()
    async with living(call_timeout_s=0.6) as world:
        world.csms.answers["StartTransaction"] = late_once(timed_out)
        await world.charge()
        async with asyncio.timeout(5):
            while ("StartTransaction", "timeout") not in world.ear.calls:
                await asyncio.sleep(0.01)
        timed_out.set()
        await world.station.stop()
        assert world.station.outbox.kept == 0
        assert world.ear.settled[0].delivered


async def test_a_stop_lets_the_last_state_be_answered_before_it_closes():
    async def later() -> dict[str, object]:
        for _ in range(20):
            await asyncio.sleep(0)
        return {}

    async with living() as world:
        world.csms.answers["StatusNotification"] = world.csms.answers["StopTransaction"] = lambda _: later()
        await world.charge()
        await world.station.stop()
        assert ("StatusNotification", "lost") not in world.ear.calls
        assert world.csms.statuses()[-1] == "Finishing"
