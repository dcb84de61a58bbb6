"""Readings to intervals, in memory: what moves a register and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, Link, OpenTransaction
from evcharging.apps.ocpp_gateway.metering import FLUSHED_AT_ONCE, UNCLAIMED_AT_MOST, Metering
from evcharging.apps.ocpp_gateway.readings import ENERGY_REGISTER, Reading
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.store.database import Database, database_url
from evcharging.store.gateway import tables
from evcharging.store.gateway.transactions import TransactionRow, insert_all
from evcharging.store.migrate import migrate_database

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Bench:
    def __init__(self, *, loaded: bool = True) -> None:
        self.said: list[Any] = []
        self.congested = False
        self.metering = Metering(
            Announcements(source="test", now=lambda: T0, price_per_kwh=lambda: 0.0),
            send=self.said.append,
            congested=lambda: self.congested,
            monotonic=lambda: 0.0,
            on_target=lambda *_: None,
        )
        self.point = ChargePoint("CP-1")
        self.point.link = cast("Link", object())
        self.point.loaded = loaded

    def begin(self, wh: int | None = 1000) -> OpenTransaction:
        register = None if wh is None else Decimal(wh)
        transaction = OpenTransaction(
            "s-1", "CP-1", "7", 1, T0, meter_start_wh=register, register_wh=register, read_at=None
        )
        self.point.open["7"] = transaction
        return transaction

    def read(self, seconds: float, wh: float, transaction_id: str | None = "7") -> None:
        reading = Reading(T0 + timedelta(seconds=seconds))
        reading.add(ENERGY_REGISTER, wh)
        self.metering.take(self.point, [reading], connector_id=1, transaction_id=transaction_id)

    def alerts(self) -> list[str]:
        return [event.message.kind for event in self.said]


def test_a_reading_moves_its_transaction_and_is_due() -> None:
    bench = Bench()
    transaction = bench.begin()
    bench.read(60, 1200)
    assert (transaction.register_wh, transaction.energy_wh) == (1200, 200)
    assert bench.metering.due
    assert bench.said == []


def test_a_register_that_goes_back_moves_nothing_and_is_alerted_of_once() -> None:
    bench = Bench()
    transaction = bench.begin()
    for wh in (1200, 1100, 900):
        bench.read(60, wh)
    assert transaction.register_wh == 1200
    assert bench.alerts() == ["register_backwards"]


def test_a_register_that_rises_faster_than_any_connector_can_is_alerted_of_and_counts() -> None:
    bench = Bench()
    transaction = bench.begin()
    bench.read(3600, 1_000_000)  # a megawatt for an hour
    assert bench.alerts() == []
    bench.read(3601, 2_000_000)
    assert bench.alerts() == ["register_jumped"]
    assert transaction.register_wh == 2_000_000


def test_without_a_register_at_the_start_the_first_reading_is_the_start() -> None:
    bench = Bench()
    transaction = bench.begin(None)
    bench.read(60, 5000)
    bench.read(120, 5500)
    assert (transaction.meter_start_wh, transaction.energy_wh) == (5000, 500)


def test_readings_of_no_open_transaction_make_nothing_due() -> None:
    bench = Bench()
    bench.begin()
    bench.read(60, 1200, transaction_id="8")
    assert not bench.metering.due


def test_readings_wait_for_their_transaction_where_the_database_was_not_asked_yet() -> None:
    bench = Bench(loaded=False)
    bench.read(60, 1200)
    bench.read(120, 1300)
    for number in range(100, 100 + 2 * UNCLAIMED_AT_MOST):
        bench.read(60, 1, transaction_id=str(number))
    assert len(bench.point.unclaimed) == UNCLAIMED_AT_MOST
    transaction = bench.begin()
    bench.point.loaded = True
    bench.metering.claim(bench.point)
    assert transaction.register_wh == 1300
    assert bench.point.unclaimed == {}


def test_nothing_is_due_while_the_bus_is_congested() -> None:
    bench = Bench()
    bench.begin()
    bench.read(60, 1200)
    bench.congested = True
    assert not bench.metering.due


async def test_many_transactions_are_stored_and_told_a_part_at_a_time_the_oldest_first(tmp_path: Path) -> None:
    bench = Bench()
    number = FLUSHED_AT_ONCE + 50
    database = Database(database_url(str(tmp_path / "gateway.db")), schema=tables.SCHEMA)
    await migrate_database(database)
    rows = [
        TransactionRow(
            session_id=f"s-{n}",
            cp_id="CP-1",
            transaction_id=str(n),
            content_key=str(n),
            connector_id=1,
            created_at=T0,
            started_at=T0,
            meter_start_wh=Decimal(1000),
        )
        for n in range(number)
    ]
    async with database.begin() as transaction:
        await insert_all(transaction, rows)
    for n in range(number):
        bench.point.open[str(n)] = OpenTransaction(
            f"s-{n}", "CP-1", str(n), 1, T0, meter_start_wh=Decimal(1000), register_wh=Decimal(1000)
        )
        bench.read(60, 1200, transaction_id=str(n))

    async def flush() -> list[str]:
        said = len(bench.said)
        async with database.begin() as transaction:
            work = Work(transaction, now=T0 + timedelta(seconds=90))
            await bench.metering.flush(work)
            bench.read(70, 1300, transaction_id="0")  # while the database is at it
        for step in work.afterwards:
            step()
        return [event.message.session_id for event in bench.said[said:]]

    assert bench.metering.flushes == 2
    assert await flush() == [f"s-{n}" for n in range(FLUSHED_AT_ONCE)]
    assert bench.metering.flushes == 1
    assert await flush() == [*(f"s-{n}" for n in range(FLUSHED_AT_ONCE, number)), "s-0"]
    await database.close()
