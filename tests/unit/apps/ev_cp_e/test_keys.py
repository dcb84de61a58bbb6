"""What the keys in an engine's terminal do."""

from __future__ import annotations

from evcharging.apps.ev_cp_e.keys import EngineKeys
from evcharging.domain.charger import ChargerState, FaultCode
from tests.support.engine import UnitRig, new_cp_id


async def test_each_key_does_what_it_stands_for():
    async with UnitRig(new_cp_id()) as rig:
        quits: list[bool] = []
        keys = EngineKeys({rig.unit.cp_id: rig.unit}, lambda: quits.append(True))
        readings = rig.unit.link.readings
        keys.press("p")
        await rig.until(lambda: readings.state is ChargerState.PLUGGED)
        keys.press("u")
        await rig.until(lambda: readings.state is ChargerState.AVAILABLE)
        keys.press("f")
        await rig.until(lambda: readings.fault_code is FaultCode.GROUND_FAULT)
        keys.press("c")
        await rig.until(lambda: readings.state is ChargerState.AVAILABLE)
        keys.press("x")
        assert quits == []
        keys.press("q")
        assert quits == [True]


async def test_a_number_chooses_the_charge_point():
    async with UnitRig(new_cp_id()) as first, UnitRig(new_cp_id()) as second:
        keys = EngineKeys({rig.unit.cp_id: rig.unit for rig in (first, second)}, lambda: None)
        assert keys.chosen is first.unit
        keys.press("2")
        assert keys.chosen is second.unit
        keys.press("p")
        await second.until(lambda: second.unit.link.readings.state is ChargerState.PLUGGED)
        assert first.unit.link.readings.state is ChargerState.AVAILABLE
        keys.press("9")
        assert keys.chosen is second.unit, "there is no ninth"


async def test_with_many_a_number_ends_with_enter():
    async with UnitRig(new_cp_id()) as first, UnitRig(new_cp_id()) as twelfth:
        units = dict.fromkeys([f"CP-{number:03}" for number in range(1, 12)], first.unit)
        keys = EngineKeys({**units, "CP-012": twelfth.unit}, lambda: None)
        for key in "12":
            keys.press(key)
        assert keys.chosen is first.unit
        keys.press("\n")
        assert keys.chosen is twelfth.unit


async def test_a_charger_that_is_not_heard_costs_a_key_press_nothing():
    async with UnitRig(new_cp_id()) as rig:
        await rig.silence()
        EngineKeys({rig.unit.cp_id: rig.unit}, lambda: None).press("u")
        assert rig.node.refused.total() == 0


def test_before_there_are_charge_points_keys_do_nothing():
    keys = EngineKeys({}, lambda: None)
    keys.press("u")
    keys.press("1")
    keys.press("\n")
    assert keys.chosen is None
