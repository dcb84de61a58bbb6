from __future__ import annotations

import re

import pytest

from evcharging.apps.can_tools import demo
from evcharging.apps.can_tools.demo import own_charger, own_hub, run_demo
from evcharging.can.hub import CanHub
from evcharging.can.link import ChargerLink, ChargerUnanswered


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ANSWER_WITHIN_S", 2.0)
    monkeypatch.setattr(demo, "SETTLE_S", 0.15)


async def test_the_demonstration_charges_at_each_limit_and_stops() -> None:
    said: list[str] = []
    async with own_hub() as address:
        charger, engine = address.open("CAN-DEMO"), address.open("CAN-DEMO")
        await charger.wait_connected(5.0)
        await engine.wait_connected(5.0)
        async with own_charger(charger):
            await run_demo(engine, said.append, limits_amps=(16.0, 0.0, 10.0), hold_s=0.0)
        await charger.close()
        await engine.close()
    steps = [line for line in said if line.startswith("0x")]
    assert steps == ["0x210 limit 16 A", "0x200 start", "0x210 limit 0 A", "0x210 limit 10 A", "0x201 stop"]
    readings = [re.split(r",\s+", line.strip())[:2] for line in said if line.startswith("      ")]
    assert readings[0::2] == [
        ["CHARGING", "16.00 A"],
        ["SUSPENDED", "0.00 A"],
        ["CHARGING", "10.00 A"],
        ["FINISHED", "0.00 A"],
    ]
    assert re.match(r"\d+\.\d Wh were delivered; frames left out: none", said[-1])


async def test_a_charger_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ANSWER_WITHIN_S", 0.05)
    hub = CanHub()
    with pytest.raises(ChargerUnanswered, match="charger CP-001 did not say"):
        await run_demo(hub.attach("CP-001"), lambda _: None)


async def test_a_charger_that_charges_already_is_left_alone() -> None:
    hub = CanHub()
    async with own_charger(hub.attach("CP-001")), ChargerLink(hub.attach("CP-001")) as link:
        link.set_limit(16.0)
        link.start()
        await link.wait_until(lambda r: r.state == "CHARGING", 5.0)
        with pytest.raises(ChargerUnanswered, match="the charger is CHARGING; the demonstration wants"):
            await run_demo(hub.attach("CP-001"), lambda _: None)
        assert link.readings.state == "CHARGING"
