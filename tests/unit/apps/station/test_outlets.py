"""How a station opens its chargers."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from evcharging.apps.runtime.errors import GaveUp
from evcharging.apps.station import outlets as module
from evcharging.apps.station.outlets import Outlets
from evcharging.domain.charger_state import ChargerState
from evcharging.domain.levels import L2_THREE_PHASE
from evcharging.domain.vehicle import DEMO_VEHICLE, VehicleSpec


async def test_a_charger_of_this_process_begins_with_its_register_and_plugs_in_what_comes() -> None:
    async with contextlib.AsyncExitStack() as stack:
        outlets = Outlets("virtual", L2_THREE_PHASE, DEMO_VEHICLE, stack)
        living = asyncio.create_task(outlets.run())
        charger = await outlets.open("outlet-1", register_wh=4_000.0)
        assert charger.advance(0.0).register_wh == 4_000.0
        charger.plug(VehicleSpec(40.0, 11.0, 0.75))
        async with asyncio.timeout(30):
            while charger.advance(0.0).soc is None:
                await asyncio.sleep(0.01)
        assert charger.advance(0.0).soc == pytest.approx(0.75, abs=0.01)
        assert charger.advance(0.0).state is ChargerState.PLUGGED
        charger.close()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def test_gives_up_where_no_charger_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARD_WITHIN_S", 0.1)
    async with contextlib.AsyncExitStack() as stack:
        outlets = Outlets("hub://127.0.0.1:9", L2_THREE_PHASE, DEMO_VEHICLE, stack)
        with pytest.raises(GaveUp, match="--can hub://127.0.0.1:9"):
            await outlets.open("outlet-2")
