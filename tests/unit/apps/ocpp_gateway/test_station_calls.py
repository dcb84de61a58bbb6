"""Calls for Central, and what their ends are called in a reply."""

from __future__ import annotations

from typing import Any, cast

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, Link
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.messages.commands import CommandOutcome
from evcharging.ocpp.errors import CallFailed, CallTimedOut, ConnectionLost, InvalidAnswer
from evcharging.ocpp.versions import OcppVersion

DIALECT = DialectV16()


class Answering:
    """A link whose station answers one thing."""

    cp_id = "CP-1"
    version = OcppVersion.V16

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer
        self.called: list[tuple[str, dict[str, Any], float]] = []

    async def call(self, action: str, payload: dict[str, Any], *, timeout_s: float = 30.0) -> dict[str, Any]:
        self.called.append((action, payload, timeout_s))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def close(self, code: int, reason: str) -> None:
        raise AssertionError("nobody is to end the socket")


def point(answer: dict[str, Any] | Exception, boot_status: str | None = "Accepted") -> tuple[ChargePoint, Answering]:
    made, link = ChargePoint("CP-1"), Answering(answer)
    made.link = cast("Link", link)
    made.boot_status = boot_status
    return made, link


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ({"status": "Accepted"}, CommandOutcome.CALL_RESULT, None),
        ({"status": "Rejected"}, CommandOutcome.CALL_RESULT, None),
        (CallFailed("NotSupported", "no", {"x": 1}), CommandOutcome.CALL_ERROR, "NotSupported"),
        (InvalidAnswer("status: missing", {"odd": 1}), CommandOutcome.CALL_ERROR, "InvalidAnswer"),
        (CallTimedOut("late"), CommandOutcome.TIMEOUT, "timeout"),
        (ConnectionLost("gone"), CommandOutcome.NOT_CONNECTED, "not_connected"),
    ],
)
async def test_a_call_that_is_passed_on_ends_as_the_station_ends_it(
    answer: Any, outcome: CommandOutcome, code: str | None
) -> None:
    made, link = point(answer)
    told = await StationCalls(timeout_s=7).pass_on(made, DIALECT, "ClearCache", {})
    assert (told.outcome, told.error_code) == (outcome, code)
    assert link.called == [("ClearCache", {}, 7)]


async def test_an_order_is_accepted_or_refused_by_the_stations_status() -> None:
    calls = StationCalls(timeout_s=7)
    told = await calls.ask(point({"status": "Scheduled"})[0], DIALECT, DIALECT.serve(0, operative=False))
    assert told.outcome is CommandOutcome.ACCEPTED
    told = await calls.ask(point({"status": "Rejected"})[0], DIALECT, DIALECT.serve(0, operative=False))
    assert (told.outcome, told.error_code, told.payload) == (
        CommandOutcome.REJECTED,
        "rejected",
        {"status": "Rejected"},
    )


@pytest.mark.parametrize(("boot_status", "may_be_asked"), [("Pending", True), ("Rejected", False), (None, True)])
async def test_a_station_that_is_not_accepted_is_not_asked_to_charge(
    boot_status: str | None, may_be_asked: bool
) -> None:
    calls = StationCalls(timeout_s=7)
    made, link = point({"status": "Accepted"}, boot_status)
    told = await calls.ask(made, DIALECT, DIALECT.start(id_tag="T", connector_id=1, remote_start_id=1))
    assert (told.outcome is CommandOutcome.ACCEPTED) is (boot_status is None)
    told = await calls.pass_on(made, DIALECT, "ClearCache", {})
    assert (told.outcome is CommandOutcome.CALL_RESULT) is may_be_asked
    assert len(link.called) == may_be_asked + (boot_status is None)


async def test_nobody_is_called_without_a_socket_or_with_what_breaks_the_standard() -> None:
    calls = StationCalls(timeout_s=7)
    made, link = point({"status": "Accepted"})
    assert (await calls.pass_on(made, DIALECT, "Reset", {"type": "Warm"})).outcome is CommandOutcome.REJECTED
    assert (await calls.pass_on(made, DIALECT, "BootNotification", {})).error_code == "NotImplemented"
    assert link.called == []
    made.link = None
    assert (await calls.pass_on(made, DIALECT, "ClearCache", {})).outcome is CommandOutcome.NOT_CONNECTED
    assert (await calls.ask(made, DIALECT, DIALECT.stop("1"))).outcome is CommandOutcome.NOT_CONNECTED
