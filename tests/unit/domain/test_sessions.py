from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.end_reasons import EndReason, SessionStatus
from evcharging.domain.energy import InvalidEnergy
from evcharging.domain.money import currency
from evcharging.domain.sequence import Admission
from evcharging.domain.sessions import CurrencyMismatch, Interval, InvalidInterval, LedgerState, SessionLedger
from evcharging.domain.tariff import Price, PriceHistory

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICE = Price.of("0.30", "EUR", solar_per_kwh="0.10")
FIGURES = ("energy_wh", "solar_wh", "grid_wh", "cost", "missing", "last_seq", "meter_start_wh", "meter_stop_wh")


def ledger():
    return SessionLedger(LedgerState(currency("EUR")))


def interval(seq, energy_wh=6.1, *, solar_wh=0, register_wh=None, **changes):
    figures = {
        "seq": seq,
        "start": START + timedelta(seconds=seq - 1),
        "end": START + timedelta(seconds=seq),
        "register_wh": 1000 + seq * energy_wh if register_wh is None else register_wh,
        "energy_wh": energy_wh,
        "solar_wh": solar_wh,
    }
    return Interval.of(**(figures | changes))


def figures_of(account):
    return {name: getattr(account, name) for name in FIGURES}


@st.composite
def metered_sessions(draw):
    """Consecutive intervals of a register, as a charger would number them."""
    register_tenths = draw(st.integers(0, 10**7))
    intervals = []
    for seq, tenths in enumerate(draw(st.lists(st.integers(0, 5000), min_size=1, max_size=25)), start=1):
        register_tenths += tenths
        solar_tenths = draw(st.integers(0, tenths))
        intervals.append(interval(seq, tenths / 10, solar_wh=solar_tenths / 10, register_wh=register_tenths / 10))
    return intervals


def test_the_demo_session_comes_to_61_wh_and_two_cents():
    account = ledger()
    for seq in range(1, 11):
        account.apply(interval(seq, 6.11), PRICE)
    assert account.energy_wh == Decimal("61.1")
    assert account.kwh == Decimal("0.0611")
    assert account.cost == Decimal("0.01833")
    assert account.billed_cost == Decimal("0.02")


def test_solar_and_grid_are_summed_and_priced_apart():
    account = ledger()
    account.apply(interval(1, 1000, solar_wh=400), PRICE)
    assert (account.solar_wh, account.grid_wh) == (400, 600)
    assert account.cost == Decimal("0.04") + Decimal("0.18")


def test_a_repeated_interval_has_no_second_effect():
    account = ledger()
    account.apply(interval(1), PRICE)
    before = figures_of(account)
    applied = account.apply(interval(1, 99.9), PRICE)
    assert applied.admission is Admission.DUPLICATE
    assert not applied.counted
    assert figures_of(account) == before


def test_a_gap_is_visible_with_the_energy_it_must_have_had():
    account = ledger()
    account.apply(interval(1), PRICE)
    applied = account.apply(interval(4), PRICE)
    assert applied.admission is Admission.GAP
    assert applied.counted
    assert account.missing == (range(2, 4),)
    assert account.unaccounted_wh == Decimal("12.2")
    assert account.apply(interval(3), PRICE).admission is Admission.APPLIED
    assert account.apply(interval(2), PRICE).admission is Admission.APPLIED
    assert (account.missing, account.unaccounted_wh) == ((), 0)


@given(session=metered_sessions(), data=st.data())
def test_any_order_with_any_repeats_gives_the_sum_of_the_distinct_intervals(session, data):
    repeats = data.draw(st.lists(st.sampled_from(session), max_size=10))
    account = ledger()
    for part in data.draw(st.permutations(session + repeats)):
        account.apply(part, PRICE)
    in_order = ledger()
    for part in session:
        in_order.apply(part, PRICE)
    assert figures_of(account) == figures_of(in_order)
    assert account.energy_wh == sum(part.energy_wh for part in session)
    assert account.energy_wh == account.solar_wh + account.grid_wh
    assert account.cost == sum(PRICE.cost(solar_wh=part.solar_wh, grid_wh=part.grid_wh) for part in session)
    assert account.meter_stop_wh - account.meter_start_wh == account.energy_wh
    assert account.unaccounted_wh == 0


@given(session=metered_sessions(), data=st.data())
def test_what_has_not_come_is_missing_and_the_register_knows_how_much(session, data):
    lost = data.draw(st.sets(st.sampled_from(session)))
    account = ledger()
    came = [part for part in session if part not in lost]
    for part in came:
        account.apply(part, PRICE)
    last = max((part.seq for part in came), default=0)
    assert [seq for gap in account.missing for seq in gap] == sorted(part.seq for part in lost if part.seq < last)
    first = min((part.seq for part in came), default=0)
    assert account.unaccounted_wh == sum(part.energy_wh for part in lost if first < part.seq < last)


@given(session=metered_sessions(), cut=st.integers(0, 25), data=st.data())
def test_a_ledger_goes_on_from_its_stored_state_as_if_nothing_had_happened(session, cut, data):
    straight, interrupted = ledger(), ledger()
    for index, part in enumerate(data.draw(st.permutations(session))):
        if index == cut:
            interrupted = SessionLedger(interrupted.state())
        straight.apply(part, PRICE)
        interrupted.apply(part, PRICE)
    straight.close(EndReason.UNPLUGGED, START)
    interrupted.close(EndReason.UNPLUGGED, START)
    assert SessionLedger(interrupted.state()).state() == straight.state()


def test_a_gap_outlasts_a_restart():
    before = ledger()
    before.apply(interval(3), PRICE)
    after = SessionLedger(before.state())
    assert after.missing == (range(1, 3),)
    assert after.apply(interval(2), PRICE).counted
    assert not after.apply(interval(3), PRICE).counted


def test_each_interval_is_priced_with_the_tariff_at_its_start():
    history = PriceHistory(START, PRICE)
    history.change(START + timedelta(seconds=1.5), Price.of("0.60", "EUR"))
    account = ledger()
    for seq in (1, 2, 3):
        part = interval(seq, 1000)
        account.apply(part, history.price_at(part.start, in_currency=account.currency))
    assert account.cost == Decimal("0.30") + Decimal("0.30") + Decimal("0.60")


def test_a_late_interval_amends_a_closed_session():
    account = ledger()
    account.apply(interval(1), PRICE)
    account.apply(interval(3), PRICE)
    account.close(EndReason.CHARGER_SILENT, START + timedelta(seconds=3))
    applied = account.apply(interval(2), PRICE)
    assert applied.amendment
    assert applied.counted
    assert account.energy_wh == Decimal("18.3")
    assert account.status is SessionStatus.FAILED


def test_a_session_is_active_until_it_ends_and_ends_once():
    account = ledger()
    assert account.status is SessionStatus.ACTIVE
    assert not account.apply(interval(1), PRICE).amendment
    assert account.close(EndReason.DRIVER_CANCEL, START)
    assert not account.close(EndReason.ENGINE_LOST, START + timedelta(hours=1))
    assert (account.status, account.reason, account.ended_at) == (
        SessionStatus.CANCELLED,
        EndReason.DRIVER_CANCEL,
        START,
    )


def test_a_new_ledger_has_nothing_on_it():
    account = ledger()
    assert (account.energy_wh, account.cost, account.last_seq, account.missing) == (0, 0, 0, ())
    assert (account.unaccounted_wh, account.billed_cost, account.meter_start_wh) == (0, 0, None)


def test_a_price_in_another_currency_is_refused_and_changes_nothing():
    account = ledger()
    with pytest.raises(CurrencyMismatch, match="this session is in EUR, got a price in INR"):
        account.apply(interval(1), Price.of(20, "INR"))
    assert account.apply(interval(1), PRICE).admission is Admission.APPLIED


def test_the_grid_part_is_what_the_sun_did_not_give():
    part = interval(1, 10.0, solar_wh=4.3)
    assert part.grid_wh == Decimal("5.7")


@pytest.mark.parametrize(("solar_wh", "grid_wh"), [(0.3334, 0.2776), (0.3336, 0.2774), (0.0, 0.613), (0.613, 0.0)])
def test_a_split_that_rounding_left_askew_is_set_right_by_the_meter(solar_wh, grid_wh):
    part = interval(1, 0.611, solar_wh=solar_wh, grid_wh=grid_wh)
    assert part.solar_wh + part.grid_wh == part.energy_wh == Decimal("0.611")
    assert part.grid_wh >= 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq": 0}, "interval numbers begin with 1, got 0"),
        ({"end": START - timedelta(seconds=1)}, "before its start"),
        ({"solar_wh": 7.0}, "7.000 Wh solar"),
        ({"grid_wh": 5.0}, "5.000 Wh grid of 6.100 Wh in all"),
        ({"register_wh": 6.0}, "more than the register of 6.000 Wh holds"),
    ],
)
def test_an_interval_that_contradicts_itself_is_refused(changes, message):
    arguments = {"seq": 1} | changes
    with pytest.raises(InvalidInterval, match=message):
        interval(**arguments)


@pytest.mark.parametrize("name", ["register_wh", "energy_wh", "solar_wh", "grid_wh"])
def test_an_interval_with_a_figure_that_cannot_be_is_refused(name):
    with pytest.raises(InvalidEnergy):
        Interval.of(**({"seq": 1, "start": START, "end": START, "register_wh": 10, "energy_wh": 1} | {name: -1}))


def test_times_without_a_zone_are_refused():
    with pytest.raises(ValueError, match="a time needs a zone"):
        interval(1, start=START.replace(tzinfo=None))
    with pytest.raises(ValueError, match="a time needs a zone"):
        ledger().close(EndReason.UNPLUGGED, START.replace(tzinfo=None))
