"""`evcharging topics` as people run it, against the embedded broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from evcharging.bus.create import create_bus
from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.protocol import Bus
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.envelope import Event
from evcharging.messages.topics import STATUS

DEADLINE_S = 60


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedKafka]:
    async with EmbeddedKafka() as broker:
        yield broker


@pytest.fixture
async def bus(broker: EmbeddedKafka) -> AsyncIterator[Bus]:
    bus = create_bus(broker.bootstrap)
    await bus.start()
    yield bus
    await bus.stop()


async def publish(bus: Bus, cp_id: str, state: ChargePointState) -> None:
    status = Status(ts=datetime.now(UTC), cp_id=cp_id, state=state, source=StatusSource.ENGINE)
    await (await bus.publish(Event(STATUS, status, id=f"{cp_id}-{state}", source="test")))


@contextlib.asynccontextmanager
async def topics(broker: EmbeddedKafka, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "evcharging", "topics", *arguments, "--kafka-bootstrap", broker.bootstrap),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip()


async def test_tail_shows_what_was_there_and_what_comes_and_ends_well_on_ctrl_c(broker, bus):
    await publish(bus, "CP-001", ChargePointState.ACTIVATED)
    async with topics(broker, "tail", "cp.status", "--from", "beginning") as tail:
        assert "CP-001" in await line_of(tail)
        await publish(bus, "CP-002", ChargePointState.FAULT)
        assert "CP-002" in (line := await line_of(tail))
        assert "state=FAULT" in line
        tail.send_signal(signal.SIGINT)
        assert await tail.wait() == 0


async def test_tail_shows_one_key_only_as_json(broker, bus):
    await publish(bus, "CP-001", ChargePointState.ACTIVATED)
    await publish(bus, "CP-002", ChargePointState.ACTIVATED)
    await publish(bus, "CP-001", ChargePointState.SUPPLYING)
    async with topics(broker, "tail", "cp.status", "--key", "CP-001", "--from", "beginning", "--json") as tail:
        shown = [json.loads(await line_of(tail)) for _ in range(2)]
        assert [record["message"]["state"] for record in shown] == ["ACTIVATED", "SUPPLYING"]
        assert {record["key"] for record in shown} == {"CP-001"}


@pytest.mark.parametrize("form", ["--json", "plain"])
async def test_tail_ends_quietly_when_its_reader_has_seen_enough(broker, bus, form):
    for number in range(2):
        await publish(bus, f"CP-00{number}", ChargePointState.ACTIVATED)
    command = [sys.executable, "-m", "evcharging", "topics", "tail", "cp.status", "--from", "beginning"]
    command += ["--kafka-bootstrap", broker.bootstrap] + ([form] if form == "--json" else [])
    shell = f"set -o pipefail; {shlex.join(command)} | head -n 1"
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", shell, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readline()
        while process.returncode is None:
            await publish(bus, "CP-009", ChargePointState.ACTIVATED)  # it learns of the end when it writes
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.2)
    assert (process.returncode, await process.stderr.read()) == (0, b"")


async def test_tail_goes_on_after_a_record_that_cannot_be_decoded(broker, bus):
    await (await bus.publish_raw("cp.status", b"CP-001", b"garbage", []))
    await publish(bus, "CP-001", ChargePointState.ACTIVATED)
    async with topics(broker, "tail", "cp.status", "--from", "beginning") as tail:
        assert "undecodable" in await line_of(tail)
        assert "state=ACTIVATED" in await line_of(tail)


async def test_tail_shows_dead_letters_with_their_reason(broker, bus):
    await (await bus.publish_raw("cp.status.dlq", b"CP-001", b"garbage", [("dlq_error", b"not JSON")]))
    async with topics(broker, "tail", "cp.status.dlq", "--from", "beginning") as tail:
        assert "set aside: not JSON" in await line_of(tail)


async def test_list_shows_how_far_the_partitions_go(broker, bus):
    for _ in range(3):
        await publish(bus, "CP-001", ChargePointState.ACTIVATED)
    async with topics(broker, "list", "--json") as listing:
        assert listing.stdout is not None
        rows = [json.loads(line) for line in (await listing.stdout.read()).splitlines()]
        (row,) = [row for row in rows if row["topic"] == "cp.status"]
        assert sorted(held["end"] for held in row["partitions"]) == [0, 0, 0, 3]
        assert await listing.wait() == 0


async def test_a_broker_that_is_not_there_is_told_in_one_line():
    code = """
        import sys
        from evcharging.apps.topics import main, tail
        tail.CONNECT_WITHIN_S = 0.5
        sys.exit(main.main(["tail", "cp.status", "--kafka-bootstrap", "127.0.0.1:1"]))
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(code), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        _out, err = await process.communicate()
    assert process.returncode == 1
    (line,) = err.decode().splitlines()
    assert line.startswith("evcharging topics: no Kafka answers at 127.0.0.1:1 (Connection refused); start one with")
