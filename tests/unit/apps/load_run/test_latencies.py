import pytest

from evcharging.apps.load_run.latencies import Latencies


def recorded(*calls):
    latencies = Latencies()
    for action, seconds, outcome in calls:
        latencies.record(action, seconds, outcome)
    return latencies


def test_an_answered_call_is_in_the_percentiles():
    (figures,) = recorded(("Heartbeat", 0.1, "ok"), ("Heartbeat", 0.3, "ok")).figures()
    assert (figures.action, figures.calls, figures.answered, figures.failed) == ("Heartbeat", 2, 2, 0)
    assert figures.p50_s == pytest.approx(0.1, rel=0.001)
    assert figures.max_s == pytest.approx(0.3, rel=0.001)


def test_calls_never_answered_are_counted_apart_and_in_no_percentile():
    latencies = recorded(("Heartbeat", None, "timeout"), ("Heartbeat", None, "lost"), ("Heartbeat", 0.1, "ok"))
    (figures,) = latencies.figures()
    assert (figures.calls, figures.answered, figures.timeouts, figures.lost) == (3, 1, 1, 1)
    assert figures.max_s == pytest.approx(0.1, rel=0.001)
    assert (latencies.calls, latencies.timeouts, latencies.failed) == (3, 1, 0)


def test_failures_are_counted_by_code_and_their_answers_are_in_the_percentiles():
    figures = recorded(
        ("Authorize", 0.1, "InternalError"), ("Authorize", 0.1, "InternalError"), ("Authorize", 0.2, "invalid")
    ).figures()[0]
    assert figures.failures == {"InternalError": 2, "invalid": 1}
    assert (figures.failed, figures.answered) == (3, 3)


def test_an_action_never_answered_has_no_latency():
    assert recorded(("Authorize", None, "timeout")).figures()[0].p95_s is None


def test_the_most_frequent_action_comes_first_and_all_come_together_at_the_end():
    latencies = recorded(
        ("A", 0.1, "ok"), ("B", 0.2, "ok"), ("B", 0.4, "InternalError"), ("A", None, "lost"), ("B", 1, "ok")
    )
    assert [figures.action for figures in latencies.figures()] == ["B", "A"]
    overall = latencies.overall()
    assert (overall.action, overall.calls, overall.answered, overall.lost, overall.failed) == ("all", 5, 4, 1, 1)
    assert overall.max_s == pytest.approx(1.0, rel=0.001)


def test_who_looks_while_calls_are_measured_sees_one_action_more_each_time():
    latencies = recorded(("A", 0.1, "ok"), ("B", 0.2, "ok"), ("B", 0.4, "ok"))
    assert latencies.lately() == []
    assert latencies.overall_lately().calls == 0
    for _ in range(3):
        latencies.look_at_next()
    assert latencies.lately() == latencies.figures()
    assert latencies.overall_lately() == latencies.overall()
