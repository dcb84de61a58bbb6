import pytest

from evcharging.apps.load_run.timeline import LEAST_S, MOST_POINTS, Timeline


def close(timeline, at_s, **figures):
    return timeline.close(at_s, **{"wanted": 0, "connected": 0, "sessions": 0, "power_kw": 0.0, **figures})


def test_a_point_has_what_happened_in_its_interval_alone():
    timeline = Timeline()
    timeline.called(0.1, failed=False, timed_out=False)
    timeline.called(0.3, failed=True, timed_out=False)
    timeline.called(None, failed=False, timed_out=True)
    timeline.connected()
    timeline.disconnected()
    first = close(timeline, 2.0, wanted=5, connected=4, sessions=3, power_kw=22.0)
    assert (first.calls, first.failed, first.timeouts, first.connects, first.disconnects) == (3, 1, 1, 1, 1)
    assert first.calls_per_s == 1.5
    assert first.max_s == pytest.approx(0.3, rel=0.02)
    assert (first.wanted, first.connected, first.sessions, first.power_kw) == (5, 4, 3, 22.0)
    second = close(timeline, 3.0)
    assert (second.calls, second.connects, second.p95_s, second.length_s) == (0, 0, None, 1.0)
    assert timeline.points == (first, second)
    assert timeline.last is second


def test_an_interval_too_short_for_a_rate_joins_the_one_before():
    timeline = Timeline()
    close(timeline, 1.0)
    timeline.called(0.1, failed=False, timed_out=False)
    joined = close(timeline, 1.0 + LEAST_S / 2, connected=7)
    assert timeline.points == (joined,)
    assert (joined.length_s, joined.calls, joined.connected) == (1.0 + LEAST_S / 2, 1, 7)


def test_a_long_run_keeps_every_call_in_a_bounded_number_of_points():
    timeline = Timeline()
    seconds = 2 * MOST_POINTS + 1
    for second in range(1, seconds + 1):
        timeline.called(second / 1000, failed=False, timed_out=False)
        close(timeline, float(second), connected=second)
    assert len(timeline.points) <= MOST_POINTS
    assert sum(point.calls for point in timeline.points) == seconds
    assert sum(point.length_s for point in timeline.points) == pytest.approx(seconds)
    assert timeline.points[-1].connected == seconds
    assert max(point.max_s for point in timeline.points) == pytest.approx(seconds / 1000, rel=0.02)


def test_without_a_point_there_is_no_last():
    assert Timeline().last is None
