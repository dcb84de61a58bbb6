"""The whole network over the embedded Kafka, each service a process of its own, as a newcomer runs it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from evcharging.bus.create import create_bus
from evcharging.bus.protocol import Position
from evcharging.messages.topics import TOPICS
from tests.support.ledger import read_ledger
from tests.support.network import READY_WITHIN_S, Network, Service
from tests.support.ports import free_port

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

GROUP_TOPICS = ("driver.requests", "cp.status", "cp.telemetry", "central.replies")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    """One network for all: its tests leave it as they found it, every charge point in service."""
    folder = tmp_path_factory.mktemp("network")
    port = free_port()
    broker = Service("broker", "evcharging.apps.broker.main", ["--port", str(port)], folder)
    await broker.start()
    async with Network(f"127.0.0.1:{port}", folder, session_s=4) as network:
        yield network
    await broker.stop()


async def test_requests_are_served_metered_and_billed_and_refusals_name_their_reason(network: Network) -> None:
    driver = network.driver("driver-alice", ["CP-001", "CP-404", "# a comment", "", "CP-002,50", "any", "not a line"])
    await driver.start()
    assert await driver.ended() == 0
    summary = json.loads((network.folder / "driver-alice.json").read_text())
    assert (summary["requests"], summary["completed"], summary["denied"]) == (4, 3, 1)
    sessions = await network.sessions()
    assert {s["status"] for s in sessions} == {"COMPLETED"}
    assert (await read_ledger(network.bootstrap)).faults(sessions) == []
    told = driver.told()
    for word in ("ACCEPTED", "IN_PROGRESS | 22.0 kW", "COMPLETED", "DENIED | unknown_charge_point", "line 7"):
        assert word in told


async def test_a_garbage_record_on_every_topic_costs_only_itself(network: Network) -> None:
    bus = create_bus(network.bootstrap, client_id="vandal")
    await bus.start()
    for topic in TOPICS:
        for garbage in (b"\x00\xff not json", b"{}", b'{"ts": 1}', b"[]", b""):
            await (await bus.publish_raw(topic.name, b"CP-001", garbage, []))
    async with bus.subscribe({f"{name}.dlq": Position.BEGINNING for name in GROUP_TOPICS}) as dead_letters:
        letters: list[str] = []
        while len(letters) < 5 * len(GROUP_TOPICS):
            letters += [record.topic for record in await dead_letters.getmany()]
    assert {name: letters.count(f"{name}.dlq") for name in GROUP_TOPICS} == dict.fromkeys(GROUP_TOPICS, 5)
    await bus.stop()
    driver = network.driver("driver-bob", ["CP-001", "CP-002"])
    await driver.start()
    assert await driver.ended() == 0
    assert (await read_ledger(network.bootstrap)).faults(await network.sessions()) == []


async def test_an_operator_stops_a_session_takes_a_charge_point_out_of_service_and_back(network: Network) -> None:
    driver = network.driver("driver-carol", ["CP-001", "CP-001"])
    await driver.start()
    await network.until_energy("CP-001")
    assert (await network.http.post("/cp/CP-001/stop")).status_code == 202
    await network.until_state("CP-001", "STOPPED")
    assert await driver.ended() == 0
    assert "DENIED | stopped" in driver.told()
    session = await network.until_ended("driver-carol")
    assert (session["status"], session["reason"]) == ("COMPLETED", "operator_stop")
    assert (await network.http.post("/cp/CP-001/stop")).status_code == 409
    assert (await network.http.post("/cp/CP-001/resume")).status_code == 202
    await network.until_state("CP-001", "ACTIVATED")
    assert (await read_ledger(network.bootstrap)).faults(await network.sessions()) == []


@pytest.mark.parametrize(
    ("kind", "status", "reason"), [("unplug", "COMPLETED", "unplugged"), ("fault", "FAILED", None)]
)
async def test_what_happens_at_the_charger_ends_the_session_and_is_healed(
    network: Network, kind: str, status: str, reason: str | None
) -> None:
    driver = network.driver(f"driver-{kind}", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001")
    assert (await network.http.post("/cp/CP-001/inject", json={"kind": kind})).status_code == 202
    assert await driver.ended() == 0
    session = await network.until_ended(f"driver-{kind}")
    assert session["status"] == status
    assert reason in (None, session["reason"])
    if kind == "fault":
        await network.until_state("CP-001", "FAULT", within_s=READY_WITHIN_S)
        await network.http.post("/cp/CP-001/inject", json={"kind": "clear"})
    await network.until_state("CP-001", "ACTIVATED")
    assert (await read_ledger(network.bootstrap)).faults(await network.sessions()) == []
