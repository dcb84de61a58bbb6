import orjson

from tests.support.load_run import outcome


def test_a_run_fails_with_any_threshold_crossed():
    assert not outcome().failed
    assert not outcome("failures > 5").failed
    assert outcome("failures > 5", "timeouts > 0").failed


def test_thresholds_of_the_whole_run_are_judged_over_its_own_figures():
    assert [verdict.measured for verdict in outcome("calls_per_s < 5", "reconnects > 5", "ledger > 0").verdicts] == [
        "1",
        "0",
        "1",
    ]


def test_everything_goes_into_json():
    told = orjson.loads(orjson.dumps(outcome("ledger > 0").as_dict()))
    assert told["started_at"] == "2026-03-01T12:00:00+00:00"
    assert told["failed"] is True
    assert told["ledger"]["clean"] is False
    assert told["calls_per_s"] == 1.0
    assert len(told["points"]) == 3


def test_a_run_of_no_time_has_no_rate():
    assert outcome(elapsed_s=0.0).calls_per_s == 0.0
