from __future__ import annotations

from evcharging.bus.ratelimit import RateLimit


def test_what_is_left_out_is_told_with_the_next_one() -> None:
    now_s = [0.0]
    limit = RateLimit(per_s=0.2, monotonic=lambda: now_s[0])
    assert limit.admit() == 0
    assert [limit.admit() for _ in range(3)] == [None, None, None]
    now_s[0] = 4.9
    assert limit.admit() is None
    now_s[0] = 5.0
    assert limit.admit() == 4
    now_s[0] = 100.0
    assert limit.admit() == 0
