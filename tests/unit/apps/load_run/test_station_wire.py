from random import Random

import orjson

from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.network_faults import FrameFaults, NetworkFaults
from evcharging.apps.load_run.station_wire import StationWire
from evcharging.apps.load_run.wire_tap import WireTap
from evcharging.ocpp.station.clock import ManualClock

START = orjson.dumps([2, "m1", "StartTransaction", {"meterStart": 1}])
STARTED = orjson.dumps([3, "m1", {"transactionId": 7}])


class Noting:
    """A filter that lets everything pass and keeps it."""

    def __init__(self):
        self.out, self.back = [], []

    def outgoing(self, data, send, drop, left_late):
        self.out.append((data, send))
        left_late("m1")
        send(data)

    def incoming(self, data, receive, drop):
        self.back.append(data)
        receive(data)


def ledgered():
    ledger = Ledger()
    ledger.metered(Metered("S1", "l1", 7, 1, None))
    return ledger


def acknowledged(ledger):
    return "never acknowledged its start" not in " ".join(ledger.figures().problems)


def nothing():
    return None


def nobody(_message_id):
    return None


def test_frames_pass_both_ways_and_the_ledger_hears_them():
    ledger = ledgered()
    wire = StationWire(WireTap("S1", ledger))
    sent, received = [], []
    wire.outgoing(START, sent.append, nothing, nobody)
    wire.incoming(STARTED, received.append, nothing)
    assert (sent, received) == ([START], [STARTED])
    assert acknowledged(ledger)


def test_the_ledger_hears_nothing_of_what_the_network_lost():
    lossy = FrameFaults(NetworkFaults(loss=1.0), clock=ManualClock(), generator=Random(1))
    ledger = ledgered()
    wire = StationWire(WireTap("S1", ledger), out=lossy)
    sent = []
    wire.outgoing(START, sent.append, nothing, nobody)
    wire.incoming(STARTED, lambda _: None, nothing)
    assert sent == []
    assert not acknowledged(ledger)


def test_an_answer_lost_on_the_way_back_is_not_acknowledged():
    lossy = FrameFaults(NetworkFaults(loss=1.0), clock=ManualClock(), generator=Random(1))
    ledger = ledgered()
    wire = StationWire(WireTap("S1", ledger), back=lossy)
    received = []
    wire.outgoing(START, lambda _: None, nothing, nobody)
    wire.incoming(STARTED, received.append, nothing)
    assert received == []
    assert not acknowledged(ledger)


def test_faults_of_the_protocol_stand_between_the_station_and_the_network():
    protocol = Noting()
    wire = StationWire(WireTap("S1", Ledger()), protocol=protocol)
    first, second = [], []
    wire.outgoing(b"a", first.append, nothing, nobody)
    wire.outgoing(b"b", first.append, nothing, nobody)
    wire.outgoing(b"c", second.append, nothing, nobody)
    wire.incoming(b"d", lambda _: None, nothing)
    assert (first, second, protocol.back) == ([b"a", b"b"], [b"c"], [b"d"])
    ways = [send for _, send in protocol.out]
    assert ways[0] is ways[1]
    assert ways[1] is not ways[2]


def test_the_word_that_a_call_left_late_comes_through():
    wire = StationWire(WireTap("S1", Ledger()), protocol=Noting())
    late = []
    wire.outgoing(START, lambda _: None, nothing, late.append)
    assert late == ["m1"]
