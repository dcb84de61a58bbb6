"""The demonstration: starts a charge over CAN, raises and lowers the limit, shows what the charger says, and stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.can.bus import CanBus
from evcharging.can.connect import CanAddress
from evcharging.can.hub import CanHub
from evcharging.can.link import ChargerLink, ChargerReadings, ChargerUnanswered
from evcharging.domain.charger import L2_THREE_PHASE, MIN_PILOT_AMPS, ChargerState

__all__ = ["DEMO_LIMITS_AMPS", "own_charger", "own_hub", "run_demo"]

DEMO_LIMITS_AMPS = (16.0, 32.0, 10.0, 0.0, 24.0)
ANSWER_WITHIN_S = 5.0
SETTLE_S = 0.3
"""A charger says its current each 100 ms: the next figures belong to the new limit."""
SETTLED_WITHIN_A = 0.1


async def run_demo(
    bus: CanBus, say: Callable[[str], None], *, limits_amps: Sequence[float] = DEMO_LIMITS_AMPS, hold_s: float = 2.0
) -> None:
    """Charge at each of ``limits_amps`` for ``hold_s``, then stop.

    Raises:
        ChargerUnanswered: the charger does not say, or does not do, what is expected of it; says what was awaited.
    """
    async with ChargerLink(bus) as link:
        await link.wait_until(lambda r: r.state is not None and r.register_wh is not None, ANSWER_WITHIN_S)
        say(f"{bus.channel} is there: {_told(link.readings)}")
        _refuse_if_occupied(link.readings)
        began_wh = link.readings.register_wh or 0.0
        for number, limit_amps in enumerate(limits_amps):
            link.set_limit(limit_amps)
            say(f"0x210 limit {limit_amps:g} A")
            if number == 0:
                link.start()
                say("0x200 start")
            await asyncio.sleep(SETTLE_S)
            await link.wait_until(lambda r, limit=limit_amps: _obeys(r, limit), ANSWER_WITHIN_S)  # type: ignore[misc]
            say(f"      {_told(link.readings)}")
            await asyncio.sleep(hold_s)
            say(f"      {_told(link.readings)}")
        link.stop()
        say("0x201 stop")
        register_wh = await link.wait_register(ANSWER_WITHIN_S)
        say(f"      {_told(link.readings)}")
        say(f"{register_wh - began_wh:.1f} Wh were delivered; frames left out: {dict(link.dropped) or 'none'}")


@contextlib.asynccontextmanager
async def own_charger(bus: CanBus) -> AsyncIterator[None]:
    """A charger on ``bus`` for as long as the block runs, in this process."""
    wheel = NodeWheel()
    wheel.add(ChargerNode(bus, make_model(L2_THREE_PHASE)))
    turning = asyncio.create_task(wheel.run(), name="demo-charger")
    try:
        yield
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)


@contextlib.asynccontextmanager
async def own_hub() -> AsyncIterator[CanAddress]:
    """A hub for as long as the block runs, in this process, on a free port."""
    hub = CanHub()
    host, port = await hub.start(port=0)
    try:
        yield CanAddress("hub", host, port)
    finally:
        await hub.stop()


def _refuse_if_occupied(readings: ChargerReadings) -> None:
    if readings.state in {ChargerState.CHARGING, ChargerState.SUSPENDED, ChargerState.FAULTED}:
        raise ChargerUnanswered(f"the charger is {readings.state}; the demonstration wants one that is free")


def _obeys(readings: ChargerReadings, limit_amps: float) -> bool:
    if readings.current_a is None:
        return False
    if limit_amps < MIN_PILOT_AMPS:
        return readings.state is ChargerState.SUSPENDED and readings.current_a == 0.0
    # The vehicle may take less than it is offered, never more.
    return readings.state is ChargerState.CHARGING and 0.0 < readings.current_a <= limit_amps + SETTLED_WITHIN_A


def _told(readings: ChargerReadings) -> str:
    soc = "no vehicle" if readings.soc is None else f"SoC {readings.soc:.2%}"
    figures = (
        f"{readings.current_a or 0.0:6.2f} A",
        f"{readings.voltage_v or 0.0:.1f} V",
        f"{readings.register_wh or 0.0:.1f} Wh",
        f"{readings.temperature_c or 0.0:.1f} degC",
        soc,
    )
    return f"{readings.state or 'no state yet'}, " + ", ".join(figures)
