"""What a repeated start or stop is recognised by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.transaction_reports import Start, Stop

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = Start(connector_id=1, id_tag="TAG", started_at=AT, register_wh=Decimal("1000.000"))


def test_the_same_words_are_the_same_start_in_whatever_zone_and_case() -> None:
    same = replace(START, id_tag="tag", started_at=AT.astimezone(timezone(timedelta(hours=2))))
    assert same.content_key("CP-1") == START.content_key("CP-1")


@pytest.mark.parametrize(
    "change",
    [
        {"connector_id": 2},
        {"id_tag": "OTHER"},
        {"started_at": AT + timedelta(milliseconds=1)},
        {"register_wh": Decimal("1001.000")},
    ],
)
def test_any_other_word_is_another_start(change: dict[str, Any]) -> None:
    assert replace(START, **change).content_key("CP-1") != START.content_key("CP-1")


def test_the_same_words_of_another_station_are_another_start() -> None:
    assert START.content_key("CP-2") != START.content_key("CP-1")


def test_a_start_that_its_station_named_is_recognised_by_that_name_alone() -> None:
    named = replace(START, transaction_id="tx-1")
    assert replace(named, register_wh=None).content_key("CP-1") == named.content_key("CP-1")
    assert replace(named, transaction_id="tx-2").content_key("CP-1") != named.content_key("CP-1")


def test_a_stop_is_recognised_by_what_it_says() -> None:
    stop = Stop(transaction_id="7", stopped_at=AT, register_wh=Decimal(1))
    assert replace(stop, reason="Local").content_key("CP-1") == stop.content_key("CP-1")
    assert replace(stop, register_wh=Decimal(2)).content_key("CP-1") != stop.content_key("CP-1")
