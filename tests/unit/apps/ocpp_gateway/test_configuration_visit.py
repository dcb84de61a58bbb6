"""What is still to be set at a station, and which answer is no news."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.configuration_visit import AS_WANTED, CALL_ERROR, TIMEOUT, Answer, Visit
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from tests.support.gateway_parts import Socket

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def put(value: str, answer: str) -> dict[str, Any]:
    return Answer(answer).row("CP-1", "K", value, NOW)


def test_what_was_put_before_with_the_same_value_is_left_unless_it_met_with_silence() -> None:
    wanted = dict.fromkeys(("same", "other", "silent", "answered", "new"), "1")
    visit = Visit(ChargePoint("CP-1"), Socket(), DialectV16(), wanted)
    visit.put = {"same": put("1", "Rejected"), "other": put("0", "Accepted"), "silent": put("1", TIMEOUT)}
    visit.answers["answered"] = Answer("Accepted")
    assert visit.to_do() == [("other", "1"), ("silent", "1"), ("new", "1")]


@pytest.mark.parametrize(
    ("kept", "answer", "known"),
    [
        (put("1", "Rejected"), Answer("Rejected"), True),
        (put("1", "Rejected"), Answer("NotSupported"), False),
        (put("0", "Rejected"), Answer("Rejected"), False),
        (put("1", "Accepted"), Answer(AS_WANTED), True),
        (put("1", "RebootRequired"), Answer(AS_WANTED), False),
        (None, Answer(AS_WANTED), False),
        (Answer(CALL_ERROR, "x" * 300).row("CP-1", "K", "1", NOW), Answer(CALL_ERROR, "x" * 300), True),
    ],
)
def test_an_answer_is_known_by_what_was_kept(kept: dict[str, Any] | None, answer: Answer, known: bool) -> None:
    assert answer.is_known_by(kept, "1") is known
