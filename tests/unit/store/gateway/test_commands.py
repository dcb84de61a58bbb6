"""A command is taken once, and its answer kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcharging.store.database import Database
from evcharging.store.gateway import commands
from evcharging.store.gateway.commands import TakenCommand

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_of_two_gateways_the_first_takes_a_command_and_both_learn_who_did(database: Database) -> None:
    async with database.begin() as transaction:
        taken = [
            await commands.take(transaction, command_id="c-1", cp_id="CP-1", action="STOP_CP", gateway=name, now=NOW)
            for name in ("one", "two")
        ]
    assert taken == [TakenCommand("one", None)] * 2


async def test_an_answer_is_given_again_until_it_is_forgotten(database: Database) -> None:
    async with database.begin() as transaction:
        known = {"command_id": "c-1", "cp_id": "CP-1", "action": "STOP_CP"}
        await commands.take(transaction, **known, gateway="one", now=NOW)
        await commands.answer(transaction, "c-1", outcome="ACCEPTED", reply=b"{}", now=NOW)
        assert await commands.take(transaction, **known, gateway="two", now=NOW) == TakenCommand("one", b"{}")
        assert await commands.forget_before(transaction, NOW) == 0
        assert await commands.forget_before(transaction, NOW + timedelta(seconds=1)) == 1
        assert await commands.take(transaction, **known, gateway="two", now=NOW) == TakenCommand("two", None)
