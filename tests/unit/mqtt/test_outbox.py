from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from evcharging.mqtt.outbox import Outbox, Outgoing

LIMIT = 4


def connected(limit: int = LIMIT) -> Outbox:
    outbox = Outbox(limit)
    outbox.connection_made()
    return outbox


def sent(outbox: Outbox, most: int = 100) -> list[tuple[str, bytes]]:
    taken = outbox.take(most)
    for message in taken:
        outbox.arrived(message)
    return [(message.topic, message.payload) for message in taken]


def test_messages_leave_in_the_order_they_came() -> None:
    outbox = connected()
    outbox.put("t", b"1", qos=0, retain=False)
    outbox.put("status", b"online", qos=1, retain=True)
    outbox.put("t", b"2", qos=1, retain=False)
    assert sent(outbox) == [("t", b"1"), ("status", b"online"), ("t", b"2")]
    assert len(outbox) == 0


def test_without_a_connection_qos_0_is_dropped_and_counted() -> None:
    outbox = Outbox(LIMIT)
    assert not outbox.put("t", b"1", qos=0, retain=False)
    assert (outbox.dropped_qos0, len(outbox)) == (1, 0)


def test_qos_1_waits_for_a_connection_up_to_the_limit() -> None:
    outbox = Outbox(LIMIT)
    accepted = [outbox.put("t", b"%d" % n, qos=1, retain=False) for n in range(LIMIT + 2)]
    assert accepted == [True] * LIMIT + [False] * 2
    assert outbox.dropped_qos1 == 2
    outbox.connection_made()
    assert sent(outbox) == [("t", b"%d" % n) for n in range(LIMIT)]


def test_a_full_queue_drops_qos_0_too_and_counts_it() -> None:
    outbox = connected()
    for n in range(LIMIT + 3):
        outbox.put("t", b"%d" % n, qos=0, retain=False)
    assert (outbox.dropped_qos0, len(outbox)) == (3, LIMIT)


def test_what_is_in_flight_counts_against_the_limit_until_it_arrived() -> None:
    outbox = connected()
    for n in range(LIMIT):
        outbox.put("t", b"%d" % n, qos=1, retain=False)
    taken = outbox.take(LIMIT)
    assert not outbox.put("t", b"more", qos=1, retain=False)
    outbox.arrived(taken[0])
    assert outbox.put("t", b"more", qos=1, retain=False)


def test_a_retained_message_takes_the_place_of_an_older_one_that_still_waits() -> None:
    outbox = connected()
    outbox.put("status", b"online", qos=1, retain=True)
    outbox.put("t", b"1", qos=0, retain=False)
    outbox.put("status", b"offline", qos=1, retain=True)
    assert sent(outbox) == [("t", b"1"), ("status", b"offline")]


def test_every_connection_begins_with_the_latest_of_every_retained_topic() -> None:
    outbox = connected()
    outbox.put("status", b"online", qos=1, retain=True)
    outbox.put("state", b"1", qos=1, retain=True)
    outbox.put("state", b"2", qos=1, retain=True)
    sent(outbox)
    outbox.connection_lost()
    outbox.put("event", b"e", qos=1, retain=False)
    outbox.connection_made()
    assert sent(outbox) == [("status", b"online"), ("state", b"2"), ("event", b"e")]


def test_a_lost_connection_costs_the_waiting_qos_0_and_nothing_else() -> None:
    outbox = connected()
    outbox.put("t", b"0", qos=0, retain=False)
    outbox.put("e", b"1", qos=1, retain=False)
    outbox.put("t", b"2", qos=0, retain=False)
    outbox.put("e", b"3", qos=1, retain=False)
    outbox.take(2)
    outbox.connection_lost()
    assert outbox.dropped_qos0 == 2
    outbox.connection_made()
    assert sent(outbox) == [("e", b"1"), ("e", b"3")]


def test_a_retained_message_in_flight_gives_way_to_a_newer_one_when_the_connection_is_lost() -> None:
    outbox = connected()
    outbox.put("status", b"online", qos=1, retain=True)
    outbox.take(1)
    outbox.put("status", b"offline", qos=1, retain=True)
    outbox.connection_lost()
    outbox.connection_made()
    assert sent(outbox) == [("status", b"offline")]


def test_an_arrival_told_after_the_connection_was_lost_changes_nothing() -> None:
    outbox = connected()
    outbox.put("e", b"1", qos=1, retain=False)
    (message,) = outbox.take(1)
    outbox.connection_lost()
    outbox.arrived(message)
    outbox.connection_made()
    assert sent(outbox) == [("e", b"1")]


def test_a_forgotten_topic_is_still_sent_once_and_then_no_more() -> None:
    outbox = connected()
    outbox.put("status", b"offline", qos=1, retain=True)
    outbox.forget("status")
    outbox.connection_lost()
    outbox.connection_made()
    assert sent(outbox) == [("status", b"offline")]
    outbox.connection_lost()
    outbox.connection_made()
    assert sent(outbox) == []


class OutboxMachine(RuleBasedStateMachine):
    """Every message is sent, waiting, in flight or counted as dropped; never two of these, never none."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(LIMIT)
        self.connected = False
        self.in_flight: list[Outgoing] = []
        self.accepted = 0
        self.refused = 0
        self.arrived = 0
        self.latest: dict[str, bytes] = {}
        self.seen: dict[str, bytes] = {}
        self.number = 0

    @rule(qos=st.sampled_from([0, 1]))
    def put(self, qos: int) -> None:
        self.number += 1
        if self.outbox.put("t", b"%d" % self.number, qos=1 if qos else 0, retain=False):
            self.accepted += 1
        else:
            self.refused += 1

    @rule(topic=st.sampled_from(["status", "state"]))
    def put_retained(self, topic: str) -> None:
        self.number += 1
        assert self.outbox.put(topic, b"%d" % self.number, qos=1, retain=True)
        self.latest[topic] = b"%d" % self.number

    @rule(most=st.integers(1, 3))
    def take(self, most: int) -> None:
        if self.connected:
            self.in_flight += self.outbox.take(most)

    @rule()
    def arrive(self) -> None:
        if self.in_flight:
            message = self.in_flight.pop(0)
            self.outbox.arrived(message)
            if message.retain:
                self.seen[message.topic] = message.payload
            else:
                self.arrived += 1

    @rule()
    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.outbox.connection_made()

    @rule()
    def lose(self) -> None:
        if self.connected:
            self.connected = False
            self.in_flight.clear()
            self.outbox.connection_lost()

    @invariant()
    def nothing_is_lost_without_being_counted(self) -> None:
        dropped = self.outbox.dropped_qos0 + self.outbox.dropped_qos1
        waiting = self.accepted + self.refused - self.arrived - dropped
        assert 0 <= waiting <= LIMIT
        retained = len(self.latest) + sum(message.retain for message in self.in_flight)
        assert waiting <= len(self.outbox) <= waiting + retained

    def teardown(self) -> None:
        self.lose()
        self.connect()
        for topic, payload in sent(self.outbox):
            if topic in self.latest:
                self.seen[topic] = payload
        assert self.seen == self.latest
        assert len(self.outbox) == 0


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
