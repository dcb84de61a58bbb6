"""The conversation on a TCP control connection: answers, repetitions, deadlines, and peers out of step."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_central.framing import Fault, Frame, LinkBroken, Signal, encode_frame
from evcharging.apps.ev_central.tcp_link import ANSWER_WITHIN_S, RETRIES, Answer, ClientLink, ServerLink

ENQ, ACK, NACK, EOT = (bytes([signal]) for signal in (Signal.ENQ, Signal.ACK, Signal.NACK, Signal.EOT))
BODY = b'{"type": "health"}'


def spoilt(data: bytes = BODY) -> bytes:
    return encode_frame(data)[:-1] + bytes([encode_frame(data)[-1] ^ 0xFF])


def opened_server(now_s: float = 0.0) -> ServerLink:
    link = ServerLink(now_s, idle_s=30)
    link.feed(ENQ)
    assert link.next_event(now_s) is Signal.ENQ
    link.accept()
    assert link.take() == ACK
    return link


def opened_client(now_s: float = 0.0) -> ClientLink:
    link = ClientLink()
    link.enquire(now_s)
    assert link.take() == ENQ
    assert link.receive(ACK, now_s) is Answer.ACCEPTED
    return link


class TestServer:
    def test_enq_and_frames_are_answered_one_by_one(self):
        link = opened_server()
        link.feed(encode_frame(BODY) + encode_frame(b"{}"))
        assert link.next_event(0) == Frame(BODY)
        link.accept()
        assert link.next_event(0) == Frame(b"{}")
        link.refuse()
        assert link.next_event(0) is None
        assert link.take() == ACK + NACK
        assert not link.closed

    def test_enq_may_be_refused_and_asked_again(self):
        link = ServerLink(0)
        for _ in range(2):
            link.feed(ENQ)
            assert link.next_event(0) is Signal.ENQ
            link.refuse()
        assert link.take() == NACK + NACK
        assert not link.closed

    def test_a_frame_before_enq_was_accepted_breaks_the_link(self):
        link = ServerLink(0)
        link.feed(encode_frame(BODY))
        with pytest.raises(LinkBroken, match="before ENQ"):
            link.next_event(0)
        assert link.take() == NACK + EOT
        assert link.closed

    def test_a_damaged_frame_is_answered_nack_and_may_be_repeated_three_times(self):
        link = opened_server()
        for _ in range(1 + RETRIES):
            link.feed(spoilt())
            assert link.next_event(0) == Frame(BODY, intact=False)
            assert link.take() == NACK
        link.feed(spoilt())
        with pytest.raises(LinkBroken) as broken:
            link.next_event(0)
        assert broken.value.fault is Fault.DAMAGED
        assert link.take() == NACK + EOT

    def test_a_whole_frame_forgives_the_damaged_ones_before_it(self):
        link = opened_server()
        for _ in range(3):
            link.feed(spoilt() * (1 + RETRIES) + encode_frame(BODY))
            events = [link.next_event(0) for _ in range(2 + RETRIES)]
            assert events[-1] == Frame(BODY)
            link.accept()
        assert not link.closed

    def test_endless_enquiring_breaks_the_link(self):
        link = opened_server()
        link.feed(ENQ * 100)
        with pytest.raises(LinkBroken, match="ENQs"):
            for _ in range(100):
                link.next_event(0)
                link.accept()
        assert link.closed

    @pytest.mark.parametrize("wire", [ACK, NACK, b"GET / HTTP/1.1\r\n"])
    def test_what_no_client_sends_breaks_the_link(self, wire):
        link = opened_server()
        link.feed(wire)
        with pytest.raises(LinkBroken) as broken:
            link.next_event(0)
        assert broken.value.fault is Fault.GARBAGE

    def test_eot_closes_without_an_answer_and_nothing_is_read_after_it(self):
        link = opened_server()
        link.feed(EOT + encode_frame(BODY))
        assert link.next_event(0) is None
        assert link.closed
        assert link.next_event(0) is None
        assert link.take() == b""

    def test_what_is_no_message_is_answered_nack_and_eot(self):
        link = opened_server()
        link.feed(encode_frame(b"[]"))
        link.next_event(0)
        link.reject()
        assert link.take() == NACK + EOT

    def test_a_client_that_does_not_open_in_time_is_closed(self):
        link = ServerLink(100)
        link.expire(100 + ANSWER_WITHIN_S - 0.1)
        with pytest.raises(LinkBroken, match="ENQ did not come"):
            link.expire(link.deadline_s)
        assert link.take() == EOT

    def test_a_frame_that_drips_is_given_two_seconds_in_all(self):
        link = opened_server()
        link.feed(b"\x02{")
        assert link.next_event(10) is None
        link.feed(b'"a"')
        assert link.next_event(11.9) is None
        with pytest.raises(LinkBroken, match="rest of a frame") as broken:
            link.expire(10 + ANSWER_WITHIN_S)
        assert broken.value.fault is Fault.SLOW

    def test_a_frame_begun_again_has_two_seconds_from_then(self):
        link = opened_server()
        link.feed(b"\x02{")
        link.next_event(10)
        link.feed(b"\x02{")
        assert link.next_event(11) == Frame(b"{", intact=False)
        assert link.next_event(11) is None
        assert link.deadline_s == 11 + ANSWER_WITHIN_S

    def test_an_open_link_may_idle_for_as_long_as_set(self):
        link = opened_server(now_s=5)
        link.expire(34.9)
        with pytest.raises(LinkBroken, match="a frame did not come"):
            link.expire(35)

    @given(st.lists(st.binary(max_size=30) | st.sampled_from([ENQ, EOT, BODY, encode_frame(BODY), spoilt()])))
    def test_any_bytes_end_in_answers_or_in_a_broken_link(self, pieces):
        link = ServerLink(0)
        sent = b""
        try:
            for piece in pieces:
                link.feed(piece)
                while (event := link.next_event(0)) is not None:
                    if event is Signal.ENQ or (isinstance(event, Frame) and event.intact):
                        link.accept()
                    sent += link.take()
        except LinkBroken:
            assert link.closed
        assert set(sent + link.take()) <= {Signal.ACK, Signal.NACK, Signal.EOT}


class TestClient:
    def test_enq_then_frames_then_eot(self):
        link = opened_client()
        link.send(BODY, 0)
        assert link.take() == encode_frame(BODY)
        assert link.receive(ACK, 0) is Answer.ACCEPTED
        link.close()
        assert link.take() == EOT

    def test_one_thing_is_on_its_way_at_a_time(self):
        link = opened_client()
        link.send(BODY, 0)
        with pytest.raises(RuntimeError, match="on its way"):
            link.send(BODY, 0)

    def test_nothing_is_sent_on_a_closed_link(self):
        link = opened_client()
        link.close()
        with pytest.raises(RuntimeError, match="closed"):
            link.send(BODY, 0)

    def test_nack_has_the_frame_repeated_three_times(self):
        link = opened_client()
        link.send(BODY, 0)
        for _ in range(RETRIES):
            link.take()
            assert link.receive(NACK, 0) is None
            assert link.take() == encode_frame(BODY)
        assert link.receive(NACK, 0) is Answer.NOT_NOW
        assert not link.closed
        link.send(BODY, 0)
        assert link.receive(ACK, 0) is Answer.ACCEPTED

    def test_nack_to_a_frame_that_was_repeated_meanwhile_waits_for_the_repetitions_answer(self):
        link = opened_client()
        link.send(BODY, 0)
        link.expire(ANSWER_WITHIN_S)
        assert link.take() == encode_frame(BODY) * 2
        assert link.receive(NACK, 3) is None
        assert link.take() == b""
        assert link.receive(ACK, 3) is Answer.ACCEPTED

    def test_silence_has_the_frame_repeated_three_times_and_then_closes(self):
        link = opened_client()
        link.send(BODY, 10)
        link.take()
        for n in range(1, 1 + RETRIES):
            assert link.expire(10 + n * ANSWER_WITHIN_S - 0.1) is None
            assert link.take() == b""
            assert link.expire(10 + n * ANSWER_WITHIN_S) is None
            assert link.take() == encode_frame(BODY)
        assert link.expire(100) is Answer.SILENT
        assert link.take() == EOT
        assert link.closed

    def test_nack_and_eot_mean_never(self):
        link = opened_client()
        link.send(BODY, 0)
        link.take()
        assert link.receive(NACK + EOT, 0) is Answer.REJECTED
        assert link.closed
        assert link.take() == b""

    def test_nack_and_then_eot_mean_never_also_in_two_pieces(self):
        link = opened_client()
        link.send(BODY, 0)
        assert link.receive(NACK, 0) is None
        assert link.receive(EOT, 0) is Answer.REJECTED

    def test_eot_without_an_answer_is_a_lost_link(self):
        link = opened_client()
        link.send(BODY, 0)
        assert link.receive(EOT, 0) is Answer.LOST

    def test_eot_while_nothing_is_on_its_way_just_closes(self):
        link = opened_client()
        assert link.receive(EOT, 0) is None
        assert link.closed

    @pytest.mark.parametrize("wire", [ENQ, b"x", encode_frame(b"{}"), ACK + ACK])
    def test_what_no_server_sends_loses_the_link(self, wire):
        link = opened_client()
        link.send(BODY, 0)
        assert link.receive(wire, 0) is Answer.LOST
        assert link.closed

    def test_the_second_ack_of_a_repeated_frame_is_not_taken_for_the_next_frames(self):
        link = opened_client()
        link.send(b"1", 0)
        link.expire(ANSWER_WITHIN_S)
        assert link.receive(ACK, 3) is Answer.ACCEPTED
        link.send(b"2", 3)
        assert link.receive(ACK, 3) is None
        assert link.receive(NACK, 3) is None
        assert link.receive(ACK, 3) is Answer.ACCEPTED


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_what_the_client_believes_accepted_the_server_accepted_whatever_was_late_spoilt_or_refused(rng, count):
    """Both sides over a line with delays, damage and refusals: simulated time, nothing lost (TCP), order kept."""
    line = _Line(rng)
    for number in range(count):
        answer = line.deliver(b'{"n": %d}' % number)
        if answer is Answer.ACCEPTED:
            assert b'{"n": %d}' % number in line.accepted
        if line.client.closed:
            break
    first_seen = list(dict.fromkeys(line.accepted))
    assert first_seen == sorted(first_seen)


class _Line:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_s = 0.0
        self.server = opened_server()
        self.client = opened_client()
        self.accepted: list[bytes] = []
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []

    def deliver(self, body: bytes) -> Answer:
        self.client.send(body, self.now_s)
        while True:
            self.to_server += self._damaged(self.client.take())
            step = self.rng.choice([self._time_passes, self._server_reads, self._client_reads])
            answer = step()
            if answer is not None:
                return answer
            if self.server.closed and not self.to_client:
                self.client.close()
                return Answer.LOST

    def _damaged(self, wire: bytes) -> list[bytes]:
        if len(wire) > 3 and self.rng.random() < 0.2:
            wire = wire[:-1] + bytes([wire[-1] ^ 0xFF])
        return [wire] if wire else []

    def _time_passes(self) -> Answer | None:
        self.now_s += self.rng.choice([0.5, 1.0, 2.0])
        return self.client.expire(self.now_s)

    def _server_reads(self) -> None:
        if not self.to_server:
            return
        self.server.feed(self.to_server.pop(0))
        try:
            while (event := self.server.next_event(self.now_s)) is not None:
                if isinstance(event, Frame) and event.intact:
                    if self.rng.random() < 0.3:
                        self.server.refuse()
                    else:
                        self.accepted.append(event.data)
                        self.server.accept()
        except LinkBroken:
            pass
        if out := self.server.take():
            self.to_client.append(out)

    def _client_reads(self) -> Answer | None:
        return self.client.receive(self.to_client.pop(0), self.now_s) if self.to_client else None
