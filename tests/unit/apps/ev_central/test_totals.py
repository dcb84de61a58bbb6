from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.totals import totals_of
from evcharging.apps.ev_central.view import NetworkView
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.network import SiteSignal, SwarmStatus
from evcharging.store.simulator.session_records import Totals

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SUMS = Totals(Decimal("1.5"), Decimal("30.00"), "INR")


def network() -> tuple[NetworkView, SwarmView]:
    view, swarm = NetworkView(currency="INR"), SwarmView({})
    for cp_id, state in (("CP-001", ChargePointState.SUPPLYING), ("CP-002", ChargePointState.ACTIVATED)):
        view.apply(Status(ts=NOON, cp_id=cp_id, state=state, source=StatusSource.ENGINE), NOON)
    return view, swarm


def station(swarm: SwarmView, station_id: str, state: str, register_wh: float) -> None:
    status = SwarmStatus(ts=NOON, station_id=station_id, state=state, profile="idle", register_wh=register_wh)
    swarm.apply(status, NOON)


def price(view: NetworkView) -> None:
    view.apply(SiteSignal(ts=NOON, site_id="s", price_per_kwh=20.0, currency="INR"), NOON)


def test_without_a_swarm_totals_are_those_of_the_charge_points() -> None:
    view, swarm = network()
    assert totals_of(SUMS, view, swarm) == {
        "energy_kwh": 1.5,
        "earnings": 30.0,
        "currency": "INR",
        "stations": 2,
        "running": 1,
    }


def test_stations_at_another_csms_add_what_is_on_their_meters_at_the_price_in_force() -> None:
    view, swarm = network()
    price(view)
    station(swarm, "PY-SIM-0001", "available", 2_000.0)
    station(swarm, "PY-SIM-0002", "stopped", 500.0)
    totals = totals_of(SUMS, view, swarm)
    assert (totals["energy_kwh"], totals["earnings"]) == (4.0, 80.0)
    assert (totals["stations"], totals["running"]) == (4, 2)


def test_a_station_that_central_serves_itself_is_counted_once() -> None:
    view, swarm = network()
    price(view)
    for cp_id in ("CP-001", "CP-002"):
        station(swarm, cp_id, "charging", 9_000.0)
    totals = totals_of(SUMS, view, swarm)
    assert (totals["energy_kwh"], totals["earnings"], totals["stations"], totals["running"]) == (1.5, 30.0, 2, 2)


def test_before_the_database_was_asked_energy_and_money_are_unknown() -> None:
    view, swarm = network()
    station(swarm, "PY-SIM-0001", "charging", 9_000.0)
    totals = totals_of(None, view, swarm)
    assert (totals["energy_kwh"], totals["earnings"], totals["stations"]) == (None, None, 3)


def test_who_runs_is_counted_anew_as_states_change_and_words_run_out() -> None:
    view, swarm = network()

    def running() -> int:
        return totals_of(SUMS, view, swarm)["running"]

    holds = SwarmStatus(ts=NOON, station_id="PY-SIM-0001", state="available", profile="idle", holds_s=30)
    swarm.apply(holds, NOON)
    assert running() == 2
    swarm.expire(NOON + timedelta(seconds=31))
    assert running() == 1
    idle = Status(ts=NOON, cp_id="CP-001", state=ChargePointState.ACTIVATED, source=StatusSource.ENGINE)
    view.apply(idle, NOON)
    assert running() == 0
    view.apply(idle.model_copy(update={"state": ChargePointState.SUPPLYING}), NOON)
    swarm.apply(holds, NOON)
    assert running() == 2
    view.forget("CP-001")
    swarm.forget("swarm.status", "PY-SIM-0001")
    assert (running(), totals_of(SUMS, view, swarm)["stations"]) == (0, 1)
