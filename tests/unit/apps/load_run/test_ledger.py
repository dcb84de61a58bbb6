import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.ledger import MOST_PROBLEMS_TOLD, Ledger, Metered


def metered(local_id="l1", transaction_id=1, start=100, stop=350, station="S1"):
    return Metered(station, local_id, transaction_id, start, stop)


def booked(*transactions, acknowledged=(), **ends):
    ledger = Ledger()
    for transaction in transactions:
        ledger.metered(transaction)
    for transaction_id, start, stop in acknowledged:
        ledger.start_acknowledged("S1", transaction_id, start)
        if stop is not None:
            ledger.end_acknowledged("S1", transaction_id, stop)
    return ledger


def test_a_transaction_acknowledged_as_metered_is_clean():
    figures = booked(metered(), acknowledged=[(1, 100, 350)]).figures()
    assert figures.clean
    assert (figures.began, figures.ended, figures.acknowledged) == (1, 1, 1)
    assert (figures.metered_wh, figures.acknowledged_wh) == (250, 250)


def test_an_empty_ledger_is_clean():
    assert Ledger().figures().clean


@pytest.mark.parametrize(
    ("transactions", "acknowledged", "told"),
    [
        ([metered(transaction_id=None)], [], "S1, transaction l1: the CSMS never acknowledged its start"),
        ([metered()], [], "never acknowledged its start"),
        ([metered()], [(1, 100, None)], "never acknowledged its end"),
        ([metered(stop=None)], [(1, 100, None)], "it never ended"),
        ([metered()], [(1, 100, 349)], "metered 100 to 350 Wh, acknowledged 100 to 349 Wh"),
        ([metered()], [(1, 99, 350)], "metered 100 to 350 Wh, acknowledged 99 to 350 Wh"),
        ([metered(), metered("l2", 1)], [(1, 100, 350)], "the CSMS gave it the id of 1 too"),
        ([], [(7, 0, 5)], "S1, transaction 7: the CSMS acknowledged it, no station has it"),
    ],
    ids=["no id", "no start", "no end", "still open", "lost Wh", "moved start", "one id for two", "nobody's"],
)
def test_what_does_not_add_up_is_told(transactions, acknowledged, told):
    figures = booked(*transactions, acknowledged=acknowledged).figures()
    assert not figures.clean
    assert any(told in problem for problem in figures.problems)


def test_a_transaction_acknowledged_twice_is_counted_and_no_problem():
    ledger = booked(metered(), acknowledged=[(1, 100, 350), (1, 100, 350)])
    assert (ledger.figures().repeated, ledger.figures().clean) == (2, True)


def test_the_same_id_at_another_station_is_another_transaction():
    ledger = booked(metered(), acknowledged=[(1, 100, 350)])
    ledger.metered(metered(station="S2"))
    assert [problem.split(":")[0] for problem in ledger.figures().problems] == ["S2, transaction 1"]


def test_the_newest_word_about_a_transaction_counts():
    ledger = booked(metered(transaction_id=None, stop=None), metered(), acknowledged=[(1, 100, 350)])
    assert ledger.figures().clean
    assert ledger.figures().began == 1


def test_messages_given_up_or_left_are_problems_and_kept_ones_are_not():
    ledger = Ledger()
    ledger.kept(3)
    assert (ledger.figures().kept_messages, ledger.figures().clean) == (3, True)
    ledger.dropped("S1")
    ledger.left("S2", 2)
    figures = ledger.figures()
    assert (figures.dropped_messages, figures.left_messages) == (1, 2)
    assert len(figures.problems) == 2


def test_what_could_not_be_told_to_a_csms_that_was_away_is_no_loss_of_the_csms():
    ledger = booked(metered("l1", 1), metered("l2", None), metered("l3", 3), acknowledged=[(1, 100, None)])
    ledger.left("S1", 3, of={"l1", "l2"}, reached=False)
    figures = ledger.figures()
    assert (figures.left_messages, figures.unreached_messages, figures.clean) == (3, 3, False)
    away = "the CSMS could not be reached"
    assert [(problem.split(":")[0], away in problem) for problem in figures.problems] == [
        ("S1, transaction 1", True),
        ("S1, transaction l2", True),
        ("S1, transaction 3", False),
        ("S1", True),
    ]


def test_while_it_runs_what_has_not_come_yet_is_no_problem():
    ledger = booked(metered(stop=None), metered("l2", 2), acknowledged=[(1, 100, None), (2, 100, 1)])
    assert [problem.split(":")[0] for problem in ledger.figures(final=False).problems] == ["S1, transaction 2"]
    assert len(ledger.figures().problems) == 2


def test_only_so_many_problems_are_told_and_the_others_counted():
    ledger = booked(*(metered(f"l{number}", number) for number in range(MOST_PROBLEMS_TOLD + 5)))
    figures = ledger.figures()
    assert (len(figures.problems), figures.more_problems) == (MOST_PROBLEMS_TOLD, 5)


@given(
    st.dictionaries(st.integers(1, 50), st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1), st.data()
)
def test_any_single_change_of_the_books_is_found(transactions, data):
    ledger = Ledger()
    spoiled = data.draw(st.sampled_from(sorted(transactions)))
    how = data.draw(st.sampled_from(["no start", "no end", "other energy"]))
    for transaction_id, (start, energy) in transactions.items():
        ledger.metered(metered(f"l{transaction_id}", transaction_id, start, start + energy))
        here = how if transaction_id == spoiled else ""
        if here != "no start":
            ledger.start_acknowledged("S1", transaction_id, start)
        if here != "no end":
            ledger.end_acknowledged("S1", transaction_id, start + energy + (here == "other energy"))
    figures = ledger.figures()
    assert len(figures.problems) == 1
    assert f"transaction {spoiled}:" in figures.problems[0]
