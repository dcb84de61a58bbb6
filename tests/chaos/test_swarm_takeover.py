"""What becomes of the stations of a swarm worker that is killed or frozen, over Apache Kafka and real processes.

The central system is the `ocpp` package's, which keeps every socket until its peer closes it: a worker that should be
silent would be heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from ocpp.v16 import call as call16

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import kafka_jars
from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Bus
from evcharging.messages.network import SwarmStatus
from tests.support.network import Service, frozen
from tests.support.ocpp_package import CentralSystem, central_system
from tests.support.ports import free_port
from tests.support.swarm import Csms, SwarmRig, registers_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"
EAGER_ONES = [f"PY-SIM-{number:04}" for number in range(1, 13)]
QUIET_ONES = [f"PY-SIM-{number:04}" for number in range(101, 109)]
STATIONS = EAGER_ONES + QUIET_ONES
BACK_WITHIN_S = 15.0
EAGER = """
pause_s: [0.5, 1.5]
stay_s: [6, 12]
meter_interval_s: 1
energy_step_wh: [3, 6]
id_tags: [ABC123]
"""


class Meters(Csms):
    """Also keeps every register that was told, by transaction, in the order of telling."""

    def __init__(self) -> None:
        super().__init__()
        self.registers: dict[int, list[int]] = defaultdict(list)
        self.told_at: dict[int, float] = {}
        """When each transaction's register was told last, by the monotonic clock."""

    def answers(self, station_id: str) -> dict[str, Any]:
        return super().answers(station_id) | {"MeterValues": self._meter}

    def _meter(self, **request: Any) -> dict[str, Any]:
        self.registers[request["transaction_id"]] += registers_of(request)
        self.told_at[request["transaction_id"]] = time.monotonic()
        return {}

    def faults(self) -> list[str]:
        """Every disagreement between beginnings, meter values and ends, in words; none when the books are clean."""
        started = {number: int(content[-1]) for content, number in self.ids.items()}
        found = [f"{number} ended and never began" for number in self.stops.keys() - started.keys()]
        for number, begin_wh in started.items():
            told = [begin_wh, *self.registers[number]]
            if number in self.stops:
                told.append(int(self.stops[number]["meter_stop"]))
            if told != sorted(told):
                found.append(f"{number}: the register went back: {told}")
        return found


class Swarm:
    """Two worker processes, the log they share and the central system they talk to."""

    def __init__(self, bus: Bus, central: CentralSystem, csms: Meters, bootstrap: str, folder: Path) -> None:
        self.bus = bus
        self.central = central
        self.csms = csms
        self.rig = SwarmRig(central.url)
        self.rig.bus = bus
        self.ports = {name: free_port() for name in ("w1", "w2")}
        profiles = folder / "profiles"
        profiles.mkdir()
        (profiles / "eager.yaml").write_text(EAGER)
        self.workers = {
            name: Service(
                name,
                "evcharging.apps.swarm.main",
                [
                    *("--worker-id", name, "--kafka-bootstrap", bootstrap, "--csms-url", central.url),
                    *("--metrics-port", str(port), "--profiles-dir", str(profiles), "--status-interval-s", "1"),
                ],
                folder,
            )
            for name, port in self.ports.items()
        }

    async def until(self, what: str, condition: Callable[[dict[str, SwarmStatus]], bool], within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition(await self.rig.statuses()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            tails = "\n".join(f"--- {worker.name}\n{worker.told()[-3000:]}" for worker in self.workers.values())
            raise AssertionError(f"not within {within_s} s: {what}\n{tails}") from None

    async def until_ready(self, name: str) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(40):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{self.ports[name]}/ready")).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.1)

    async def until_shared(self) -> dict[str, set[str]]:
        """Wait until both workers have stations, and all of them are on a socket."""

        def shared(statuses: dict[str, SwarmStatus]) -> bool:
            return {status.worker for status in statuses.values()} == {"w1", "w2"} and all_online(statuses)

        await self.until("both workers have stations and all are online", shared, 40)
        return await self.owners()

    async def owners(self) -> dict[str, set[str]]:
        owners: dict[str, set[str]] = defaultdict(set)
        for station_id, status in (await self.rig.statuses()).items():
            owners[str(status.worker)].add(station_id)
        return owners

    async def until_charging(self, station_ids: set[str]) -> None:
        await self.until(
            "some of them charge",
            lambda statuses: any(statuses[one].kw > 0 and statuses[one].transaction_id for one in station_ids),
            20,
        )


def all_online(statuses: dict[str, SwarmStatus]) -> bool:
    return statuses.keys() >= set(STATIONS) and all(
        status.state not in ("offline", "stopped") for status in statuses.values()
    )


def taken_over_by(name: str, station_ids: set[str]) -> Callable[[dict[str, SwarmStatus]], bool]:
    return lambda statuses: all_online(statuses) and all(statuses[one].worker == name for one in station_ids)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def swarm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Swarm]:
    csms = Meters()
    folder = tmp_path_factory.mktemp("swarm")
    async with ApacheKafka(kafka_jars(CACHE)) as kafka, central_system(answers=csms.answers) as central:
        bus = create_bus(kafka.bootstrap, client_id="test")
        await bus.start()
        swarm = Swarm(bus, central, csms, kafka.bootstrap, folder)
        try:
            await swarm.rig.desire(*EAGER_ONES, profile="eager")
            await swarm.rig.desire(*QUIET_ONES, profile="no-transactions")
            for name, worker in swarm.workers.items():
                await worker.start()
                await swarm.until_ready(name)
            yield swarm
        finally:
            for worker in swarm.workers.values():
                await worker.stop()
            await bus.stop()


async def test_the_stations_of_a_killed_worker_are_back_in_time_and_go_on_with_their_transactions(swarm: Swarm) -> None:
    mine = (await swarm.until_shared())["w1"]
    await swarm.until_charging(mine)
    before = await swarm.rig.statuses()
    left_open = {status.transaction_id for one, status in before.items() if one in mine and status.transaction_id}
    await swarm.workers["w1"].kill()
    killed_at = time.monotonic()
    await swarm.until("all its stations are the other's", taken_over_by("w2", mine), BACK_WITHIN_S)
    after = await swarm.rig.statuses()
    for station_id in mine:
        assert after[station_id].register_wh >= before[station_id].register_wh
    # Each goes on to where its driver wanted to leave, some of them while nobody ran the station.
    await swarm.until("what it left open has come to its end", lambda _: left_open <= swarm.csms.stops.keys(), 30)
    assert {swarm.csms.stops[number].get("reason", "Local") for number in left_open} == {"Local"}
    assert [number for number in left_open if swarm.csms.told_at.get(number, 0.0) >= killed_at] != []
    assert swarm.csms.faults() == []
    await swarm.workers["w1"].start()
    await swarm.until_ready("w1")
    await swarm.until_shared()


async def test_what_the_csms_set_outlives_the_worker_that_answered_it(swarm: Swarm) -> None:
    mine = (await swarm.until_shared())["w1"] & set(QUIET_ONES)
    assert mine
    for station_id in mine:
        await swarm.central.peers[station_id][-1].next("StatusNotification")
    blocked = {"id_tag": "LISTED", "id_tag_info": {"status": "Blocked"}}
    expiry = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()

    async def order(station_id: str) -> None:
        for request in (
            call16.ReserveNow(connector_id=1, expiry_date=expiry, id_tag="MINE", reservation_id=5),
            call16.SendLocalList(list_version=4, update_type="Full", local_authorization_list=[blocked]),
            call16.ChangeConfiguration(key="ConnectionTimeOut", value="11"),
        ):
            assert (await swarm.central.peers[station_id][-1].call(request)).status == "Accepted"

    half = sorted(mine)[::2]
    for station_id in half:
        out = call16.ChangeAvailability(connector_id=1, type="Inoperative")
        assert (await swarm.central.peers[station_id][-1].call(out)).status == "Accepted"
    await asyncio.gather(*map(order, mine - set(half)))
    await swarm.workers["w1"].kill()
    await swarm.until("all its stations are the other's", taken_over_by("w2", mine), BACK_WITHIN_S)
    for station_id in mine:
        peer = swarm.central.peers[station_id][-1]
        told = await peer.next("StatusNotification", lambda one: one["connector_id"] == 1)
        assert told["status"] == ("Unavailable" if station_id in half else "Reserved")
        back = call16.ChangeAvailability(connector_id=1, type="Operative")
        if station_id in half:
            assert (await peer.call(back)).status == "Accepted"
            continue
        configuration = await peer.call(call16.GetConfiguration(key=["ConnectionTimeOut"]))
        assert configuration.configuration_key[0]["value"] == "11"
        assert (await peer.call(call16.GetLocalListVersion())).list_version == 4
        assert (await peer.call(call16.CancelReservation(reservation_id=5))).status == "Accepted"
    await swarm.workers["w1"].start()
    await swarm.until_ready("w1")
    await swarm.until_shared()


async def test_a_frozen_worker_says_no_word_for_stations_that_are_anothers_when_it_wakes(swarm: Swarm) -> None:
    mine = (await swarm.until_shared())["w1"]
    await swarm.until_charging(mine)
    before = {station_id: list(swarm.central.peers[station_id]) for station_id in mine}
    async with frozen(swarm.workers["w1"]):
        await swarm.until("all its stations are the other's", taken_over_by("w2", mine), 60)
        heard = {station_id: [len(peer.requests) for peer in before[station_id]] for station_id in mine}
        terms = {one: status.handover.term for one, status in (await swarm.rig.statuses()).items() if status.handover}
    await swarm.until_ready("w1")
    await swarm.until_shared()
    assert {station_id: [len(peer.requests) for peer in before[station_id]] for station_id in mine} == heard
    assert "stood still" in swarm.workers["w1"].told()
    for station_id, status in (await swarm.rig.statuses()).items():
        assert status.handover is not None
        assert status.handover.term >= terms[station_id]
    assert swarm.csms.faults() == []


async def test_workers_that_stop_end_every_transaction(swarm: Swarm) -> None:
    owners = await swarm.until_shared()
    await swarm.until_charging(owners["w2"])
    for worker in swarm.workers.values():
        worker.signal(signal.SIGTERM)
    assert [await worker.ended() for worker in swarm.workers.values()] == [0, 0]
    assert swarm.csms.open == set()
    assert swarm.csms.faults() == []
    statuses = await swarm.rig.statuses()
    assert all(status.handover and status.handover.released for status in statuses.values())
