import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.latencies import Latencies
from evcharging.apps.load_run.thresholds import BadThreshold, Measured, Threshold
from evcharging.ocpp.versions import OcppVersion


def measured(*calls, **run):
    latencies = Latencies()
    for action, seconds, outcome in calls:
        latencies.record(action, seconds, outcome)
    return Measured(
        {figures.action: figures for figures in latencies.figures()},
        latencies.overall(),
        {"calls_per_s": 100.0, "connects": 10, "reconnects": 2, "disconnects": 3, "ledger": 0, **run},
    )


CALLS = (
    ("StartTransaction", 0.4, "ok"),
    ("StartTransaction", 0.6, "InternalError"),
    ("Heartbeat", 0.1, "ok"),
    ("Heartbeat", None, "timeout"),
)


@pytest.mark.parametrize(
    ("expression", "failed"),
    [
        ("p95(StartTransaction) > 500ms", True),
        ("p95(StartTransaction) > 700ms", False),
        ("p50(StartTransaction)>0.5s", False),
        ("max >= 600 ms", True),
        ("mean(Heartbeat) < 1s", True),
        ("failures > 0", True),
        ("failures(Heartbeat) > 0", False),
        ("failures > 25%", False),
        ("failures >= 25%", True),
        ("timeouts(Heartbeat) == 1", True),
        ("timeouts > 1%", True),
        ("lost != 0", False),
        ("calls(Heartbeat) < 3", True),
        ("calls_per_s < 1000", True),
        ("calls_per_s < 50", False),
        ("connects < 10", False),
        ("reconnects > 1", True),
        ("disconnects > 3", False),
        ("ledger > 0", False),
        ("failures(Authorize) > 0", False),
    ],
)
def test_a_threshold_is_crossed_exactly_where_its_figure_is(expression, failed):
    assert Threshold.parse(expression).judge(measured(*CALLS)).failed is failed


def test_a_latency_that_cannot_be_told_counts_as_crossed():
    verdict = Threshold.parse("p95(Authorize) > 10s").judge(measured(*CALLS))
    assert (verdict.failed, verdict.measured) == (True, "no call was answered")
    assert Threshold.parse("p95 > 10s").judge(measured(("A", None, "timeout"))).failed


def test_a_verdict_says_what_was_measured():
    assert Threshold.parse("p95(StartTransaction) > 1s").judge(measured(*CALLS)).measured == "600 ms"
    assert Threshold.parse("failures > 1%").judge(measured(*CALLS)).measured == "25.000% (1 of 4)"


def test_without_any_call_no_share_failed():
    assert not Threshold.parse("failures > 1%").judge(measured()).failed


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("p95(StartTransaction)", "is no threshold; expected as"),
        ("", "is no threshold"),
        ("p97 > 5ms", "'p97' in 'p97 > 5ms' is no figure; expected p50"),
        ("p95 > 5", "has no unit; expected as 500ms"),
        ("p95 > 5%", "not a duration"),
        ("failures > 5ms", "not a number"),
        ("calls > 5%", "not a number"),
        ("ledger(Heartbeat) > 0", "of the whole run"),
        ("failures > 1.2.3", "not a number"),
        ("failures => 1", "is no threshold"),
    ],
)
def test_what_is_no_threshold_is_refused_with_what_would_be_one(expression, told):
    with pytest.raises(BadThreshold) as caught:
        Threshold.parse(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("version", "action", "told"),
    [
        ("1.6", "StartTransactoin", "did you mean StartTransaction? OCPP 1.6: Authorize, Boot"),
        ("1.6", "heartbeat", "did you mean Heartbeat?"),
        ("1.6", "Xyzzy", "is no action that stations send; OCPP 1.6: Authorize, "),
        ("1.6", "RemoteStartTransaction", "did you mean StartTransaction?"),
        ("2.0.1", "StartTransaction", "did you mean TransactionEvent? OCPP 2.0.1: Authorize"),
    ],
)
def test_an_action_that_no_station_of_the_version_sends_is_refused_with_those_they_send(version, action, told):
    with pytest.raises(BadThreshold) as caught:
        Threshold.parse(f"p95({action}) > 500ms", version=OcppVersion(version))
    assert f"'{action}' in 'p95({action}) > 500ms'" in str(caught.value)
    assert told in str(caught.value)


def test_an_action_that_stations_of_the_version_send_is_taken():
    assert Threshold.parse("p95(Heartbeat) > 1s", version=OcppVersion.V16).action == "Heartbeat"
    assert Threshold.parse("p95(TransactionEvent) > 1s", version=OcppVersion.V201).action == "TransactionEvent"


MEASURED = measured(*CALLS)


@given(st.text(max_size=40))
def test_any_text_is_a_threshold_or_a_bad_threshold(text):
    try:
        threshold = Threshold.parse(text)
    except BadThreshold:
        return
    threshold.judge(MEASURED)
