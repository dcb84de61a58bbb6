"""What a gateway counts, as Prometheus reads it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.ocpp.versions import OcppVersion


@pytest.fixture
def metrics() -> GatewayMetrics:
    return GatewayMetrics(connected=lambda: 7, opening=lambda: 2)


def read(metrics: GatewayMetrics) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_gauges_tell_how_it_stands(metrics: GatewayMetrics) -> None:
    told = read(metrics)

    assert told["evcharging_gateway_stations"] == 7
    assert told["evcharging_gateway_openings"] == 2


def test_calls_are_counted_by_action_and_outcome_with_their_times(metrics: GatewayMetrics) -> None:
    metrics.handled(OcppVersion.V16, "Heartbeat", 0.0002, "ok")
    metrics.handled(OcppVersion.V16, "Heartbeat", 0.003, "ok")
    metrics.handled(OcppVersion.V16, "Heartbeat", 99.0, "InternalError")

    told = read(metrics)

    assert told['evcharging_gateway_calls_total{action="Heartbeat",outcome="ok"}'] == 2
    assert told['evcharging_gateway_calls_total{action="Heartbeat",outcome="InternalError"}'] == 1
    assert told['evcharging_gateway_calls_seconds_bucket{action="Heartbeat",le="0.00025"}'] == 1
    assert told['evcharging_gateway_calls_seconds_bucket{action="Heartbeat",le="0.005"}'] == 2
    assert told['evcharging_gateway_calls_seconds_bucket{action="Heartbeat",le="30.0"}'] == 2
    assert told['evcharging_gateway_calls_seconds_bucket{action="Heartbeat",le="+Inf"}'] == 3
    assert told['evcharging_gateway_calls_seconds_count{action="Heartbeat"}'] == 3
    assert told['evcharging_gateway_calls_seconds_sum{action="Heartbeat"}'] == pytest.approx(99.0032)


def test_a_call_that_was_never_answered_has_an_outcome_and_no_time(metrics: GatewayMetrics) -> None:
    metrics.called(OcppVersion.V16, "Reset", None, "timeout")

    told = read(metrics)

    assert told['evcharging_gateway_own_calls_total{action="Reset",outcome="timeout"}'] == 1
    assert 'evcharging_gateway_own_calls_seconds_count{action="Reset"}' not in told


def test_garbage_makes_no_labels(metrics: GatewayMetrics) -> None:
    for number in range(50):
        metrics.handled(OcppVersion.V16, f"Garbage{number}", 0.001, "NotImplemented")
        metrics.called(OcppVersion.V16, "Reset", 0.001, f"MadeUp{number}")
    metrics.handled(OcppVersion.V16, "TransactionEvent", 0.001, "NotImplemented")

    told = read(metrics)

    assert told['evcharging_gateway_calls_total{action="unknown",outcome="NotImplemented"}'] == 51
    assert told['evcharging_gateway_own_calls_total{action="Reset",outcome="other"}'] == 50
    assert len([name for name in told if name.startswith("evcharging_gateway_calls_total")]) == 1


def test_refusals_ignored_frames_and_waits_are_counted(metrics: GatewayMetrics) -> None:
    metrics.refused("password")
    metrics.refused("password")
    metrics.ignored("unreadable")
    metrics.held_back()
    metrics.events["replaced"] += 1

    told = read(metrics)

    assert told['evcharging_gateway_refused_openings_total{reason="password"}'] == 2
    assert told['evcharging_gateway_ignored_frames_total{reason="unreadable"}'] == 1
    assert told["evcharging_gateway_held_back_total"] == 1
    assert told["evcharging_gateway_replaced_total"] == 1
    assert told["evcharging_gateway_frames_untraced_total"] == 0
