"""Central's commands: each carried out once, in time or not at all, and answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.command_desk import WAITING_AT_MOST, CommandDesk
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.apps.ocpp_gateway.supply_orders import SupplyOrders
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.envelope import Received
from evcharging.messages.topics import COMMANDS
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import tables
from tests.support.gateway_parts import NOW, Ground, Socket, ground

DEADLINE_S = 30
OUTCOME = CommandOutcome
_runs = count(1)


class Desk:
    """One life of a gateway's desk."""

    def __init__(self, gateway: Ground, *, held_by_engine: bool = False) -> None:
        self.gateway = gateway
        calls = StationCalls(timeout_s=5)
        orders = SupplyOrders(
            gateway.writes,
            calls,
            gateway.authorization,
            gateway.announcements,
            new_number=count(1).__next__,
            send=gateway.said.append,
        )
        self.desk = CommandDesk(
            gateway.points,
            gateway.writes,
            calls,
            orders,
            dialects={OcppVersion.V16: DialectV16()},
            life=f"{gateway.name}-life-{next(_runs)}",
            source=gateway.name,
            leave_others_s=0.05,
            settle_s=0.0,
            held_by_engine=lambda _cp_id: held_by_engine,
            now=gateway.now,
            send=gateway.said.append,
        )

    def call(self, command_id: str = "c-1", cp_id: str = "CP-1", **fields: Any) -> None:
        """Have an OCPP_CALL come from the bus."""
        fields.setdefault("payload", {"action": "ClearCache", "payload": {}})
        fields.setdefault("action", CommandAction.OCPP_CALL)
        now = self.gateway.moment
        command = Command(ts=now, command_id=command_id, cp_id=cp_id, **fields)
        stamp = int(now.timestamp() * 1000)
        self.desk.take(Received(command, command_id, COMMANDS.name, 0, 0, None, stamp))

    def replies(self, command_id: str = "c-1") -> list[Reply]:
        return [reply for reply in self.gateway.messages(Reply) if reply.command_id == command_id]

    async def reply(self, command_id: str = "c-1", *, number: int = 1) -> Reply:
        """Wait for a command's reply, the ``number``-th."""
        await until(lambda: len(self.replies(command_id)) >= number)
        return self.replies(command_id)[number - 1]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Desk]:
        task = asyncio.create_task(self.desk.run())
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


async def connect(gateway: Ground, cp_id: str = "CP-1") -> tuple[ChargePoint, Socket]:
    """A station that the database knows of too."""
    socket = Socket(cp_id)
    point = gateway.presence.connected(socket)
    await gateway.stored()
    return point, socket


async def test_a_command_is_passed_on_and_answered_and_both_are_kept(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call()
        reply = await desk.reply()
    assert (reply.outcome, reply.payload) == (OUTCOME.CALL_RESULT, {"status": "Accepted"})
    assert socket.called == [("ClearCache", {})]
    (row,) = await gateway.rows(tables.commands)
    assert (row["command_id"], row["outcome"]) == ("c-1", "CALL_RESULT")


async def test_a_command_that_comes_again_has_no_second_effect_and_the_same_answer(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call()
        first = await desk.reply()
        gateway.advance(1)
        desk.call()
        assert await desk.reply(number=2) == first
    assert len(socket.called) == 1


async def test_one_that_comes_twice_at_once_is_taken_once(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call()
        desk.call()
        await desk.reply()
        desk.call("c-2")
        await desk.reply("c-2")
    assert len(socket.called) == 2
    assert len(desk.replies()) == 1


async def test_what_was_answered_before_this_life_began_is_not_answered_again_at_its_start(gateway: Ground) -> None:
    await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call()
        await desk.reply()
        asked_at = gateway.moment
    gateway.advance(10)
    async with Desk(gateway).running() as desk:
        began_at, gateway.moment = gateway.moment, asked_at
        desk.call()
        gateway.moment = began_at
        desk.call("c-2")
        await desk.reply("c-2")
    assert len(desk.replies("c-1")) == 1


async def test_what_another_life_took_and_never_answered_is_done_by_nobody(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    asked = asyncio.Event()

    async def answer(_: Any) -> dict[str, Any]:
        asked.set()
        await asyncio.get_running_loop().create_future()
        return {}

    socket.answer = answer
    async with Desk(gateway).running() as desk:
        desk.call()
        await asyncio.wait_for(asked.wait(), DEADLINE_S)
    socket.answer = {"status": "Accepted"}
    async with Desk(gateway).running() as desk:
        desk.call()
        desk.call("c-2")
        await desk.reply("c-2")
    assert desk.replies("c-1") == []
    assert len(socket.called) == 2


@pytest.mark.parametrize(("late_s", "outcome"), [(0, OUTCOME.CALL_RESULT), (11, OUTCOME.EXPIRED)])
async def test_a_command_that_is_too_late_is_answered_and_not_carried_out(
    gateway: Ground, late_s: float, outcome: CommandOutcome
) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call(expires_at=NOW + timedelta(seconds=10 - late_s))
        assert (await desk.reply()).outcome is outcome
    assert len(socket.called) == (outcome is OUTCOME.CALL_RESULT)


async def test_one_stations_commands_are_carried_out_in_their_order_and_hold_up_no_other(gateway: Ground) -> None:
    _, slow = await connect(gateway)
    await connect(gateway, "CP-2")
    released = asyncio.Event()

    async def answer(_: Any) -> dict[str, Any]:
        await released.wait()
        return {"status": "Accepted"}

    slow.answer = answer
    async with Desk(gateway).running() as desk:
        for number in range(3):
            desk.call(f"slow-{number}")
        desk.call("other", "CP-2")
        await desk.reply("other")
        assert len(slow.called) == 1
        released.set()
        await desk.reply("slow-2")
    told = [reply.command_id for reply in gateway.messages(Reply)]
    assert told == ["other", "slow-0", "slow-1", "slow-2"]


async def test_more_than_may_wait_for_their_turn_are_left(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    released = asyncio.Event()

    async def answer(_: Any) -> dict[str, Any]:
        await released.wait()
        return {"status": "Accepted"}

    socket.answer = answer
    async with Desk(gateway).running() as desk:
        desk.call("first")
        await until(lambda: socket.called)
        for number in range(WAITING_AT_MOST + 1):
            desk.call(f"c-{number}")
        released.set()
        await desk.reply(f"c-{WAITING_AT_MOST - 1}")
        await gateway.stored()
        assert desk.replies(f"c-{WAITING_AT_MOST}") == []
        desk.call(f"c-{WAITING_AT_MOST}")
        await desk.reply(f"c-{WAITING_AT_MOST}")


async def test_a_station_that_was_here_once_is_answered_for_and_one_nobody_knows_is_not(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    gateway.presence.disconnected(socket, "reset by peer")
    await gateway.stored()
    async with Desk(gateway).running() as desk:
        desk.call("unknown", "CP-9")
        desk.call()
        assert (await desk.reply()).outcome is OUTCOME.NOT_CONNECTED
    assert desk.replies("unknown") == []
    assert [row["command_id"] for row in await gateway.rows(tables.commands)] == ["c-1"]


async def test_a_station_that_returns_in_time_is_asked_after_all(gateway: Ground) -> None:
    async with Desk(gateway).running() as desk:
        desk.call()
        _, socket = await connect(gateway)
        assert (await desk.reply()).outcome is OUTCOME.CALL_RESULT
    assert len(socket.called) == 1


async def test_of_two_gateways_the_one_with_the_newest_socket_answers(tmp_path: Path, gateway: Ground) -> None:
    await connect(gateway)
    async with ground(tmp_path, name="gateway-2") as other:
        other.advance(1)
        _, socket = await connect(other)
        async with Desk(gateway).running() as first, Desk(other).running() as second:
            first.call()
            second.call()
            assert (await second.reply()).outcome is OUTCOME.CALL_RESULT
            first.call("c-2")
            second.call("c-2")
            await second.reply("c-2")
            await gateway.stored()
    assert gateway.messages(Reply) == []
    assert len(socket.called) == 2


async def test_an_engines_charge_point_is_left_to_it(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway, held_by_engine=True).running() as desk:
        desk.call()
        await gateway.stored()
    assert socket.called == []
    assert await gateway.rows(tables.commands) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"payload": {"action": "ClearCache", "payload": [1]}}, "invalid_payload"),
        ({"action": CommandAction.STOP_SUPPLY, "session_id": "s-9"}, "unknown_session"),
        ({"payload": {"action": "Dance"}}, "NotImplemented"),
    ],
)
async def test_what_cannot_be_carried_out_is_answered_with_why(
    gateway: Ground, fields: dict[str, Any], code: str
) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        desk.call(**fields)
        reply = await desk.reply()
    assert reply.error_code == code
    assert socket.called == []


async def test_a_fault_of_our_own_is_answered_too_and_costs_only_its_command(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    socket.answer = LookupError("a bug")
    async with Desk(gateway).running() as desk:
        desk.call()
        assert (await desk.reply()).error_code == "internal_error"
        socket.answer = {"status": "Accepted"}
        desk.call("c-2")
        assert (await desk.reply("c-2")).outcome is OUTCOME.CALL_RESULT


async def test_a_version_without_a_dialect_is_said_to_be_unsupported(gateway: Ground) -> None:
    point, socket = await connect(gateway)
    socket.version = point.version = OcppVersion.V201
    async with Desk(gateway).running() as desk:
        desk.call()
        assert (await desk.reply()).error_code == "not_supported"


async def test_without_the_database_a_command_is_left_and_taken_when_it_comes_again(gateway: Ground) -> None:
    _, socket = await connect(gateway)
    async with Desk(gateway).running() as desk:
        async with gateway.database.outage():
            desk.call()
            await until(lambda: gateway.writes.away and not gateway.writes.waiting)
        assert socket.called == []
        async with asyncio.timeout(DEADLINE_S):
            while not desk.replies():
                desk.call()
                await asyncio.sleep(0.01)
    assert len(socket.called) == 1


async def test_a_transaction_is_ended_for_a_reason_of_our_own(gateway: Ground) -> None:
    point, socket = await connect(gateway)
    transaction = OpenTransaction("s-1", "CP-1", "7", 1, NOW)
    point.open["7"] = transaction
    async with Desk(gateway).running() as desk:
        desk.desk.end(point, transaction, "target_reached")
        await until(lambda: socket.called)
    assert socket.called == [("RemoteStopTransaction", {"transactionId": 7})]
    assert transaction.stop_requested == "target_reached"
    assert gateway.messages(Reply) == []
