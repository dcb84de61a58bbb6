from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evcharging.bus.checks import COMPACTED, checked_starts, refuse_impossible
from evcharging.bus.protocol import Position, RecordRefused, Since, Start


def test_the_compacted_topics_are_those_that_hold_state() -> None:
    assert {"cp.status", "site.signals", "swarm.desired", "swarm.status", "auth.tokens", "ocpp.config"} == COMPACTED


@pytest.mark.parametrize("start", [Position.END, Since(datetime(2026, 1, 1, tzinfo=UTC))])
def test_a_group_begins_where_it_has_committed_or_at_the_beginning(start: Start) -> None:
    with pytest.raises(ValueError, match="group 'central' cannot read cp.status from"):
        checked_starts({"cp.status": start}, "central")
    assert checked_starts({"cp.status": start}, None) == {"cp.status": start}
    for allowed in (Position.COMMITTED, Position.BEGINNING):
        assert checked_starts({"cp.status": allowed}, "central") == {"cp.status": allowed}


def test_a_subscription_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one topic"):
        checked_starts({}, None)


def test_only_compacted_topics_need_a_key() -> None:
    refuse_impossible("cp.status", b"CP-001")
    refuse_impossible("cp.telemetry", None)
    with pytest.raises(RecordRefused, match=r"cp\.status, which is compacted: expected a key"):
        refuse_impossible("cp.status", None)
