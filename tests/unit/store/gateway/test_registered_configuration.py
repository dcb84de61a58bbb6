"""What came of the keys that registrations have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evcharging.store.database import Database
from evcharging.store.gateway.registered_configuration import answers_of, forget_answers, note_answers

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(cp_id: str, key: str, answer: str) -> dict[str, Any]:
    return {"cp_id": cp_id, "key": key, "value": "1", "answer": answer, "detail": None, "answered_at": NOW}


async def test_the_last_answer_of_each_key_is_kept_until_it_is_forgotten(database: Database) -> None:
    async with database.begin() as transaction:
        await note_answers(transaction, [row("CP-1", "A", "Rejected"), row("CP-1", "B", "Accepted")])
        await note_answers(transaction, [row("CP-1", "A", "Accepted"), row("CP-2", "A", "Rejected")])
        await forget_answers(transaction, [("CP-1", "B"), ("CP-404", "B")])
        found = await answers_of(transaction, ["CP-1", "CP-2", "CP-3"])
    told = {cp_id: {key: kept["answer"] for key, kept in rows.items()} for cp_id, rows in found.items()}
    assert told == {"CP-1": {"A": "Accepted"}, "CP-2": {"A": "Rejected"}, "CP-3": {}}
