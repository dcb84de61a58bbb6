"""Many rows by one statement are the rows that SQLAlchemy itself would have written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, bindparam, insert, select, text, update

from evcharging.store.database import Database, database_url
from evcharging.store.many import among, parts, write_rows
from evcharging.store.types import ExactDecimal, ForeignText, UtcDateTime

NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
THINGS = Table(
    "things",
    MetaData(),
    Column("name", String(8), primary_key=True),
    Column("number", Integer),
    Column("wh", ExactDecimal),
    Column("note", ForeignText(3)),
    Column("details", JSON),
    Column("at", UtcDateTime),
    Column("kind", String(8), nullable=False, default="plain"),
)
INSERT = insert(THINGS)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_url(str(tmp_path / "things.db")), schema="things")
    async with database.begin() as transaction:
        await transaction.run_sync(THINGS.metadata.create_all)
    yield database
    await database.close()


def row(name: str, **values: Any) -> dict[str, Any]:
    filled = {"number": 1, "wh": Decimal("1E+3"), "note": "long\x00er", "details": {"a": None}, "at": NOW}
    return {"name": name, **filled, "kind": "given", **values}


async def stored(database: Database) -> list[Any]:
    """Every row, raw."""
    async with database.begin() as transaction:
        return list(await transaction.execute(text("SELECT * FROM things ORDER BY name")))


async def test_rows_are_stored_as_sqlalchemy_stores_them(database: Database) -> None:
    rows = [row("a"), row("b", number=None, wh=None, note=None, at=NOW.astimezone(timezone(timedelta(hours=5))))]
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, rows)
    ours = await stored(database)
    async with database.begin() as transaction:
        await transaction.execute(THINGS.delete())
        await transaction.execute(INSERT, rows)
    assert ours == await stored(database)
    assert ours[0][5] == "2026-03-01 12:00:00.000005"


async def test_what_is_stored_is_read_as_it_was(database: Database) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [row("a"), row("b", at=None)])
        found = list(await transaction.execute(select(THINGS.c.at, THINGS.c.wh).order_by(THINGS.c.name)))
    assert found == [(NOW, Decimal(1000)), (None, Decimal(1000))]
    assert found[0][0].tzinfo is UTC


async def test_a_value_that_the_table_adds_by_itself_is_added(database: Database) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [{"name": "a"}])
    assert (await stored(database))[0][-1] == "plain"


async def test_one_statement_takes_rows_with_different_columns_in_turn(database: Database) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [{"name": "a", "kind": "x"}])
        await write_rows(transaction, INSERT, [{"name": "b", "number": 7, "kind": "x"}])
    assert [one[1] for one in await stored(database)] == [None, 7]


async def test_an_update_finds_its_rows_by_bound_parameters(database: Database) -> None:
    change = update(THINGS).where(THINGS.c.name == bindparam("of")).values(number=bindparam("number"))
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [row("a"), row("b"), row("c")])
        await write_rows(transaction, change, [{"of": "c", "number": 3}, {"of": "a", "number": 2}])
    assert [one[1] for one in await stored(database)] == [2, 1, 3]


async def test_no_rows_are_no_statement(database: Database) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [])
    assert await stored(database) == []


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="naive moment"):
        async with database.begin() as transaction:
            await write_rows(transaction, INSERT, [row("a", at=NOW.replace(tzinfo=None))])


@pytest.mark.parametrize("wanted", [[], ["b"], ["a", "c", "none", "a"]])
async def test_rows_are_found_by_a_list_of_keys(database: Database, wanted: list[str]) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [row("a"), row("b"), row("c")])
        found = await transaction.execute(select(THINGS.c.name).where(among(transaction, THINGS.c.name, wanted)))
        assert set(found.scalars()) == set(wanted) - {"none"}


async def test_a_list_of_numbers_is_told_from_one_of_texts(database: Database) -> None:
    async with database.begin() as transaction:
        await write_rows(transaction, INSERT, [row("1", number=1), row("2", number=20)])
        by_number = await transaction.execute(select(THINGS.c.name).where(among(transaction, THINGS.c.number, [20, 3])))
        by_name = await transaction.execute(select(THINGS.c.name).where(among(transaction, THINGS.c.name, ["1"])))
        assert (list(by_number.scalars()), list(by_name.scalars())) == (["2"], ["1"])


def test_ids_are_dealt_out_to_statements_each_once_and_in_order() -> None:
    ids = [f"CP-{number}" for number in range(1_200)]
    dealt = list(parts([*ids, *ids]))
    assert [len(part) for part in dealt] == [500, 500, 200]
    assert [one for part in dealt for one in part] == ids
    assert list(parts([])) == []
