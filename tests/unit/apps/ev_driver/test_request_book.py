"""One driver's requests: what is open, what has ended, and what a returning driver cannot know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_driver.request_book import REMEMBERED_IDS, RequestBook
from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind, UpdateStatus

START = datetime(2025, 10, 13, 12, tzinfo=UTC)
FINAL = [status for status in UpdateStatus if status.is_final]


def request(request_id: str, *, at_s: float = 0, kind: RequestKind = RequestKind.CHARGE) -> DriverRequest:
    ts = START + timedelta(seconds=at_s)
    return DriverRequest(ts=ts, request_id=request_id, driver_id="d", kind=kind, cp_id="any")


def update(request_id: str, status: UpdateStatus, *, at_s: float = 0) -> DriverUpdate:
    ts = START + timedelta(seconds=at_s)
    return DriverUpdate(ts=ts, request_id=request_id, driver_id="d", cp_id="CP-002", status=status)


def test_a_request_is_open_until_its_end_is_heard():
    book = RequestBook("d")
    entry = book.note(request("r1"))
    assert book.open_requests() == [entry]
    book.hear("e1", update("r1", UpdateStatus.ACCEPTED))
    book.hear("e2", update("r1", UpdateStatus.IN_PROGRESS))
    assert not entry.ended
    book.hear("e3", update("r1", UpdateStatus.COMPLETED))
    assert entry.ended
    assert book.open_requests() == []


@pytest.mark.parametrize("status", FINAL)
def test_nothing_moves_a_request_after_its_end(status):
    book = RequestBook("d")
    entry = book.note(request("r1"))
    assert book.hear("e1", update("r1", status)) is entry
    assert book.hear("e2", update("r1", UpdateStatus.IN_PROGRESS)) is None
    assert entry.last is not None
    assert entry.last.status is status


def test_a_repeated_event_is_heard_once():
    book = RequestBook("d")
    book.note(request("r1"))
    assert book.hear("e1", update("r1", UpdateStatus.IN_PROGRESS)) is not None
    assert book.hear("e1", update("r1", UpdateStatus.IN_PROGRESS)) is None
    assert book.hear("e2", update("r1", UpdateStatus.IN_PROGRESS)) is not None


def test_the_charge_point_is_the_one_central_chose():
    book = RequestBook("d")
    entry = book.note(request("r1"))
    book.hear("e1", update("r1", UpdateStatus.ACCEPTED))
    assert entry.cp_id == "CP-002"


def test_an_update_of_another_request_is_ignored_unless_it_is_to_be_adopted():
    book = RequestBook("d")
    assert book.hear("e1", update("r9", UpdateStatus.ACCEPTED)) is None
    assert book.open_requests() == []
    assert book.hear("e2", update("r9", UpdateStatus.ACCEPTED), adopt=True) is not None
    assert [entry.request_id for entry in book.open_requests()] == ["r9"]


def test_a_cancellation_marks_its_request_and_does_not_replace_it():
    book = RequestBook("d")
    entry = book.note(request("r1"))
    assert book.note(request("r1", kind=RequestKind.CANCEL)) is entry
    assert entry.cancelling
    assert entry.request is not None
    assert entry.request.kind is RequestKind.CHARGE


def test_a_cancellation_of_a_request_that_was_not_seen_is_open_too():
    book = RequestBook("d")
    book.note(request("r1", kind=RequestKind.CANCEL))
    assert [(entry.request_id, entry.cancelling) for entry in book.open_requests()] == [("r1", True)]


def test_open_requests_come_in_the_order_they_were_sent_however_they_were_read_back():
    book = RequestBook("d")
    book.hear("e1", update("r2", UpdateStatus.ACCEPTED, at_s=9), adopt=True)
    for request_id, at_s in (("r3", 3), ("r1", 1), ("r2", 2)):
        book.note(request(request_id, at_s=at_s))
    assert [entry.request_id for entry in book.open_requests()] == ["r1", "r2", "r3"]


def test_only_the_end_of_the_last_request_may_be_unheard():
    book = RequestBook("d")
    for number in (1, 2):
        book.note(request(f"r{number}", at_s=number * 10))
        book.hear(f"e{number}", update(f"r{number}", UpdateStatus.COMPLETED, at_s=number * 10 + 5))
    unheard = book.perhaps_unheard()
    assert unheard is not None
    assert unheard.request_id == "r2"


def test_while_the_last_request_is_open_every_earlier_end_is_known():
    book = RequestBook("d")
    book.note(request("r1", at_s=1))
    book.hear("e1", update("r1", UpdateStatus.COMPLETED, at_s=2))
    book.note(request("r2", at_s=3))
    assert book.perhaps_unheard() is None


def test_of_an_empty_book_nothing_is_unheard():
    assert RequestBook("d").perhaps_unheard() is None


def test_ended_requests_can_be_struck_out():
    book = RequestBook("d")
    book.note(request("r1"))
    book.note(request("r2"))
    book.hear("e1", update("r1", UpdateStatus.FAILED))
    book.forget_ended()
    assert [entry.request_id for entry in book.open_requests()] == ["r2"]
    assert book.perhaps_unheard() is None


def test_remembered_event_ids_are_bounded():
    book = RequestBook("d")
    book.note(request("r1"))
    for number in range(REMEMBERED_IDS + 100):
        book.hear(f"e{number}", update("r1", UpdateStatus.IN_PROGRESS))
    assert len(book._seen_ids) == REMEMBERED_IDS


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["r1", "r2", "r3"]), st.sampled_from(list(UpdateStatus)))),
    st.data(),
)
def test_repeats_anywhere_change_nothing(events, data):
    repeats = [event for event in events for _ in range(data.draw(st.integers(1, 3)))]
    once, often = RequestBook("d"), RequestBook("d")
    for book, stream in ((once, dict.fromkeys(events)), (often, repeats)):
        for request_id in ("r1", "r2", "r3"):
            book.note(request(request_id))
        for number, request_id, status in stream:
            book.hear(f"e{number}-{request_id}-{status}", update(request_id, status))
    assert often.open_requests() == once.open_requests()
    assert often._entries == once._entries
