from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from evcharging.messages.commands import LONGEST_EXPIRY_S, Command, CommandAction, CommandOutcome, Reply

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_command_and_its_answer_are_two_events_known_by_one_id() -> None:
    command = Command(ts=NOW, command_id="c-1", cp_id="CP-001", action=CommandAction.START_SUPPLY, payload={"kwh": 10})
    reply = Reply(ts=NOW, command_id="c-1", cp_id="CP-001", outcome=CommandOutcome.REJECTED)
    assert (command.body_id(), reply.body_id()) == ("c-1", "c-1:reply")


def test_the_actions_and_outcomes_are_spelled_as_documented() -> None:
    assert {action.value for action in CommandAction} == {
        "START_SUPPLY", "STOP_SUPPLY", "STOP_CP", "RESUME_CP", "SET_LIMIT", "INJECT", "OCPP_CALL",
    }  # fmt: skip
    assert {outcome.value for outcome in CommandOutcome} == {
        "ACCEPTED", "REJECTED", "CALL_RESULT", "CALL_ERROR", "EXPIRED", "NOT_CONNECTED", "TIMEOUT",
    }  # fmt: skip
    assert LONGEST_EXPIRY_S > 0


@pytest.mark.parametrize(
    "wrong", [{"action": "EXPLODE"}, {"limit_amps": -1}, {"command_id": ""}, {"id_tag": "x" * 21}, {"payload": [1]}]
)
def test_a_command_that_nobody_could_execute_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Command.model_validate({"ts": NOW, "command_id": "c", "cp_id": "CP-001", "action": "SET_LIMIT"} | wrong)
