"""The ids of what a charge point says, and how much of it it remembers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from evcharging.apps.ev_cp_e.announcer import Announcer, Recent
from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.session import MeteredSession, SessionTerms
from evcharging.domain.charger import L2_THREE_PHASE
from evcharging.domain.states import ChargePointState
from tests.support.charge_point import NOON

NOW = Moment(NOON, 0.0)
ACTIVATED = ChargePointState.ACTIVATED


def an_announcer(boot_id: str = "boot-1") -> Announcer:
    return Announcer("CP-001", source="engine/test", boot_id=boot_id, ended={})


@pytest.fixture
def session() -> MeteredSession:
    return MeteredSession(
        session_id="session-1",
        driver_id="driver-alice",
        cp_id="CP-001",
        terms=SessionTerms(spec=L2_THREE_PHASE),
        register_start_wh=Decimal(1000),
        started_at=NOON,
    )


def test_a_sessions_beginning_and_end_have_ids_that_follow_from_it(session: MeteredSession):
    ids = [
        (a.begun(NOW, session, resumed=False).id, a.end(NOW, session, state=ACTIVATED, reason="unplugged").id)
        for a in (an_announcer("boot-1"), an_announcer("boot-2"))
    ]
    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]


def test_each_resumption_is_an_event_of_its_own(session: MeteredSession):
    first = an_announcer("boot-1").begun(NOW, session, resumed=True)
    second = an_announcer("boot-2").begun(NOW, session, resumed=True)
    assert first.id != second.id


def test_what_nothing_caused_has_an_id_of_its_own_in_every_life():
    def said(boot_id: str) -> list[str]:
        announcer = an_announcer(boot_id)
        return [announcer.status(NOW, state=ACTIVATED, previous=ACTIVATED, reason="boot").id for _ in range(2)]

    assert len({*said("boot-1"), *said("boot-2")}) == 4


def test_another_charge_point_of_the_same_life_has_other_ids():
    other = Announcer("CP-002", source="engine/test", boot_id="boot-1", ended={})
    told = [a.status(NOW, state=ACTIVATED, previous=ACTIVATED, reason="boot").id for a in (an_announcer(), other)]
    assert told[0] != told[1]


def test_the_last_status_and_the_ends_are_at_hand(session: MeteredSession):
    announcer = an_announcer()
    begun = announcer.begun(NOW, session, resumed=False)
    assert announcer.supplying is announcer.last_status is begun
    end = announcer.end(NOW, session, state=ACTIVATED, reason="unplugged")
    assert announcer.supplying is None
    assert announcer.ended.get("session-1") is announcer.last_status is end


def test_the_oldest_gives_way():
    recent = Recent({"a": 1, "b": 2}, most=2)
    recent.keep("a", 3)
    recent.keep("c", 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (3, None, 4)
