from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from evcharging.apps.ev_central.recorder import Recorder
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import Message
from evcharging.messages.charge_points import Alert, Severity, Status, StatusSource, Telemetry
from evcharging.messages.drivers import DriverUpdate
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppFrame, SwarmLog, SwarmStatus
from evcharging.messages.topics import ALERTS, OCPP_FRAMES, SWARM_LOG, Topic
from evcharging.store.history import reading
from evcharging.store.migrate import migrate_database
from tests.support.central import a_moment
from tests.support.databases import BreakableSqlite

START = datetime(2026, 3, 1, 12, 0, 4, tzinfo=UTC)


class History:
    """A recorder over real parts; its clock is moved by hand."""

    def __init__(self, path: Path, *, most_rows: int = 1_000_000) -> None:
        self.now = START
        self.database = BreakableSqlite(path, schema="history")
        self.bus = MemoryBus(MemoryLog(), wall_clock=self.seconds)
        self.view, self.swarm = NetworkView(), SwarmView({})
        self.number = 0
        self.recorder = Recorder(
            self.bus,
            self.database,
            self.view,
            self.swarm,
            now=lambda: self.now,
            every_s=10.0,
            retention=timedelta(days=7),
            frames_retention=timedelta(days=1),
            most_rows=most_rows,
        )

    def seconds(self) -> float:
        return self.now.timestamp()

    async def say(self, topic: Topic[Any], message: Message) -> None:
        self.number += 1
        await self.bus.publish(Event(topic, message, f"event-{self.number}", "test"))

    async def line(self, line: str, station_id: str = "PY-SIM-0001") -> None:
        await self.say(SWARM_LOG, SwarmLog(ts=self.now, station_id=station_id, line=line))

    def state(self, cp_id: str, state: ChargePointState, session_id: str | None = None) -> None:
        status = Status(ts=self.now, cp_id=cp_id, state=state, source=StatusSource.ENGINE, session_id=session_id)
        self.view.apply(status, self.now)

    def supply(self, cp_id: str, kw: float, kwh: float, seq: int) -> None:
        self.state(cp_id, ChargePointState.SUPPLYING, "s")
        telemetry = Telemetry(
            ts=self.now,
            cp_id=cp_id,
            connector_id=0,
            session_id="s",
            seq=seq,
            interval_start=self.now,
            interval_end=self.now,
            register_wh=kwh * 1000,
            energy_wh=0,
            kw=kw,
            kwh=kwh,
            euros=0,
        )
        self.view.apply(telemetry, self.now)

    def station(self, station_id: str, state: str, kw: float, kwh: float) -> None:
        status = SwarmStatus(ts=self.now, station_id=station_id, state=state, profile="idle", kw=kw, kwh=kwh)
        self.swarm.apply(status, self.now)

    async def lines(self, station_id: str = "PY-SIM-0001") -> list[str]:
        async with self.database.begin() as transaction:
            return [row.line for row in reversed(await reading.logs(transaction, station_id, limit=1000))]

    async def until_lines(self, *lines: str) -> None:
        async with asyncio.timeout(30):
            while await self.lines() != list(lines):
                await a_moment()

    async def snapshots(self, station_id: str) -> list[tuple[datetime, float, float]]:
        async with self.database.begin() as transaction:
            rows = await reading.snapshots(transaction, station_id, limit=1000)
        return [(row.ts, row.kw, row.kwh) for row in reversed(rows)]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.recorder.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    history = History(tmp_path / "history.db")
    await history.bus.start()
    await migrate_database(history.database)
    yield history
    await history.bus.stop()
    await history.database.close()


def dropped() -> float:
    return REGISTRY.get_sample_value("evcharging_central_history_dropped_total", {"kind": "snapshots"}) or 0.0


async def test_logs_frames_and_alerts_are_written_as_they_come(history):
    await history.line("first")
    alert = Alert(ts=START, alert_id="a", cp_id="CP-001", kind="meter_gap", severity=Severity.WARNING, started_at=START)
    await history.say(ALERTS, alert)
    frame = OcppFrame(ts=START, cp_id="CP-001", direction="in", frame=[2, "1", "Heartbeat", {}])
    await history.say(OCPP_FRAMES, frame)
    async with history.running():
        await history.line("second")
        await history.until_lines("first", "second")
        async with asyncio.timeout(30):
            while True:
                async with history.database.begin() as transaction:
                    alerts = await reading.alerts(transaction, limit=9)
                    frames = await reading.frames(transaction, "CP-001", limit=9)
                if alerts and frames:
                    break
                await a_moment()
    assert [kept for _, kept in alerts] == [alert]
    assert [row.frame for row in frames] == [frame.frame]


async def test_a_restart_goes_on_where_it_ended(history):
    await history.line("first")
    async with history.running():
        await history.until_lines("first")
        await history.line("second")
        await history.until_lines("first", "second")
    await history.line("third")
    async with history.running(), asyncio.timeout(30):
        while (await history.lines())[-1] != "third":
            await a_moment()
    assert (await history.lines()).count("first") == 1


async def test_what_is_said_while_the_database_is_away_waits_in_its_topic(history):
    async with history.running():
        await history.line("before")
        await history.until_lines("before")
        async with history.database.outage():
            await history.line("meanwhile")
            await asyncio.sleep(0.1)
        await history.line("after")
        await history.until_lines("before", "meanwhile", "after")


async def test_the_database_may_come_later(tmp_path):
    history = History(tmp_path / "history.db")
    await history.bus.start()
    await migrate_database(history.database)
    async with contextlib.AsyncExitStack() as stack:
        outage = history.database.outage()
        await outage.__aenter__()
        await stack.enter_async_context(history.running())
        await history.line("early")
        await asyncio.sleep(0.05)
        await outage.__aexit__(None, None, None)
        await history.until_lines("early")
    await history.bus.stop()
    await history.database.close()


async def test_what_is_drawn_is_written_with_the_time_of_its_reading_and_only_while_it_changes(history):
    history.supply("CP-001", kw=22.0, kwh=1.0, seq=1)
    history.now += timedelta(seconds=3)
    assert await history.recorder.sample() == 1
    history.now += timedelta(seconds=10)
    assert await history.recorder.sample() == 0
    history.now += timedelta(seconds=10)
    history.supply("CP-001", kw=11.0, kwh=1.1, seq=2)
    assert await history.recorder.sample() == 1
    assert await history.snapshots("CP-001") == [(START, 22.0, 1.0), (START + timedelta(seconds=23), 11.0, 1.1)]


async def test_energy_is_not_written_for_a_time_at_which_its_session_had_not_begun(history):
    history.now = began = START.replace(second=9, microsecond=900_000)
    history.station("PY-SIM-0001", "charging", 7.0, 0.1)
    history.supply("CP-001", kw=22.0, kwh=0.1, seq=1)
    history.now += timedelta(seconds=2)
    assert await history.recorder.sample() == 2
    for station_id in ("PY-SIM-0001", "CP-001"):
        assert [ts for ts, _, _ in await history.snapshots(station_id)] == [began]


async def test_what_changes_without_a_reading_is_written_with_the_time_at_which_it_was_seen(history):
    history.supply("CP-001", kw=22.0, kwh=1.0, seq=1)
    await history.recorder.sample()
    history.now += timedelta(seconds=10)
    bill = DriverUpdate(
        ts=START, request_id="r", driver_id="d", cp_id="CP-001", status="IN_PROGRESS", kwh=1.2, session_id="s"
    )
    history.view.apply(bill, history.now)
    assert await history.recorder.sample() == 1
    assert (await history.snapshots("CP-001"))[-1] == (history.now, 22.0, 1.2)


async def test_the_end_of_a_session_is_written_with_its_last_energy(history):
    history.supply("CP-001", kw=22.0, kwh=1.0, seq=1)
    await history.recorder.sample()
    history.now += timedelta(seconds=10)
    history.supply("CP-001", kw=22.0, kwh=1.5, seq=2)
    history.state("CP-001", ChargePointState.ACTIVATED)
    assert await history.recorder.sample() == 1
    history.now += timedelta(seconds=10)
    assert await history.recorder.sample() == 0
    assert (await history.snapshots("CP-001"))[-1] == (START + timedelta(seconds=10), 0.0, 1.5)


async def test_a_station_at_another_csms_is_written_too_one_that_is_a_charge_point_once(history):
    history.station("PY-SIM-0001", "charging", 7.0, 2.0)
    history.station("CP-001", "charging", 7.0, 2.0)
    history.supply("CP-001", kw=6.9, kwh=1.9, seq=1)
    assert await history.recorder.sample() == 2
    assert await history.snapshots("PY-SIM-0001") == [(START, 7.0, 2.0)]
    assert await history.snapshots("CP-001") == [(START, 6.9, 1.9)]
    history.now += timedelta(seconds=10)
    history.station("PY-SIM-0001", "available", 0.0, 2.4)
    assert await history.recorder.sample() == 1
    assert (await history.snapshots("PY-SIM-0001"))[-1] == (START + timedelta(seconds=10), 0.0, 2.4)


async def test_a_station_whose_session_central_does_not_know_is_written_as_it_says_itself(history):
    history.state("PY-SIM-0001", ChargePointState.ACTIVATED)
    history.station("PY-SIM-0001", "charging", 7.0, 2.0)
    assert [await history.recorder.sample() for _ in range(2)] == [1, 0]
    assert await history.snapshots("PY-SIM-0001") == [(START, 7.0, 2.0)]


async def test_a_charge_point_that_supplies_and_draws_nothing_yet_is_not_written_again_and_again(history):
    history.state("CP-001", ChargePointState.SUPPLYING, "s")
    for _ in range(3):
        assert await history.recorder.sample() == 0
        history.now += timedelta(seconds=10)


async def test_what_is_drawn_while_the_database_is_away_is_dropped_and_counted(history):
    history.supply("CP-001", kw=22.0, kwh=1.0, seq=1)
    before = dropped()
    async with history.database.outage():
        assert await history.recorder.sample() == 0
    assert dropped() == before + 1
    assert await history.recorder.sample() == 1


async def test_what_is_old_is_forgotten_frames_before_the_rest(history):
    for days in (8, 2, 0):
        ts = START - timedelta(days=days)
        await history.say(SWARM_LOG, SwarmLog(ts=ts, station_id="PY-SIM-0001", line=f"{days} days ago"))
        frame = OcppFrame(ts=ts, cp_id="CP-001", direction="in", frame=[days])
        await history.say(OCPP_FRAMES, frame)
    async with history.running():
        async with asyncio.timeout(30):
            while len(await history.lines()) < 2 or (await history.lines())[-1] != "0 days ago":
                await a_moment()
        await history.recorder.forget()
        assert await history.lines() == ["2 days ago", "0 days ago"]
        async with history.database.begin() as transaction:
            assert [row.frame for row in await reading.frames(transaction, "CP-001", limit=9)] == [[0]]


async def test_the_history_is_bounded_in_rows(tmp_path):
    history = History(tmp_path / "history.db", most_rows=3)
    await history.bus.start()
    await migrate_database(history.database)
    for number in range(10):
        await history.line(str(number))
    async with history.running():
        async with asyncio.timeout(30):
            while (await history.lines())[-1:] != ["9"]:
                await a_moment()
        await history.recorder.forget()
        assert await history.lines() == ["7", "8", "9"]
    await history.bus.stop()
    await history.database.close()


async def test_a_mistake_of_ours_costs_the_history_alone_and_it_begins_again(history, monkeypatch):
    monkeypatch.setattr("evcharging.apps.ev_central.recorder.FAILED_PAUSE_S", 0.01)
    failures = iter([ZeroDivisionError("a mistake")])
    forget = history.recorder.forget

    async def forget_badly() -> int:
        for failure in failures:
            raise failure
        return await forget()

    monkeypatch.setattr(history.recorder, "forget", forget_badly)
    async with history.running():
        await history.line("after all")
        await history.until_lines("after all")
