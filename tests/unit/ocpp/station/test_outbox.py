import asyncio

import pytest

from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.station import outbox
from tests.support.station_world import Csms, World, living


async def cut(world: World) -> None:
    world.network.up = False
    world.network.cut()
    await world.settle()


async def test_TC_039_an_offline_transaction_is_delivered_in_order_with_its_own_times():
    async with living(configuration={"MeterValueSampleInterval": "60"}) as world:
        await world.charge("TAG")
        await cut(world)
        await world.clock.advance(181)
        world.station.unplug(1)
        await world.charge("TAG")
        assert world.station.snapshot().queued >= 5
        world.csms.received.clear()
        world.network.up = True
        await world.clock.advance(70)
        kept = [(action, payload) for action, payload in world.csms.received if "Transaction" in action]
        assert [action for action, _ in kept] == ["StopTransaction", "StartTransaction"]
        assert kept[0][1]["transactionId"] == 1
        assert kept[0][1]["timestamp"] == "2025-06-16T00:03:01.000Z"
        assert world.csms.of("MeterValues")[0]["meterValue"][0]["timestamp"] == "2025-06-16T00:01:00.000Z"
        assert world.csms.actions().index("StopTransaction") == 3


async def test_a_refused_message_is_sent_transaction_message_attempts_times_after_growing_pauses():
    csms = Csms()
    csms.answers["StopTransaction"] = CallRejected(Fault.INTERNAL_ERROR, "later")
    settings = {"TransactionMessageAttempts": "3", "TransactionMessageRetryInterval": "10"}
    async with living(csms, configuration=settings) as world:
        await world.charge()
        world.station.unplug(1)
        await world.settle()
        sent = []
        for _ in range(50):
            await world.clock.advance(1)
            sent.append(len(csms.of("StopTransaction")))
        assert sent[8] == 1
        assert sent[10] == 2
        assert sent[28] == 2
        assert sent[30:] == [3] * 20
        assert world.ear.dropped == ["StopTransaction"]
        assert [one.delivered for one in world.ear.settled] == [False]
        csms.problems.clear()


async def test_messages_behind_a_refused_one_wait_and_others_pass_it():
    csms = Csms()
    csms.answers["StopTransaction"] = CallRejected(Fault.INTERNAL_ERROR, "later")
    async with living(csms, configuration={"TransactionMessageRetryInterval": "30"}) as world:
        await world.charge()
        world.station.unplug(1)
        await world.charge()
        assert len(csms.of("StartTransaction")) == 1
        assert csms.statuses()[-1] == "Charging"
        csms.answers["StopTransaction"] = {}
        await world.clock.advance(31)
        assert len(csms.of("StartTransaction")) == 2
        csms.problems.clear()


async def test_a_lost_connection_is_no_attempt():
    csms = Csms()
    async with living(csms, configuration={"TransactionMessageAttempts": "1"}) as world:
        await world.charge()
        csms.silent = {"StopTransaction"}
        world.station.unplug(1)
        await world.settle()
        for _ in range(3):
            world.network.cut()
            await world.clock.advance(5)
        assert len(csms.of("StopTransaction")) == 4
        csms.silent = set()
        world.network.cut()
        await world.clock.advance(5)
        assert world.ear.settled[0].delivered
        assert world.ear.dropped == []


async def test_what_is_posted_while_offline_is_forgotten():
    async with living() as world:
        await cut(world)
        answers = []
        world.station.outbox.post(world.station.wire.heartbeat(), answers.append)
        assert [str(answer) for answer in answers] == ["not connected"]
        world.network.up = True
        await world.clock.advance(10)
        assert world.csms.of("Heartbeat") == []


async def test_a_long_outage_thins_out_meter_values_and_loses_no_beginning_and_no_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox, "MOST_KEPT", 20)
    settings = {"MeterValueSampleInterval": "1", "AllowOfflineTxForUnknownId": "true"}
    async with living(configuration=settings) as world:
        await cut(world)
        for _ in range(3):
            await world.charge()
            await world.clock.advance(60)
            world.station.unplug(1)
        assert world.station.snapshot().queued <= 21
        world.network.up = True
        await world.clock.advance(130)
        assert len(world.csms.of("StartTransaction")) == len(world.csms.of("StopTransaction")) == 3
        assert all(one.delivered for one in world.ear.settled)


async def test_stopping_a_station_ends_its_transactions_and_delivers_before_it_closes_with_1001():
    async with living() as world:
        await world.charge()
        await world.station.stop(reason="Reboot")
        await world.settle()
        assert world.csms.of("StopTransaction")[0]["reason"] == "Reboot"
        assert world.ear.settled[0].delivered
        assert world.station.link._socket is None
        assert not world.station.running
        assert "Shutdown (Reboot)" in world.messages()


async def test_a_failure_of_the_station_over_an_answer_is_not_lost():
    world = World()
    running = asyncio.create_task(world.station.run())
    await world.settle()

    def broken(entry: object, answer: object) -> None:
        raise LookupError("a bug")

    world.station.outbox._on_answer = broken
    await world.charge()
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(running, 30)
    assert caught.group_contains(LookupError, match="a bug")
