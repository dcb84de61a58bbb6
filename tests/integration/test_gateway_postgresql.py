"""Two gateways at one PostgreSQL database: ids stay unique, metering moves with the station, commands act once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.charge_points import Status
from evcharging.messages.commands import CommandOutcome
from evcharging.messages.topics import STATUS
from evcharging.store.gateway import tables
from tests.support.central_system import Business, business, until
from tests.support.postgresql import PostgresqlServer

pytestmark = pytest.mark.postgresql
T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
async def gateways(postgresql: PostgresqlServer) -> AsyncIterator[tuple[Business, Business]]:
    url = await postgresql.new_database()
    log = MemoryLog()
    async with business(url, log=log) as first, business(url, log=log, name="gateway-2") as second:
        yield first, second


async def test_the_migrations_build_what_the_tables_describe_in_a_schema_of_their_own(gateways):
    def differences(connection) -> list[object]:
        options = {"include_schemas": False}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    async with gateways[0].database.begin() as transaction:
        assert await transaction.run_sync(differences) == []


async def test_starts_at_two_gateways_at_once_have_numbers_of_their_own_and_repeats_the_same(gateways):
    stations = [gateways[n % 2].station(f"CP-{n}") for n in range(20)]
    answers = await asyncio.gather(*(station.start(T0, 1000) for station in stations))
    numbers = [answer["transactionId"] for answer in answers]
    assert len(set(numbers)) == 20
    elsewhere = [gateways[(n + 1) % 2].station(f"CP-{n}") for n in range(20)]
    again = await asyncio.gather(*(station.start(T0, 1000) for station in elsewhere))
    assert [answer["transactionId"] for answer in again] == numbers


async def test_a_station_that_moves_goes_on_with_its_intervals_and_is_commanded_where_it_is(gateways):
    first, second = gateways
    old = first.station()
    await old.boot()
    number = (await old.start(T0, 1000))["transactionId"]
    await old.meter(number, T0 + timedelta(seconds=60), 1200)
    [row] = await first.rows(tables.transactions)
    await until(lambda: first.intervals(row["session_id"]))
    new = second.station()
    await new.loaded()
    await new.meter(number, T0 + timedelta(seconds=120), 1300)
    await until(lambda: len(second.intervals(row["session_id"])) == 2)
    reply = await first.call("CP-1", "ClearCache", {})
    assert reply.outcome is CommandOutcome.CALL_RESULT
    assert [action for action, _ in new.called] == ["ClearCache"]
    assert old.called == []
    await new.stop(number, T0 + timedelta(seconds=180), 1400)

    def ends() -> list[Status]:
        said: list[Status] = second.said(STATUS)
        return [s for s in said if s.session_id == row["session_id"] and s.detail and s.detail.last_seq is not None]

    [end] = await until(ends)
    assert end.detail is not None
    assert (end.detail.last_seq, end.detail.register_end_wh) == (3, 1400)
    assert [i.energy_wh for i in second.intervals(row["session_id"])] == [200, 100, 100]


async def test_text_that_the_database_would_refuse_costs_nothing(gateways):
    station = gateways[0].station()
    await station.boot()
    await station.status("Faulted", errorCode="OtherError", info="nul \x00 inside")
    await gateways[0].quiet()
    rows = await gateways[0].rows(tables.connectors)
    assert [row["info"] for row in rows] == ["nul  inside"]
