"""Which calls of a 2.0.1 station are answered, and how; what they do is in tests/integration/test_gateway_v201.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.authorization import Authorization
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.dialect_v201 import DialectV201
from evcharging.apps.ocpp_gateway.handlers_v201 import NOT_SERVED, TAKEN_NOTE_OF, HandlersV201
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.schemas import actions, check_response
from evcharging.ocpp.versions import OcppVersion

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Unused:
    """Stands for a service that an answer must not need."""

    def take(self, *_args: Any) -> Any:
        raise AssertionError("not to be used")


@pytest.fixture
def handlers() -> HandlersV201:
    unused: Any = Unused()
    return HandlersV201(
        authorization=Authorization(accept_unknown=True, now=lambda: NOW),
        boots=unused,
        metering=unused,
        statuses=unused,
        events=unused,
        upkeep=unused,
        writes=unused,
        now=lambda: NOW,
    )


def test_every_action_of_the_standard_is_answered_or_refused_with_its_reason(handlers: HandlersV201) -> None:
    faults = {}
    for action in actions(OcppVersion.V201):
        try:
            handlers.handle(ChargePoint("CP-001"), action, {})
        except CallRejected as refused:
            faults[action] = refused.fault
        except (AssertionError, AttributeError, KeyError):
            pass  # it has a handler, which wants its payload

    assert {action for action, fault in faults.items() if fault is Fault.NOT_IMPLEMENTED} == NOT_SERVED
    not_supported = {action for action, fault in faults.items() if fault is Fault.NOT_SUPPORTED}
    assert not_supported == DialectV201.actions - {"DataTransfer"}


@pytest.mark.parametrize("action", sorted(TAKEN_NOTE_OF))
def test_a_notice_is_answered_with_nothing(handlers: HandlersV201, action: str) -> None:
    answer = handlers.handle(ChargePoint("CP-001"), action, {})

    assert answer == {}
    check_response(OcppVersion.V201, action, {})


def test_a_heartbeat_and_an_authorization_need_no_database(handlers: HandlersV201) -> None:
    point = ChargePoint("CP-001")

    assert handlers.handle(point, "Heartbeat", {}) == {"currentTime": "2026-01-31T12:00:00.000Z"}
    token = {"idToken": {"idToken": "ANY", "type": "Central"}}
    assert handlers.handle(point, "Authorize", token) == {"idTokenInfo": {"status": "Accepted"}}
