from __future__ import annotations

import sys

import pytest

from evcharging.apps.up.spec import ServiceSpec, check_specs, python_service, running


def spec(name: str, *needs: str) -> ServiceSpec:
    return ServiceSpec(name, ("true",), needs=needs)


def test_a_plan_whose_needs_can_be_met_passes():
    check_specs([spec("driver", "central"), spec("central", "kafka", "migrate"), spec("kafka"), spec("migrate")])


def test_a_name_that_is_used_twice_is_refused():
    with pytest.raises(ValueError, match="two services are named 'central'"):
        check_specs([spec("central"), spec("central")])


def test_a_need_that_nobody_meets_is_refused():
    with pytest.raises(ValueError, match="'central' needs kafka"):
        check_specs([spec("central", "kafka")])


def test_needs_that_go_in_a_circle_are_refused():
    with pytest.raises(ValueError, match="wait for each other: a, b, c"):
        check_specs([spec("a", "b"), spec("b", "c"), spec("c", "a"), spec("free")])


def test_a_service_of_ours_runs_under_the_launcher():
    command = python_service("evcharging.apps.ev_central.main", "--http-port", "1")
    assert command[:3] == (sys.executable, "-m", "evcharging.apps.up.launch")
    assert command[3:] == ("evcharging.apps.ev_central.main", "--http-port", "1")


async def test_a_service_with_nothing_to_ask_is_ready_once_it_runs():
    assert await running() is None
