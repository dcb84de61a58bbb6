import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.sequence import Admission, SequenceLog


def test_numbers_in_order_are_applied_and_leave_no_gap():
    log = SequenceLog(1)
    assert [log.admit(seq) for seq in (1, 2, 3)] == [Admission.APPLIED] * 3
    assert (log.last, log.missing) == (3, ())


def test_a_jump_is_a_gap_and_what_fills_it_is_applied():
    log = SequenceLog(1)
    assert log.admit(5) is Admission.GAP
    assert log.missing == (range(1, 5),)
    assert log.admit(3) is Admission.APPLIED
    assert log.missing == (range(1, 3), range(4, 5))
    assert log.admit(3) is Admission.DUPLICATE
    assert [log.admit(seq) for seq in (4, 1, 2)] == [Admission.APPLIED] * 3
    assert log.missing == ()


def test_a_number_before_the_first_is_refused():
    with pytest.raises(ValueError, match="begins with 1, got 0"):
        SequenceLog(1).admit(0)


def test_a_wide_gap_costs_no_more_than_a_narrow_one():
    log = SequenceLog(1)
    assert log.admit(2**62) is Admission.GAP
    assert log.missing == (range(1, 2**62),)


@given(seqs=st.lists(st.integers(1, 40)))
def test_each_number_is_admitted_once_and_the_missing_are_those_that_have_not_come(seqs):
    log = SequenceLog(1)
    seen = set()
    for seq in seqs:
        admission = log.admit(seq)
        assert (admission is Admission.DUPLICATE) is (seq in seen)
        assert (admission is Admission.GAP) is (seq > max(seen, default=0) + 1)
        seen.add(seq)
        log = SequenceLog(1, last=log.last, missing=log.missing)
    missing = [seq for gap in log.missing for seq in gap]
    assert missing == [seq for seq in range(1, max(seen, default=0)) if seq not in seen]
    assert all(before.stop < after.start for before, after in zip(log.missing, log.missing[1:], strict=False))
