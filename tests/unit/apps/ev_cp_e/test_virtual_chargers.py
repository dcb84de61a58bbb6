"""Chargers in the engine's own process, and what the log makes them remember."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from decimal import Decimal

import pytest

from evcharging.apps.ev_cp_e.recovery import OpenSession, Past
from evcharging.apps.ev_cp_e.virtual_chargers import VirtualChargers
from evcharging.can.link import ChargerLink, ChargerReadings
from evcharging.can.virtual import VirtualCan
from evcharging.domain.charger import DEMO_VEHICLE, L2_THREE_PHASE, ChargerState
from tests.support.charge_point import NOON
from tests.support.engine import new_cp_id


async def first_readings(past: Past) -> ChargerReadings:
    """What such a charger says first."""
    chargers = VirtualChargers(spec=L2_THREE_PHASE, vehicle=DEMO_VEHICLE, time_scale=1.0)
    cp_id = new_cp_id()
    ends = [VirtualCan(cp_id), VirtualCan(cp_id)]
    chargers.add(ends[0], past)
    async with ChargerLink(ends[1]) as link:
        turning = asyncio.create_task(chargers.run())
        await link.wait_until(lambda readings: readings.temperature_c is not None, 10.0)
        turning.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turning
    chargers.close()
    for end in ends:
        await end.close()
    return link.readings


async def test_a_new_charger_begins_at_nothing():
    readings = await first_readings(Past())
    assert (readings.state, readings.register_wh) == (ChargerState.AVAILABLE, 0.0)


async def test_its_register_goes_on_from_the_log():
    readings = await first_readings(Past(register_wh=Decimal("1234.5")))
    assert readings.register_wh == 1234.5


async def test_the_vehicle_of_a_session_left_open_is_on_the_cable_as_full_as_it_was():
    lost = OpenSession(
        session_id="session-1",
        driver_id="driver-alice",
        register_start_wh=Decimal(1000),
        target_wh=None,
        elapsed_s=5.0,
        last_seq=5,
        register_wh=Decimal("1030.5"),
        interval_end=NOON,
        last_heard_at=NOON + timedelta(seconds=1),
        soc=0.45,
    )
    readings = await first_readings(Past(open_session=lost, register_wh=lost.register_wh))
    assert (readings.state, readings.register_wh) == (ChargerState.PLUGGED, 1030.5)
    assert readings.soc == pytest.approx(0.45)
