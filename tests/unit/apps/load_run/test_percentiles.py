import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.apps.load_run.percentiles import Percentiles


def filled(*seconds):
    percentiles = Percentiles()
    for second in seconds:
        percentiles.record(second)
    return percentiles


def test_without_any_duration_there_is_no_figure():
    assert (Percentiles().count, Percentiles().mean_s, Percentiles().at_s(50)) == (0, None, (None,))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-6, 600.0), min_size=1, max_size=200), st.sampled_from([50, 90, 95, 99, 100]))
def test_a_percentile_is_the_duration_that_so_many_do_not_exceed(seconds, percentile):
    (found,) = filled(*seconds).at_s(percentile)
    ordered = sorted(seconds)
    rank = max(0, -(-len(ordered) * percentile // 100) - 1)
    # Histograms round the rank to the nearest, so the neighbours are right too; 100 % is the longest in any case.
    below, above = ordered[max(0, rank - 1)], ordered[min(len(ordered) - 1, rank + 1)]
    assert (ordered[-1] if percentile == 100 else below) * 0.998 - 2e-6 <= found <= above * 1.002 + 2e-6


def test_what_is_out_of_range_counts_as_the_nearest():
    assert filled(0.0).at_s(100)[0] == pytest.approx(1e-6)
    assert filled(1e6).at_s(100)[0] == pytest.approx(600.0, rel=0.001)


def test_two_add_up_and_one_can_begin_again():
    together = filled(0.1)
    together.add(filled(0.2, 0.3))
    assert together.count == 3
    assert together.at_s(100)[0] == pytest.approx(0.3, rel=0.001)
    assert together.mean_s == pytest.approx(0.2, rel=0.001)
    together.reset()
    assert together.count == 0
