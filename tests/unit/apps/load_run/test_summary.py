from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.summary import summary
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


def test_a_clean_ledger_and_an_early_stop_are_told():
    text = summary(outcome(stopped_early=True, ledger=Ledger().figures()))
    assert "ledger          clean" in text
    assert text.splitlines()[0].endswith("stopped early")
