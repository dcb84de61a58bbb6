"""When a charge point is held healthy: three misses make it unhealthy, one good probe heals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_cp_m.judge import ENGINE_UNREACHABLE, HealthJudge, Probe, Verdict

GOOD = Probe(True, None, 2.0)
UNREACHABLE = Probe(False, ENGINE_UNREACHABLE)
FAULTY = Probe(False, "ground_fault", 3.0)


def after(*probes: Probe, misses: int = 3) -> Verdict | None:
    judge = HealthJudge(misses)
    for probe in probes:
        judge.judge(probe)
    return judge.verdict


def test_nothing_is_held_before_the_first_probe():
    assert HealthJudge().verdict is None


def test_one_good_probe_makes_it_healthy_with_its_latency():
    assert after(GOOD) == Verdict(True, None, 2.0)


def test_two_misses_leave_it_healthy_and_say_so():
    assert after(GOOD, UNREACHABLE, UNREACHABLE) == Verdict(True, "2 of 3 probes missed", None)


def test_three_misses_make_it_unhealthy_as_unreachable():
    assert after(GOOD, UNREACHABLE, UNREACHABLE, UNREACHABLE) == Verdict(False, "engine_unreachable", None)


def test_three_unhealthy_answers_make_it_unhealthy_with_the_engines_detail():
    assert after(GOOD, FAULTY, FAULTY, FAULTY) == Verdict(False, "ground_fault", 3.0)


def test_misses_of_both_kinds_count_together_and_the_last_one_gives_the_detail():
    assert after(GOOD, UNREACHABLE, UNREACHABLE, FAULTY) == Verdict(False, "ground_fault", 3.0)
    assert after(GOOD, FAULTY, FAULTY, UNREACHABLE) == Verdict(False, "engine_unreachable", None)


def test_a_good_probe_between_misses_starts_the_count_again():
    assert after(GOOD, FAULTY, FAULTY, GOOD, FAULTY, FAULTY) == Verdict(True, "2 of 3 probes missed", 3.0)


def test_one_good_probe_heals():
    assert after(*[UNREACHABLE] * 10, GOOD) == Verdict(True, None, 2.0)


def test_two_misses_before_anything_was_held_leave_it_open_and_the_third_decides():
    assert after(UNREACHABLE, UNREACHABLE) is None
    assert after(UNREACHABLE, UNREACHABLE, UNREACHABLE) == Verdict(False, "engine_unreachable", None)


def test_while_unhealthy_the_detail_follows_the_last_probe():
    assert after(*[UNREACHABLE] * 3, FAULTY) == Verdict(False, "ground_fault", 3.0)


def test_the_number_of_misses_can_be_set():
    assert after(GOOD, FAULTY, misses=1) == Verdict(False, "ground_fault", 3.0)


@given(st.lists(st.sampled_from([GOOD, UNREACHABLE, FAULTY]), max_size=30), st.integers(1, 5))
def test_it_is_unhealthy_exactly_when_the_last_so_many_probes_were_all_bad(probes, misses):
    verdict = after(*probes, misses=misses)
    bad_at_the_end = next((i for i, probe in enumerate(reversed(probes)) if probe.healthy), len(probes))
    assert (verdict is not None and not verdict.healthy) == (bad_at_the_end >= misses)
    assert (verdict is None) == (not any(probe.healthy for probe in probes) and bad_at_the_end < misses)
