"""An outcome for tests of what is made from outcomes, with everything in it that can be shown."""

from dataclasses import replace
from datetime import UTC, datetime

from evcharging.apps.load_run.latencies import Latencies
from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.outcome import ConnectionFigures, FaultFigures, RunOutcome, StationFigures
from evcharging.apps.load_run.thresholds import Threshold
from evcharging.apps.load_run.timeline import Timeline


def outcome(*fail_if, **changes):
    latencies = Latencies()
    for action, seconds, word in (
        ("Heartbeat", 0.002, "ok"),
        ("Heartbeat", None, "timeout"),
        ("Authorize", 0.25, "InternalError"),
    ):
        latencies.record(action, seconds, word)
    timeline = Timeline()
    for second in (1.0, 2.0):
        timeline.called(0.002, failed=False, timed_out=False)
        timeline.close(second, wanted=2, connected=2, sessions=1, power_kw=7.4)
    timeline.close(3.0, wanted=2, connected=1, sessions=0, power_kw=0.0)
    ledger = Ledger()
    ledger.metered(Metered("S<1>", "l1", 7, 100, 350))
    made = RunOutcome(
        title="2 stations, ramp",
        plan={"CSMS": "ws://localhost:9000/ocpp?a=1&b=2"},
        seed=3,
        version="1.6",
        started_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        elapsed_s=3.0,
        stopped_early=False,
        actions=latencies.figures(),
        overall=latencies.overall(),
        points=timeline.points,
        connections=ConnectionFigures(2, 0, 1, 1, 4, 2, {"closed with <1006>": 1}),
        stations=StationFigures(2, 0, 0, 1, 0.25, 0.5, 60.0),
        ledger=ledger.figures(),
        background=replace(latencies.overall(), action="background"),
        ignored={"unmatched": 1},
        faults=(FaultFigures("bad-json", 1, 2, {"no answer": 3}),),
    )
    made = replace(made, **changes)
    verdicts = tuple(Threshold.parse(expression).judge(made.measured()) for expression in fail_if)
    return replace(made, verdicts=verdicts)
