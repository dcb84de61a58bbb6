import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.wire_tap import WireTap
from evcharging.ocpp.station.faults import FAULT_ID

START = [
    2,
    "m1",
    "StartTransaction",
    {"connectorId": 1, "idTag": "A", "meterStart": 100, "timestamp": "2026-01-01T00:00:00Z"},
]
STARTED = [3, "m1", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}]
STOP = [2, "m2", "StopTransaction", {"transactionId": 7, "meterStop": 350, "timestamp": "2026-01-01T01:00:00Z"}]
STOPPED = [3, "m2", {}]


def heard(*frames, metered=(7, 100, 350)):
    """Frames of calls go out, the others come in; None is a new socket."""
    ledger = Ledger()
    tap = WireTap("S1", ledger)
    for frame in frames:
        if frame is None:
            tap.reconnected()
        elif frame[0] == 2:
            tap.sent(orjson.dumps(frame))
        else:
            tap.received(orjson.dumps(frame))
    ledger.metered(Metered("S1", "l1", *metered))
    return ledger.figures()


def event(kind, *registers, message_id="m1", unit=None):
    values = [{"value": wh, "measurand": "Energy.Active.Import.Register", **(unit or {})} for wh in registers]
    payload = {
        "eventType": kind,
        "transactionInfo": {"transactionId": "t1"},
        "meterValue": [
            {"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": 9.0, "measurand": "Voltage"}, *values]}
        ],
    }
    return [2, message_id, "TransactionEvent", payload]


def test_what_the_csms_acknowledged_is_noted():
    assert heard(START, STARTED, STOP, STOPPED).clean


def test_what_is_sent_in_a_faults_name_is_in_nobodys_books():
    stop = [2, f"{FAULT_ID}3-1", "StopTransaction", {**STOP[3], "transactionId": 2_147_483_000}]
    assert heard(START, STARTED, stop, [3, stop[1], {}], STOP, STOPPED).clean


@pytest.mark.parametrize(
    "frames",
    [
        (START, STOP),
        (START, STARTED, STOP),
        (START, STARTED, STOP, [4, "m2", "InternalError", "", {}]),
        (START, STARTED, STOP, [3, "m9", {}]),
        (START, None, STARTED, STOP, STOPPED),
    ],
    ids=["nothing", "no end", "an error", "another's answer", "an answer on a new socket"],
)
def test_what_was_not_answered_is_not_acknowledged(frames):
    assert not heard(*frames).clean


def test_of_201_the_events_at_both_ends_count_with_their_registers():
    frames = (
        event("Started", 100.0),
        [3, "m1", {}],
        event("Updated", 200.0),
        [3, "m1", {}],
        event("Ended", 300.0, 350.0),
        [3, "m1", {}],
    )
    assert heard(*frames, metered=("t1", 100, 350)).clean


def test_registers_in_other_units_are_read_in_wh():
    kwh = {"unitOfMeasure": {"unit": "kWh"}}
    tens = {"unitOfMeasure": {"unit": "Wh", "multiplier": 1}}
    frames = (event("Started", 0.1, unit=kwh), [3, "m1", {}], event("Ended", 35, unit=tens), [3, "m1", {}])
    assert heard(*frames, metered=("t1", 100, 350)).clean


def test_an_event_without_a_register_tells_of_none():
    frames = (event("Started"), [3, "m1", {}], event("Ended", 350), [3, "m1", {}])
    assert not heard(*frames, metered=("t1", 100, 350)).clean


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers(-9, 9) | st.text(max_size=5), st.lists).map(orjson.dumps)
)
def test_no_text_disturbs_it(data):
    tap = WireTap("S1", Ledger())
    tap.sent(b'[2,"m1","StartTransaction"' + data)
    tap.sent(orjson.dumps(START))
    tap.received(data)
    tap.received(orjson.dumps([3, "m1", {"transactionId": 7}]))


@pytest.mark.parametrize("answer", [{}, [], None, "yes", 5])
def test_an_answer_that_breaks_the_schema_acknowledges_nothing(answer):
    assert not heard(START, [3, "m1", answer]).clean
