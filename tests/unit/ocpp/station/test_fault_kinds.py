"""How a plan of protocol faults is read, and which reactions agree with the standard."""

from __future__ import annotations

import pytest

from evcharging.ocpp.station.fault_kinds import (
    CLOSED,
    FAULTS,
    NO_ANSWER,
    RESULT,
    BadFaultPlan,
    FaultKind,
    FaultPlan,
    Where,
)
from evcharging.ocpp.versions import OcppVersion


def test_every_fault_says_what_it_does_and_what_is_wanted_of_a_csms() -> None:
    assert list(FAULTS) == list(FaultKind)
    for spec in FAULTS.values():
        assert spec.does
        assert spec.reaction
        assert bool(spec.in_16) == (spec.where is Where.BEFORE_CALL or spec is FAULTS[FaultKind.DUPLICATE_CALL])


def test_reads_a_plan_of_names_and_rates() -> None:
    plan = FaultPlan.parse(" bad-json=0.05, late-answer=1 ,")
    assert dict(plan.rates) == {FaultKind.BAD_JSON: 0.05, FaultKind.LATE_ANSWER: 1.0}
    assert dict(FaultPlan.parse("").rates) == {}


def test_all_gives_every_fault_a_rate_that_a_later_one_changes() -> None:
    plan = FaultPlan.parse("all=0.01,flood=0")
    assert set(plan.rates) == set(FaultKind)
    assert plan.rates[FaultKind.FLOOD] == 0.0
    assert plan.rates[FaultKind.BAD_JSON] == 0.01


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bad-jason=0.1", "'bad-jason' is no fault; expected bad-json"),
        ("bad-json", "'bad-json': expected NAME=RATE with a rate from 0 to 1"),
        ("bad-json=2", "expected NAME=RATE"),
        ("bad-json=-0.1", "expected NAME=RATE"),
        ("bad-json=nan", "expected NAME=RATE"),
        ("bad-json=often", "expected NAME=RATE"),
        ("bad-json=0.6,duplicate-call=0.6", "add up to 1.2"),
        ("all=0.1", "add up to"),
    ],
)
def test_says_what_is_wrong_with_a_plan(text: str, told: str) -> None:
    with pytest.raises(BadFaultPlan, match=told):
        FaultPlan.parse(text)


@pytest.mark.parametrize(
    ("kind", "version", "good", "bad"),
    [
        (FaultKind.BAD_JSON, OcppVersion.V16, NO_ANSWER, "FormationViolation"),
        (FaultKind.BAD_JSON, OcppVersion.V201, "RpcFrameworkError", NO_ANSWER),
        (FaultKind.WRONG_MESSAGE_TYPE, OcppVersion.V201, "MessageTypeNotSupported", RESULT),
        (FaultKind.UNKNOWN_ACTION, OcppVersion.V16, "NotImplemented", RESULT),
        (FaultKind.MISSING_FIELD, OcppVersion.V16, "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
        (FaultKind.MISSING_FIELD, OcppVersion.V201, "OccurrenceConstraintViolation", "OccurenceConstraintViolation"),
        (FaultKind.WRONG_TYPE, OcppVersion.V16, "FormationViolation", "FormatViolation"),
        (FaultKind.WRONG_TRANSACTION_ID, OcppVersion.V16, RESULT, "PropertyConstraintViolation"),
        (FaultKind.BINARY_FRAME, OcppVersion.V16, CLOSED, RESULT),
        (FaultKind.DUPLICATE_CALL, OcppVersion.V16, RESULT, "InternalError"),
    ],
)
def test_reactions_agree_in_the_spelling_of_the_version(
    kind: FaultKind, version: OcppVersion, good: str, bad: str
) -> None:
    assert FAULTS[kind].agrees(good, version)
    assert not FAULTS[kind].agrees(bad, version)
