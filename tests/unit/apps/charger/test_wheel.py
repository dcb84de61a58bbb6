from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from can import Message
from structlog.testing import capture_logs

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import SLOTS, NodeWheel
from evcharging.can.connect import open_can
from evcharging.can.frames import StartCharging, encode
from evcharging.can.hub import CanHub
from evcharging.can.link import ChargerLink
from evcharging.domain.charger import L2_THREE_PHASE, ChargerState

DEADLINE_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 500.0

    def __call__(self) -> float:
        return self.now_s


class Saves:
    def __init__(self) -> None:
        self.count = 0

    def put(self, cp_id: str, register_wh: float) -> None:
        pass

    def save(self) -> None:
        self.count += 1


def nodes_on(hub: CanHub, count: int, clock: Callable[[], float]) -> list[ChargerNode]:
    return [
        ChargerNode(hub.attach(f"CP-{number:03}"), make_model(L2_THREE_PHASE), clock=clock) for number in range(count)
    ]


async def test_nodes_are_spread_over_the_slots() -> None:
    hub, clock = CanHub(), Clock()
    wheel = NodeWheel(clock=clock)
    for node in nodes_on(hub, 25, clock):
        wheel.add(node)
    assert sorted(map(len, wheel._slots)) == [2] * 5 + [3] * 5
    assert len(wheel.nodes) == 25


async def test_each_turn_says_the_current_and_one_in_a_second_everything() -> None:
    hub, clock = CanHub(), Clock()
    wheel = NodeWheel(clock=clock)
    (node,) = nodes_on(hub, 1, clock)
    wheel.add(node)
    said: Counter[int] = Counter()
    hub.attach("CP-000").add_listener(lambda m: said.update([m.arbitration_id]))
    for _ in range(50):
        wheel.turn(0)
        clock.now_s += 0.1
    await asyncio.sleep(0)
    assert said == {0x300: 50, 0x301: 5, 0x302: 5, 0x303: 5}


async def test_a_wheel_that_was_held_up_does_not_make_up_for_what_it_missed() -> None:
    hub, clock = CanHub(), Clock()
    wheel = NodeWheel(clock=clock)
    (node,) = nodes_on(hub, 1, clock)
    wheel.add(node)
    wheel.turn(0)
    said: Counter[int] = Counter()
    hub.attach("CP-000").add_listener(lambda m: said.update([m.arbitration_id]))
    clock.now_s += 60.0
    wheel.turn(0)
    wheel.turn(0)
    await asyncio.sleep(0)
    assert said[0x300] == 2
    assert said[0x301] <= 2


async def test_registers_are_saved_before_full_reports_and_news_only() -> None:
    hub, clock, saves = CanHub(), Clock(), Saves()
    wheel = NodeWheel(saves, clock=clock)
    (node,) = nodes_on(hub, 1, clock)
    wheel.add(node)
    wheel.turn(0)
    assert saves.count == 1
    clock.now_s += 0.1
    wheel.turn(0)
    assert saves.count == 1
    node.model.plug(node._vehicle())
    clock.now_s += 0.1
    wheel.turn(0)
    assert saves.count == 2


async def test_a_node_that_fails_costs_the_others_nothing() -> None:
    hub, clock = CanHub(), Clock()
    wheel = NodeWheel(clock=clock)
    broken, sound = nodes_on(hub, 2, clock)
    wheel._slots[0] += [broken, sound]
    broken.model = None  # type: ignore[assignment]
    heard: list[Message] = []
    hub.attach("CP-001").add_listener(heard.append)
    with capture_logs() as logs:
        wheel.turn(0)
    await asyncio.sleep(0)
    assert {entry["cp_id"] for entry in logs} == {"CP-000"}
    assert wheel.failures == 2
    assert heard


async def test_a_running_wheel_turns_every_node_and_lets_commands_through() -> None:
    hub = CanHub()
    wheel = NodeWheel()
    for number in range(SLOTS + 2):
        wheel.add(ChargerNode(hub.attach(f"CP-{number:03}"), make_model(L2_THREE_PHASE)))
    heard: Counter[str] = Counter()
    everybody = asyncio.Event()

    def take(message: Message) -> None:
        heard[message.channel] += message.arbitration_id == 0x300
        if len(heard) == SLOTS + 2 and min(heard.values()) >= 3:
            everybody.set()

    engines = [hub.attach(f"CP-{number:03}") for number in range(SLOTS + 2)]
    for engine in engines:
        engine.add_listener(take)
    async with asyncio.TaskGroup() as tasks:
        turning = tasks.create_task(wheel.run())
        engines[3].post(encode(StartCharging()))
        async with asyncio.timeout(DEADLINE_S):
            await everybody.wait()
        turning.cancel()
    assert next(node for node in wheel.nodes if node.cp_id == "CP-003").model.plugged
    assert wheel.failures == 0


async def test_an_engine_in_the_same_process_charges_over_the_virtual_interface() -> None:
    charger, engine = open_can("virtual", "CP-001"), open_can("virtual", "CP-001")
    wheel = NodeWheel()
    wheel.add(ChargerNode(charger, make_model(L2_THREE_PHASE, time_scale=60.0), time_scale=60.0))
    async with asyncio.TaskGroup() as tasks, ChargerLink(engine) as link:
        turning = tasks.create_task(wheel.run())
        link.set_limit(32.0)
        link.start()
        await link.wait_until(lambda r: r.state is ChargerState.CHARGING and (r.register_wh or 0.0) > 0.0, DEADLINE_S)
        link.stop()
        register_wh = await link.wait_register(DEADLINE_S)
        turning.cancel()
    assert register_wh == pytest.approx(wheel.nodes[0].model.register_wh, abs=0.1)
    await charger.close()
    await engine.close()


async def test_a_node_that_was_taken_off_is_turned_no_more() -> None:
    hub, clock = CanHub(), Clock()
    wheel = NodeWheel(clock=clock)
    (node,) = nodes_on(hub, 1, clock)
    wheel.add(node)
    wheel.remove(node)
    heard: list[Message] = []
    engine = hub.attach("CP-000")
    engine.add_listener(heard.append)
    engine.post(encode(StartCharging()))
    for number in range(SLOTS):
        wheel.turn(number)
    await asyncio.sleep(0)
    assert (heard, wheel.nodes) == ([], ())


@pytest.mark.parametrize("count", [0, 1])
async def test_an_almost_empty_wheel_can_be_stopped(count: int) -> None:
    hub = CanHub()
    wheel = NodeWheel()
    for number in range(count):
        wheel.add(ChargerNode(hub.attach(f"CP-{number}"), make_model(L2_THREE_PHASE)))
    turning = asyncio.create_task(wheel.run())
    await asyncio.sleep(0)
    turning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turning
