from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest

from evcharging.apps.charger.keyboard import Keys, keys_heard
from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.can.hub import CanHub
from evcharging.domain.charger import L2_THREE_PHASE, ChargerState, FaultCode

DEADLINE_S = 30.0


@pytest.fixture
async def nodes() -> list[ChargerNode]:
    hub = CanHub()
    return [ChargerNode(hub.attach(f"CP-00{number}"), make_model(L2_THREE_PHASE)) for number in (1, 2)]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Our end of a terminal and the process's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


async def test_each_key_does_what_it_stands_for(nodes: list[ChargerNode]) -> None:
    keys = Keys(nodes)
    first = nodes[0].model
    keys.press("p")
    assert first.state is ChargerState.PLUGGED
    keys.press("f")
    assert first.fault_code is FaultCode.GROUND_FAULT
    keys.press("c")
    assert first.fault_code is FaultCode.NONE
    keys.press("u")
    assert first.state is ChargerState.AVAILABLE
    keys.press("x")
    assert first.state is ChargerState.AVAILABLE


async def test_keys_act_on_one_charger_and_n_goes_round(nodes: list[ChargerNode]) -> None:
    keys = Keys(nodes)
    keys.press("n")
    keys.press("p")
    assert [node.model.plugged for node in nodes] == [False, True]
    keys.press("n")
    assert keys.chosen is nodes[0]


async def test_keys_in_a_terminal_are_heard_without_a_line_end(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    pressed: list[str] = []
    both = asyncio.Event()

    def press(key: str) -> None:
        pressed.append(key)
        if len(pressed) == 2:
            both.set()

    before = termios.tcgetattr(theirs)
    with keys_heard(press, theirs) as has_keys:
        assert has_keys
        os.write(ours, b"up")
        async with asyncio.timeout(DEADLINE_S):
            await both.wait()
    assert pressed == ["u", "p"]
    assert termios.tcgetattr(theirs) == before


async def test_without_a_terminal_nothing_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"u")
    with keys_heard(lambda _: pytest.fail("a pipe is no keyboard"), reading) as has_keys:
        assert not has_keys
        await asyncio.sleep(0)
    assert os.read(reading, 1) == b"u"
    os.close(reading)
    os.close(writing)
