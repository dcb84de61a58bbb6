"""The last word on a connector."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evcharging.apps.ev_central.view_connector import ConnectorPicture
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import ConnectorDetail, Status, StatusSource

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIVATED, FAULT, SUPPLYING = ChargePointState.ACTIVATED, ChargePointState.FAULT, ChargePointState.SUPPLYING


def status(state: ChargePointState, source: StatusSource = StatusSource.OCPP, session_id: str | None = None) -> Status:
    return Status(ts=NOON, cp_id="CP-1", connector_id=1, state=state, source=source, session_id=session_id)


def test_the_last_word_counts_and_that_of_each_source_is_kept() -> None:
    connector = ConnectorPicture(ACTIVATED)
    of_station, of_central = status(SUPPLYING, session_id="s"), status(FAULT, StatusSource.CENTRAL)
    for said in (of_station, of_central):
        connector.say(said)
    assert (connector.state, connector.last) == (FAULT, of_central)
    assert connector.said == {StatusSource.OCPP: of_station, StatusSource.CENTRAL: of_central}


@pytest.mark.parametrize(
    ("said", "faulted"),
    [
        ([], False),
        ([status(FAULT, StatusSource.CENTRAL)], True),
        ([status(FAULT)], False),
        ([status(ACTIVATED, StatusSource.CENTRAL)], False),
        ([status(FAULT, StatusSource.CENTRAL), status(ACTIVATED)], False),
    ],
)
def test_a_fault_is_central_s_as_long_as_its_word_is_the_last(said: list[Status], faulted: bool) -> None:
    connector = ConnectorPicture(FAULT)
    for one in said:
        connector.say(one)
    assert connector.is_faulted_by_central is faulted


def test_a_list_says_the_same_where_state_and_session_are_the_same() -> None:
    connector = ConnectorPicture(SUPPLYING)
    entry = ConnectorDetail(connector_id=1, state=SUPPLYING, session_id="s")
    assert not connector.is_as(entry), "nothing was said of it"
    connector.say(status(SUPPLYING, session_id="s"))
    assert connector.is_as(entry)
    assert not connector.is_as(entry.model_copy(update={"session_id": "t"}))
    assert not connector.is_as(entry.model_copy(update={"state": ACTIVATED}))
