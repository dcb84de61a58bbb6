from dataclasses import replace

import pytest

from evcharging.apps.load_run.latencies import Latencies
from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.outcome import ConnectionFigures, FaultFigures
from evcharging.apps.load_run.summary import summary, why_nothing_ran
from tests.support.load_run import outcome


def test_the_last_words_have_every_action_in_columns():
    lines = summary(outcome()).splitlines()
    table = lines[2:6]
    assert [line.split()[0] for line in table] == ["action", "Heartbeat", "Authorize", "all"]
    assert len({len(line) for line in table}) == 1


def test_they_tell_sockets_sessions_ledger_failures_and_verdicts():
    text = summary(outcome("failures > 0", "failures > 5"))
    for words in (
        "2 opened, 0 of them again, 1 lost, 4 attempts failed",
        "1 do not add up: 0 of 1 transactions, 0 of 250 Wh",
        "never acknowledged its start",
        "Authorize: InternalError 1",
        "crossed         failures > 0 (measured 1)",
        "held            failures > 5 (measured 1)",
    ):
        assert words in text


def test_a_clean_ledger_an_empty_one_and_an_early_stop_are_told():
    ledger = Ledger()
    assert "ledger          empty: no transaction began" in summary(outcome(ledger=ledger.figures()))
    ledger.metered(Metered("S1", "l1", 7, 100, 350))
    ledger.start_acknowledged("S1", 7, 100)
    ledger.end_acknowledged("S1", 7, 350)
    text = summary(outcome(stopped_early=True, ledger=ledger.figures()))
    assert "ledger          clean: 1 of 1 transactions, 250 of 250 Wh" in text
    assert text.splitlines()[0].endswith("stopped early")


def test_a_run_that_was_cut_off_says_what_that_means():
    first = summary(outcome(stopped_early=True, cut_off=True)).splitlines()[0]
    assert first.endswith("stopped early, cut off: stations had no time to end what they had begun")


def test_stations_that_never_came_or_were_cut_off_are_told_with_why():
    made = outcome()
    stations = replace(made.stations, most=5, ended_by_force=1, late_s=2.5)
    sockets = replace(made.connections, stations=4, stations_accepted=3, reasons={"refused": 7, "reset": 2})
    text = summary(replace(made, stations=stations, connections=sockets))
    for words in (
        "stations        3 of 5 accepted, 1 connected and never accepted, 1 never connected; 1 cut off at the end",
        "of them         7 times: refused",
        "                2 times: reset",
        "late            by up to 2.5 s: this machine was too busy",
    ):
        assert words in text
    assert "late  " not in summary(made)


def test_what_faults_and_background_came_to_stays_on_the_terminal():
    made = outcome()
    faults = (
        FaultFigures("bad-json", 12, 2, {"FormationViolation": 12, "no answer": 2}),
        FaultFigures("late-answer", 3, 0, {"served": 3}),
    )
    text = summary(replace(made, faults=faults))
    for line in (
        "faults          bad-json: 12 taken as the standard says, 2 otherwise (FormationViolation 12, no answer 2)",
        "faults          late-answer: 3 taken as the standard says, 0 otherwise (served 3)",
        "background      3 calls, 1 failed, 1 timeouts, 0 lost, p50 2 ms, p95 250 ms, p99 250 ms, max 250 ms",
    ):
        assert line in text.splitlines()
    without = summary(replace(made, faults=(), background=None))
    assert "faults" not in without
    assert "background" not in without


def test_faults_that_were_asked_for_and_did_not_come_are_told():
    made = outcome(faults=())
    text = summary(replace(made, plan={**made.plan, "protocol faults": "bad-json=0.000001"}))
    assert "faults          none came: bad-json=0.000001" in text.splitlines()


def test_where_the_csms_said_why_no_station_may_connect_its_words_are_the_last():
    said = "HTTP 403: <id> has security profile 2: connect with wss://"
    assert nothing_ran(failed_attempts=3, reasons={said: 3}).endswith(f"3 of them so: {said}")


def nothing_ran(*boots, connects=0, failed_attempts=0, reasons=None):
    latencies = Latencies()
    for seconds, word in boots:
        latencies.record("BootNotification", seconds, word)
    made = outcome(actions=latencies.figures())
    sockets = ConnectionFigures(connects, 0, 0, connects, failed_attempts, 0, reasons or {}, stations=connects)
    stations = replace(made.stations, most=100)
    return why_nothing_ran(replace(made, connections=sockets, stations=stations), "ws://csms/ocpp")


REFUSED = {"ws://csms/ocpp/<id>: Connection refused": 38, "other": 2}


@pytest.mark.parametrize(
    ("told", "words", "hint"),
    [
        (
            nothing_ran(failed_attempts=40, reasons=REFUSED),
            "0 of 100 stations, 40 attempts failed, 38 of them so: ws://csms/ocpp/<id>: Connection refused",
            "is the CSMS running",
        ),
        (nothing_ran(), "of 100 stations none had an answer within the run", "is it a CSMS that listens there"),
        (
            nothing_ran((None, "timeout"), (None, "timeout"), (None, "lost"), connects=80, failed_attempts=3),
            "80 of 100 connected, 3 attempts failed; BootNotification: 3 sent, 2 timed out, 1 lost with their socket",
            "does the CSMS speak OCPP 1.6 at this path",
        ),
        (
            nothing_ran((0.1, "ok"), (0.1, "InternalError"), connects=2),
            "BootNotification: 2 sent, 1 refused (InternalError), 1 answered, and not with Accepted",
            "does the CSMS know these stations",
        ),
        (nothing_ran(connects=5), "BootNotification: not one was sent", "does the CSMS speak OCPP 1.6"),
    ],
)
def test_where_nothing_ran_the_last_line_says_by_numbers_how_far_it_came_and_what_to_check(told, words, hint):
    assert words in told
    assert f"; check: {hint}" in told
