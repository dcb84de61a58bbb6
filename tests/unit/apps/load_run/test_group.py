import asyncio
from dataclasses import replace

from evcharging.apps.load_run import group as group_module
from evcharging.domain.behaviour import Range
from tests.unit.apps.load_run.conftest import LIVELY, until


async def test_it_has_as_many_stations_as_wanted_up_and_down(world):
    async with world.group() as group:
        group.bring_to(5, stop_within_s=5.0)
        await until(lambda: group.connections.now == 5)
        group.bring_to(2, stop_within_s=5.0)
        await until(lambda: group.connections.now == 2)
        assert (group.size, group.most) == (2, 5)
        assert [station.settings.station_id for station in group.stations()] == ["S0001", "S0002"]
        await until(lambda: group.connections.closed == 3)
    assert (group.connections.now, group.connections.closed, group.connections.disconnects) == (0, 5, 0)
    assert group.ended_by_force == 0


async def test_a_share_of_the_sockets_is_cut_and_comes_back(world):
    async with world.group() as group:
        group.bring_to(20, stop_within_s=5.0)
        await until(lambda: group.connections.now == 20)
        assert group.cut(0.25) == 5
        await until(lambda: group.connections.reconnects == 5 and group.connections.now == 20)
        assert group.cut(1.0) == 20
        await until(lambda: group.connections.reconnects >= 25)
        assert group.connections.disconnects >= 25


async def test_transactions_end_with_their_stations_and_every_wh_is_told(world):
    async with world.group() as group:
        group.bring_to(2, stop_within_s=5.0)
        await until(lambda: group.listener.sessions >= 4)
        assert group.power_kw() >= 0.0
    figures = world.ledger.figures()
    assert figures.clean, figures.problems
    assert figures.began == figures.acknowledged >= 4
    assert group.energy_kwh() == figures.acknowledged_wh / 1000


async def test_heartbeats_come_as_asked_whatever_the_csms_answers(world):
    async with world.group(profile=None, heartbeat_interval_s=0.05) as group:
        group.bring_to(1, stop_within_s=5.0)
        await until(lambda: sum(action == "Heartbeat" for action, _ in world.csms.received) >= 3)


async def test_messages_kept_while_the_network_was_away_are_counted(world):
    async with world.group() as group:
        group.bring_to(1, stop_within_s=5.0)
        await until(lambda: group.listener.running_sessions == 1)
        world.network.up = False
        world.network.cut()
        await until(lambda: group.listener.running_sessions == 0)
        assert group.stations()[0].outbox.kept
        world.network.up = True
        await group.settled(10.0)
        assert group.connections.now == 1
    figures = world.ledger.figures()
    assert figures.kept_messages >= 1
    assert figures.clean, figures.problems


async def test_messages_that_never_came_through_are_told_by_the_ledger(world):
    async with world.group() as group:
        group.bring_to(1, stop_within_s=5.0)
        await until(lambda: group.listener.running_sessions == 1)
        world.network.up = False
        world.network.cut()
        await until(lambda: group.connections.now == 0)
        await group.settled(0.05)
    figures = world.ledger.figures()
    assert figures.left_messages >= 1
    assert figures.unreached_messages == figures.left_messages
    assert figures.problems
    assert all("could not be reached" in problem for problem in figures.problems)


async def test_a_socket_that_is_cut_while_its_station_ends_costs_a_sound_csms_nothing(world):
    cut = []

    def cut_once(payload):
        if payload["transactionId"] not in cut:
            cut.append(payload["transactionId"])
            world.network.cut()
        return {}

    world.csms.answers["StopTransaction"] = cut_once
    async with world.group(profile=replace(LIVELY, stay_s=Range(600.0, 600.0)), comes_back_s=20.0) as group:
        group.bring_to(2, stop_within_s=30.0)
        await until(lambda: group.listener.running_sessions == 2)
        await group.stop_all(30.0)
    figures = world.ledger.figures()
    assert figures.clean, figures.problems
    assert figures.kept_messages >= len(cut) == 2
    assert (group.connections.closed, group.ended_by_force, group.to_deliver()) == (2, 0, (0, 0))
    assert group.connections.disconnects == group.connections.reconnects >= 2


async def test_once_cut_off_a_station_that_comes_back_is_waited_for_no_more(world):
    async with world.group(profile=replace(LIVELY, stay_s=Range(600.0, 600.0)), comes_back_s=600.0) as group:
        group.bring_to(1, stop_within_s=600.0)
        await until(lambda: group.listener.running_sessions == 1)
        world.network.up = False
        world.network.cut()
        await until(lambda: group.connections.now == 0)
        ending = asyncio.create_task(group.stop_all(600.0))
        await until(lambda: group.to_deliver()[0] == 1)
        group.cut_off()
        async with asyncio.timeout(20):
            await ending
    assert world.ledger.figures().unreached_messages >= 1


async def test_where_nobody_ever_connected_there_is_nothing_to_wait_for(world):
    world.network.up = False
    async with world.group() as group:
        group.bring_to(1, stop_within_s=5.0)
        async with asyncio.timeout(30):
            await group.settled(600.0)
        assert group.station(0) is None or not group.connections.now
        assert group.station(7) is None


async def test_a_csms_that_is_slow_is_waited_for_as_long_as_it_takes_what_is_told(world, monkeypatch):
    monkeypatch.setattr(group_module, "ENDING_AT_ONCE", 1)

    async def in_its_own_time():
        await asyncio.sleep(0.1)
        return {}

    world.csms.answers["StopTransaction"] = lambda _: in_its_own_time()
    async with world.group(profile=replace(LIVELY, stay_s=Range(600.0, 600.0))) as group:
        group.bring_to(20, stop_within_s=5.0)
        await until(lambda: group.listener.running_sessions == 20)
        await group.stop_all(1.0)  # all together need two seconds
        assert group.ended_by_force == 0
    assert world.ledger.figures().clean


async def test_a_csms_that_takes_nothing_any_more_is_not_waited_for(world, monkeypatch):
    monkeypatch.setattr(group_module, "ENDING_AT_ONCE", 2)
    world.csms.silent = {"StopTransaction"}
    async with world.group(profile=replace(LIVELY, stay_s=Range(600.0, 600.0)), call_timeout_s=30.0) as group:
        group.bring_to(20, stop_within_s=5.0)
        await until(lambda: group.listener.running_sessions == 20)
        async with asyncio.timeout(20):
            await group.stop_all(0.1)
        assert group.ended_by_force == 20
    assert not world.ledger.figures().clean


async def test_once_cut_off_stations_that_end_and_those_that_wait_to_end_are_waited_for_no_more(world, monkeypatch):
    monkeypatch.setattr(group_module, "ENDING_AT_ONCE", 2)
    world.csms.silent = {"StopTransaction"}
    async with world.group(profile=replace(LIVELY, stay_s=Range(600.0, 600.0)), call_timeout_s=600.0) as group:
        group.bring_to(6, stop_within_s=600.0)
        await until(lambda: group.listener.running_sessions == 6)
        group.bring_to(5, stop_within_s=600.0)
        ending = asyncio.create_task(group.stop_all(600.0))
        await until(lambda: sum(action == "StopTransaction" for action, _ in world.csms.received) == 3)
        group.cut_off()
        async with asyncio.timeout(20):
            await ending
        assert (group.size, group.ended_by_force, group.connections.now) == (0, 6, 0)
    assert world.ledger.figures().left_messages == 6


async def test_once_cut_off_nobody_waits_for_stations_to_come_back(world):
    async with world.group() as group:
        group.bring_to(1, stop_within_s=5.0)
        await until(lambda: group.connections.now == 1)
        world.network.up = False
        world.network.cut()
        await until(lambda: group.connections.now == 0)
        settling = asyncio.create_task(group.settled(600.0))
        group.cut_off()
        async with asyncio.timeout(20):
            await settling


async def test_while_stations_end_no_other_one_begins_a_session(world, monkeypatch):
    monkeypatch.setattr(group_module, "ENDING_AT_ONCE", 1)
    async with world.group() as group:
        group.bring_to(10, stop_within_s=5.0)
        await until(lambda: group.listener.sessions >= 10)
        ending = asyncio.create_task(group.stop_all(5.0))
        await asyncio.sleep(0)
        begun = group.listener.sessions
        await ending
        assert group.listener.sessions == begun
