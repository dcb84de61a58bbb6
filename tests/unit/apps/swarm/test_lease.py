from __future__ import annotations

from evcharging.apps.swarm.lease import Lease


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_it_is_held_as_long_as_it_is_renewed():
    clock = Clock()
    lease = Lease(clock, lasts_s=3.5)
    for _ in range(10):
        clock.at += 0.5
        assert lease.renew() == 0.0
    assert lease.held


def test_it_has_run_out_before_anybody_looks():
    clock = Clock()
    lease = Lease(clock, lasts_s=3.5)
    clock.at += 3.5
    assert not lease.held


def test_a_standstill_costs_it_until_it_is_granted_anew():
    clock = Clock()
    lease = Lease(clock, lasts_s=3.5)
    clock.at += 8.0
    assert lease.renew() == 8.0
    assert not lease.held
    clock.at += 0.5
    assert lease.renew() == 0.0
    assert not lease.held
    lease.grant()
    assert lease.held


def test_a_second_standstill_before_the_grant_is_told_too():
    clock = Clock()
    lease = Lease(clock, lasts_s=3.5)
    clock.at += 4.0
    lease.renew()
    clock.at += 5.0
    assert lease.renew() == 5.0
