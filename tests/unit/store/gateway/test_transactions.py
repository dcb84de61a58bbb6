"""Transactions and remote starts, loaded and saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from evcharging.store.database import Database
from evcharging.store.gateway import tables
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.transactions import IntervalRow, TransactionRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_row(nth: int, **changes: Any) -> TransactionRow:
    fields: dict[str, Any] = {
        "session_id": f"s-{nth}",
        "cp_id": "CP-1",
        "transaction_id": str(nth),
        "number": nth,
        "content_key": f"key-{nth}",
        "connector_id": 1,
        "created_at": NOW + timedelta(seconds=nth),
        "meter_start_wh": Decimal("1000.125"),
        "started_at": NOW,
    }
    return TransactionRow(**{**fields, **changes})


async def test_a_row_comes_back_as_it_was_saved(database: Database) -> None:
    row = a_row(1, transaction_data=[{"a": 1}], target_wh=Decimal(500))
    async with database.begin() as transaction:
        await store.insert_all(transaction, [row])
        assert await store.find_by_session(transaction, "s-1") == row
        assert await store.find_by_contents(transaction, ["key-1", "key-2"]) == {"key-1": row}
        assert await store.taken_numbers(transaction, [1, 2]) == {1}


async def test_of_rows_that_cannot_all_be_entered_none_is(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.begin() as transaction:
            await store.insert_all(transaction, [a_row(1), a_row(2, number=1)])
    async with database.begin() as transaction:
        assert await store.open_transactions(transaction) == []


async def test_a_transaction_is_found_by_its_charge_point_and_id_the_newest_with_a_start(database: Database) -> None:
    rows = [
        a_row(1, transaction_id="t"),
        a_row(2, transaction_id="t"),
        a_row(3, transaction_id="t", start_known=False),
        a_row(4, cp_id="CP-2", transaction_id="u"),
    ]
    async with database.begin() as transaction:
        await store.insert_all(transaction, rows)
        found = await store.find_by_wire_ids(transaction, [("CP-1", "t"), ("CP-2", "u"), ("CP-1", "u")])
    assert {name: row.session_id for name, row in found.items()} == {("CP-1", "t"): "s-2", ("CP-2", "u"): "s-4"}


async def test_open_transactions_are_those_without_an_end(database: Database) -> None:
    async with database.begin() as transaction:
        await store.insert_all(transaction, [a_row(1), a_row(2, stopped_at=NOW), a_row(3, cp_id="CP-2")])
        assert [r.session_id for r in await store.open_transactions(transaction)] == ["s-1", "s-3"]
        assert [r.session_id for r in await store.open_transactions(transaction, ["CP-2"])] == ["s-3"]
        assert [r.session_id for r in await store.list_transactions(transaction, "CP-1")] == ["s-2", "s-1"]
        newer = NOW + timedelta(seconds=2)
        assert [r.session_id for r in await store.list_transactions(transaction, "CP-1", before=newer)] == ["s-1"]


async def test_an_interval_moves_a_transaction_on_and_reads_as_it_was_written(database: Database) -> None:
    begin, end = NOW + timedelta(microseconds=7), NOW + timedelta(minutes=1)
    row = IntervalRow("s-1", 1, Decimal("1000.125"), Decimal("1200.500"), Decimal("200.375"), begin, end)
    async with database.begin() as transaction:
        await store.insert_all(transaction, [a_row(1), a_row(2, stopped_at=NOW)])
        assert await store.last_seqs(transaction, ["s-1", "s-2", "s-3"]) == {"s-1": 0}
        await store.save_intervals(transaction, [row])
        assert await store.last_seqs(transaction, ["s-1"]) == {"s-1": 1}
        saved = await store.find_by_session(transaction, "s-1")
        standing = (await store.standings(transaction, ["s-1"]))["s-1"]
    assert saved is not None
    assert (saved.last_seq, saved.register_wh, saved.interval_wh) == (1, Decimal("1200.500"), Decimal("200.375"))
    assert (saved.interval_start, saved.interval_end) == (begin, end)
    assert (standing.last_seq, standing.register_wh, standing.interval_end) == (1, Decimal("1200.500"), end)


async def test_the_same_columns_of_many_rows_are_written_and_no_others(database: Database) -> None:
    rows = [a_row(1), a_row(2)]
    async with database.begin() as transaction:
        await store.insert_all(transaction, rows)
        for row in rows:
            row.stopped_at, row.end_reason, row.id_tag = NOW, f"reason-{row.number}", "not written"
        await store.change_all(transaction, rows, ["stopped_at", "end_reason"])
        saved = [await store.find_by_session(transaction, row.session_id) for row in rows]
    assert [(r.end_reason, r.stopped_at, r.id_tag) for r in saved if r] == [
        ("reason-1", NOW, None),
        ("reason-2", NOW, None),
    ]


async def test_tags_that_charge_are_those_of_open_transactions_in_any_case(database: Database) -> None:
    async with database.begin() as transaction:
        await store.insert_all(transaction, [a_row(1, id_tag="Tag"), a_row(2, id_tag="done", stopped_at=NOW)])
        assert await store.charging_tags(transaction, ["TAG", "DONE"]) == {"tag"}


async def test_text_from_strangers_is_cut_to_its_column(database: Database) -> None:
    async with database.begin() as transaction:
        row = {"cp_id": "CP-1", "connector_id": 1, "status": "Faulted", "reported_at": NOW, "info": "x\x00" * 200}
        await transaction.execute(insert(tables.connectors).values(**row))
        [found] = (await transaction.execute(tables.connectors.select())).all()
    assert found.info == "x" * 100
