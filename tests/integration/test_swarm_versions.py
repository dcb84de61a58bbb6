"""A swarm worker with stations of both versions of OCPP against the project's own gateway, a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, gateway_process
from tests.support.swarm import SwarmRig, swarm_rig

PATIENCE_S = 30.0
OLD, NEW = "PY-SIM-0016", "PY-SIM-0201"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with gateway_process(tmp_path, "--accept-unknown-id-tags") as gateway:
        yield gateway


@pytest.fixture
async def rig(gateway: GatewayProcess) -> AsyncIterator[SwarmRig]:
    async with swarm_rig(gateway.url) as rig:
        yield rig


async def transactions(gateway: GatewayProcess, station_id: str, *, ended: int) -> list[dict[str, Any]]:
    """The station's transactions once so many have ended; newest first."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await gateway.transactions(station_id)
            if sum(one["stopped_at"] is not None for one in found) >= ended:
                return found
            await asyncio.sleep(0.05)


async def test_each_station_speaks_the_version_it_is_desired_with_and_the_worker_s_own_without(
    gateway: GatewayProcess, rig: SwarmRig
) -> None:
    await rig.start("w1", version="2.0.1")
    await rig.desire(OLD, profile="eager", ocpp_version="1.6")
    await rig.desire(NEW, profile="eager")
    old = await rig.until_status(OLD, lambda status: status.kwh > 0.001 and status.transaction_id is not None)
    new = await rig.until_status(NEW, lambda status: status.kwh > 0.001 and status.transaction_id is not None)
    assert isinstance(old.transaction_id, int)
    assert isinstance(new.transaction_id, str)
    assert (old.handover.ocpp_version, new.handover.ocpp_version) == ("1.6", "2.0.1")
    assert [one["transaction_id"] for one in await gateway.transactions(NEW)] == [new.transaction_id]


async def test_stations_of_both_versions_follow_the_price_log_alike_and_agree_with_the_gateway_on_every_wh(
    gateway: GatewayProcess, rig: SwarmRig
) -> None:
    await rig.start("w1")
    await rig.desire(OLD, profile="eager")
    await rig.desire(NEW, profile="eager", ocpp_version="2.0.1")
    for station_id in (OLD, NEW):
        await rig.until_status(station_id, lambda status: status.kwh > 0.002)
    await rig.signal(99.0)
    for station_id in (OLD, NEW):
        waiting = await rig.until_status(
            station_id, lambda status: status.policy is not None and status.policy.action == "wait"
        )
        assert "Price too high (99.00 > 25.00)" in waiting.policy.reason
    await rig.signal(5.0)
    for station_id in (OLD, NEW):
        await rig.until_status(station_id, lambda status: status.kw > 0)
        await rig.desire(
            station_id, running=False, profile="eager", ocpp_version="2.0.1" if station_id == NEW else None
        )
        status = await rig.until_status(station_id, lambda status: status.state == "stopped")
        found = await transactions(gateway, station_id, ended=2)
        energies_wh = [one["meter_stop_wh"] - one["meter_start_wh"] for one in found]
        assert len(found) == 2
        assert status.kwh == energies_wh[0] / 1000
        assert int(status.register_wh) == sum(energies_wh) == found[0]["meter_stop_wh"]
        lines = " ".join(await rig.lines(station_id))
        for words in (
            "Authorization successful - ABC123",
            "Charging started (price: 0.30 EUR)",
            "Price too high (99.00 INR) - stopping",
            "Price too high (99.00 INR) - waiting",
            "Charging started (price: 5.00 INR)",
            f"Charging stopped ({energies_wh[0] / 1000:.2f} kWh delivered)",
        ):
            assert words in lines


async def test_a_transaction_of_2_0_1_goes_on_with_another_worker(gateway: GatewayProcess, rig: SwarmRig) -> None:
    await rig.start("w1")
    await rig.desire(NEW, profile="eager", ocpp_version="2.0.1")
    before = await rig.until_status(NEW, lambda status: status.kwh > 0.002 and status.transaction_id is not None)
    await rig.kill("w1")
    await rig.start("w2")
    after = await rig.until_status(
        NEW, lambda status: status.worker == "w2" and status.register_wh > before.register_wh + 1
    )
    assert after.transaction_id == before.transaction_id
    await rig.desire(NEW, running=False, profile="eager", ocpp_version="2.0.1")
    (only,) = await transactions(gateway, NEW, ended=1)
    stopped = await rig.until_status(NEW, lambda status: status.state == "stopped")
    assert (only["transaction_id"], only["meter_start_wh"]) == (before.transaction_id, 0)
    assert only["meter_stop_wh"] == int(stopped.register_wh)


async def test_a_station_that_runs_takes_on_another_version_with_its_register(
    gateway: GatewayProcess, rig: SwarmRig
) -> None:
    await rig.start("w1")
    await rig.desire(NEW, profile="eager", ocpp_version="1.6")
    await rig.until_status(NEW, lambda status: status.kwh > 0.002)
    await rig.desire(NEW, profile="eager", ocpp_version="2.0.1")
    status = await rig.until_status(
        NEW, lambda status: status.handover.ocpp_version == "2.0.1" and isinstance(status.transaction_id, str)
    )
    newest, first = await transactions(gateway, NEW, ended=1)
    assert newest["transaction_id"] == status.transaction_id
    assert newest["meter_start_wh"] == first["meter_stop_wh"]


async def test_what_a_killed_worker_left_open_in_one_version_is_not_gone_on_with_in_another(
    gateway: GatewayProcess, rig: SwarmRig
) -> None:
    await rig.start("w1")
    await rig.desire(OLD, profile="eager", ocpp_version="1.6")
    before = await rig.until_status(OLD, lambda status: status.kwh > 0.002 and status.transaction_id is not None)
    await rig.kill("w1")
    await rig.desire(OLD, profile="eager", ocpp_version="2.0.1")
    await rig.start("w2")
    after = await rig.until_status(
        OLD, lambda status: status.worker == "w2" and status.transaction_id not in {None, before.transaction_id}
    )
    assert isinstance(after.transaction_id, str)
    newest, left = await transactions(gateway, OLD, ended=0)
    assert (newest["transaction_id"], left["transaction_id"]) == (after.transaction_id, before.transaction_id)
    assert newest["meter_start_wh"] >= int(before.register_wh)
