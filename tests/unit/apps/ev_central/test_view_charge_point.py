from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcharging.apps.ev_central.view_charge_point import ChargePointPicture
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import ConnectorDetail, Health, Status, StatusDetail, StatusSource, Telemetry
from evcharging.messages.drivers import DriverUpdate, UpdateStatus

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACTIVATED, SUPPLYING, STOPPED, FAULT, DISCONNECTED = (
    ChargePointState.ACTIVATED,
    ChargePointState.SUPPLYING,
    ChargePointState.STOPPED,
    ChargePointState.FAULT,
    ChargePointState.DISCONNECTED,
)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def point() -> ChargePointPicture:
    return ChargePointPicture("CP-001")


class Teller:
    """Tells one charge point things, each arriving when it was said unless the test says otherwise."""

    def __init__(self, point: ChargePointPicture) -> None:
        self.point = point

    def status(
        self,
        at: float,
        state: ChargePointState,
        *,
        connector_id: int = 0,
        source: StatusSource = StatusSource.ENGINE,
        arrives: float | None = None,
        **more: Any,
    ) -> bool:
        status = Status(ts=after(at), cp_id="CP-001", connector_id=connector_id, state=state, source=source, **more)
        return self.point.apply_status(status, after(at if arrives is None else arrives))

    def meter(self, at: float, seq: int, *, session_id: str = "s-1", arrives: float | None = None, **more: Any) -> bool:
        values = {
            "kw": 22.0,
            "kwh": 0.5,
            "euros": 9.99,
            "soc": 0.5,
            "temperature_c": 31.0,
            "driver_id": "alice",
            **more,
        }
        telemetry = Telemetry(
            ts=after(at),
            cp_id="CP-001",
            session_id=session_id,
            seq=seq,
            interval_start=after(at - 1),
            interval_end=after(at),
            register_wh=1000.0,
            energy_wh=6.1,
            **values,
        )
        return self.point.apply_telemetry(telemetry, after(at if arrives is None else arrives))

    def bill(
        self,
        at: float,
        *,
        session_id: str = "s-1",
        status: UpdateStatus = UpdateStatus.IN_PROGRESS,
        arrives: float | None = None,
        **more: Any,
    ) -> bool:
        values = {"kwh": 0.4, "euros": 0.12, **more}
        update = DriverUpdate(
            ts=after(at),
            request_id="req-1",
            driver_id="driver-alice",
            cp_id="CP-001",
            status=status,
            session_id=session_id,
            **values,
        )
        return self.point.apply_bill(update, after(at if arrives is None else arrives))

    def health(self, at: float, *, healthy: bool = True, arrives: float | None = None, **more: Any) -> bool:
        report = Health(ts=after(at), cp_id="CP-001", healthy=healthy, **more)
        return self.point.apply_health(report, after(at if arrives is None else arrives))

    def record(self, at: float) -> dict[str, Any]:
        return dict(self.point.record(after(at), currency="EUR"))


@pytest.fixture
def tell(point) -> Teller:
    return Teller(point)


def test_a_charge_point_nobody_heard_of_is_disconnected_and_its_health_unknown(tell):
    assert tell.record(0) == {
        "cp_id": "CP-001",
        "state": DISCONNECTED,
        "connectors": [],
        "source": None,
        "driver_id": None,
        "session_id": None,
        "kw": 0.0,
        "kwh": None,
        "cost": None,
        "currency": "EUR",
        "soc": None,
        "temperature_c": None,
        "last_seen": None,
        "healthy": None,
    }


def test_a_cost_is_told_in_the_currency_of_its_bill_whatever_is_in_force(tell):
    tell.status(0, ACTIVATED)
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.bill(2, euros=2.5, currency="INR")
    assert [tell.record(3)[field] for field in ("cost", "currency")] == [2.5, "INR"]
    tell.status(4, SUPPLYING, connector_id=2, session_id="s-2")
    tell.bill(5, session_id="s-2", euros=0.1, currency="EUR")
    tell.status(4, SUPPLYING, connector_id=3, session_id="s-3")
    tell.bill(5, session_id="s-3", euros=1.0, currency="INR")
    record = tell.record(6)
    assert (record["cost"], record["currency"], record["kwh"]) == (3.5, "INR", pytest.approx(1.2))


def test_a_running_session_shows_the_meters_power_and_centrals_own_energy_and_price(tell):
    tell.status(0, ACTIVATED)
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.meter(2, 1)
    tell.bill(2)
    record = tell.record(3)
    assert (record["state"], record["session_id"], record["driver_id"]) == (SUPPLYING, "s-1", "driver-alice")
    assert (record["kw"], record["kwh"], record["cost"]) == (22.0, 0.4, 0.12)
    assert (record["soc"], record["temperature_c"]) == (0.5, 31.0)
    assert record["connectors"] == [{"connector_id": 1, "state": SUPPLYING, "session_id": "s-1"}]


def test_before_the_first_bill_energy_is_the_meters_and_the_cost_unknown(tell):
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.meter(2, 1)
    record = tell.record(3)
    assert (record["kwh"], record["cost"], record["driver_id"]) == (0.5, None, "alice")


def test_a_meter_that_overtakes_the_status_of_its_session_counts_once_the_status_is_there(tell):
    tell.status(0, ACTIVATED)
    tell.meter(2, 1)
    assert (tell.record(3)["kw"], tell.record(3)["state"]) == (0.0, ACTIVATED)
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    assert tell.record(3)["kw"] == 22.0


def test_the_end_of_a_session_takes_its_figures_away(tell):
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.meter(2, 1)
    tell.bill(2)
    tell.status(3, ACTIVATED, connector_id=1, session_id="s-1")
    record = tell.record(4)
    assert (record["kw"], record["kwh"], record["cost"], record["session_id"], record["soc"]) == (
        0.0,
        None,
        None,
        None,
        None,
    )


def test_a_final_bill_ends_the_session_though_the_charge_point_never_said_so(tell):
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.meter(2, 1)
    tell.bill(3, status=UpdateStatus.FAILED)
    assert tell.record(4)["session_id"] is None
    assert tell.bill(5) is False
    assert tell.record(6)["kw"] == 0.0


def test_a_fault_of_the_whole_keeps_the_session_but_no_power_flows(tell):
    tell.status(0, ACTIVATED)
    tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
    tell.meter(2, 1)
    tell.status(3, FAULT, source=StatusSource.CENTRAL, reason="engine_unreachable")
    record = tell.record(4)
    assert (record["state"], record["session_id"], record["kw"]) == (FAULT, "s-1", 0.0)
    assert record["connectors"][0]["state"] is FAULT
    assert record["source"] is StatusSource.ENGINE


def test_two_supplying_connectors_add_up(tell):
    tell.status(0, ACTIVATED)
    for connector_id in (1, 2):
        tell.status(1, SUPPLYING, connector_id=connector_id, session_id=f"s-{connector_id}")
        tell.meter(2, 1, session_id=f"s-{connector_id}", connector_id=connector_id, kw=10.0 * connector_id)
        tell.bill(2, session_id=f"s-{connector_id}", kwh=1.0, euros=0.3)
    record = tell.record(3)
    assert (record["kw"], record["kwh"], record["cost"], record["session_id"]) == (30.0, 2.0, 0.6, "s-1")


def test_a_connector_that_speaks_vouches_for_a_whole_that_was_never_heard_of(tell):
    tell.status(1, ACTIVATED, connector_id=1)
    assert tell.record(1)["state"] is ACTIVATED


def test_a_unit_that_knows_no_connectors_shows_its_meter_all_the_same(tell):
    tell.status(1, SUPPLYING, source=StatusSource.MQTT)
    tell.meter(2, 1, session_id="m-1", kw=7.4)
    record = tell.record(3)
    assert (record["kw"], record["session_id"], record["source"]) == (7.4, "m-1", StatusSource.MQTT)


def test_a_session_told_of_the_whole_and_of_its_connector_counts_once(tell):
    for connector_id in (0, 1):
        tell.status(1, SUPPLYING, connector_id=connector_id, session_id="s-1")
    tell.meter(2, 1, kw=7.0)
    tell.bill(2, euros=0.2)
    assert (tell.record(3)["kw"], tell.record(3)["cost"]) == (7.0, 0.2)


class TestRepeatsAndLatecomers:
    def test_a_repeat_does_not_bring_back_what_another_source_has_ended(self, tell):
        tell.status(0, ACTIVATED)
        tell.status(1, FAULT, source=StatusSource.CENTRAL)
        tell.status(2, ACTIVATED)
        assert tell.status(1, FAULT, source=StatusSource.CENTRAL, arrives=3) is False
        assert tell.record(4)["state"] is ACTIVATED

    def test_a_late_status_of_the_same_source_is_left_out(self, tell):
        tell.status(5, STOPPED)
        assert tell.status(3, ACTIVATED, arrives=6) is False
        assert tell.record(6)["state"] is STOPPED

    def test_clocks_of_different_sources_are_not_compared(self, tell):
        tell.status(50, FAULT, source=StatusSource.CENTRAL, arrives=1)
        assert tell.status(2, ACTIVATED) is True
        assert tell.record(3)["state"] is ACTIVATED

    def test_a_source_whose_clock_was_set_back_is_believed_again(self, tell):
        tell.status(3600, STOPPED, arrives=3600)
        assert tell.status(10, ACTIVATED, arrives=10) is True
        assert tell.record(11)["state"] is ACTIVATED

    def test_of_two_statuses_of_one_millisecond_the_later_in_the_log_counts(self, tell):
        tell.status(1, SUPPLYING, connector_id=1, session_id="s-1")
        assert tell.status(1, ACTIVATED, connector_id=1, session_id="s-1") is True

    def test_an_interval_that_comes_late_does_not_turn_the_meter_back(self, tell):
        tell.status(0, SUPPLYING, connector_id=1, session_id="s-1")
        tell.meter(5, 5, kw=11.0)
        assert tell.meter(4, 4, kw=22.0) is False
        assert tell.record(6)["kw"] == 11.0

    def test_a_late_interval_of_the_session_before_is_left_out(self, tell):
        tell.status(10, SUPPLYING, connector_id=1, session_id="s-2")
        tell.meter(12, 1, session_id="s-2")
        assert tell.meter(9, 9, session_id="s-1", arrives=13) is False
        assert tell.record(13)["kw"] == 22.0

    def test_a_unit_that_counts_its_intervals_anew_is_followed(self, tell):
        tell.status(0, SUPPLYING, source=StatusSource.MQTT)
        tell.meter(1, 500, session_id="mqtt", kw=3.0)
        assert tell.meter(2, 1, session_id="mqtt", kw=4.0) is True
        assert tell.record(3)["kw"] == 4.0

    def test_a_late_bill_does_not_lower_the_cost(self, tell):
        tell.status(0, SUPPLYING, connector_id=1, session_id="s-1")
        tell.bill(5, euros=0.5)
        assert tell.bill(4, euros=0.4, arrives=6) is False
        assert tell.record(6)["cost"] == 0.5


class TestHealth:
    def test_a_monitors_word_holds_for_ten_seconds(self, tell):
        tell.health(0)
        assert tell.record(10)["healthy"] is True
        assert tell.record(10.1)["healthy"] is None

    def test_a_word_from_the_future_holds_no_longer_than_from_its_arrival(self, tell):
        tell.health(3600, arrives=0)
        assert tell.record(9)["healthy"] is True
        assert tell.record(11)["healthy"] is None

    def test_the_same_word_again_is_no_news(self, tell):
        assert tell.health(0) is True
        tell.point.live_record(after(0), currency="EUR")
        assert tell.health(1) is False
        assert tell.health(2, healthy=False, detail="engine_unreachable") is True

    def test_a_word_after_a_silence_is_news(self, tell):
        tell.health(0)
        assert tell.health(11) is True

    def test_a_sign_of_life_is_told_again_now_and_then(self, tell):
        tell.health(0)
        tell.point.live_record(after(0), currency="EUR")
        assert [tell.health(at) for at in range(1, 13)].count(True) >= 1

    def test_only_good_health_means_that_the_charge_point_was_heard_of(self, tell):
        tell.health(1, healthy=False)
        assert tell.record(1)["last_seen"] is None
        tell.health(2)
        assert tell.record(2)["last_seen"] == "2026-03-01T12:00:02.000Z"

    def test_central_speaking_of_a_charge_point_is_not_hearing_of_it(self, tell):
        tell.status(1, FAULT, source=StatusSource.CENTRAL)
        assert tell.record(1)["last_seen"] is None


class TestWhatADatabaseRemembered:
    def test_it_is_shown_until_the_charge_point_says_otherwise(self, tell):
        tell.point.remember(source=StatusSource.ENGINE, states={0: STOPPED}, last_seen=after(-60))
        record = tell.record(0)
        assert (record["state"], record["source"]) == (STOPPED, StatusSource.ENGINE)
        assert record["last_seen"] == "2026-03-01T11:59:00.000Z"
        tell.status(1, ACTIVATED)
        assert tell.record(1)["state"] is ACTIVATED

    def test_a_fault_remembered_of_the_whole_stands_whatever_its_connectors_say(self, tell):
        tell.point.remember(source=None, states={0: FAULT, 1: SUPPLYING}, last_seen=None)
        tell.status(1, ACTIVATED, connector_id=1)
        assert tell.record(1)["state"] is FAULT
        tell.status(2, ACTIVATED, source=StatusSource.CENTRAL)
        assert tell.record(2)["state"] is ACTIVATED

    def test_a_session_remembered_by_its_connectors_state_alone_is_known_by_its_meter(self, tell):
        tell.point.remember(source=None, states={0: ACTIVATED, 1: SUPPLYING}, last_seen=None)
        assert (tell.record(0)["state"], tell.record(0)["session_id"]) == (SUPPLYING, None)
        tell.meter(1, 40, session_id="s-7")
        assert (tell.record(1)["session_id"], tell.record(1)["kw"]) == ("s-7", 22.0)

    def test_a_connector_remembered_without_its_whole_is_connected(self, tell):
        tell.point.remember(source=None, states={1: SUPPLYING}, last_seen=None)
        assert tell.record(0)["state"] is SUPPLYING

    def test_it_does_not_overwrite_what_was_heard(self, tell):
        tell.status(1, ACTIVATED)
        tell.point.remember(source=StatusSource.OCPP, states={0: FAULT}, last_seen=None)
        assert (tell.record(1)["state"], tell.record(1)["source"]) == (ACTIVATED, StatusSource.ENGINE)


def test_the_live_record_gives_the_reason_that_belongs_to_the_state(tell):
    tell.status(0, ACTIVATED, reason="boot")
    tell.status(1, FAULT, connector_id=1, reason="ground_fault", detail={"text": "34 mA"})
    tell.health(1, healthy=False, detail="unhealthy")
    live = tell.point.live_record(after(2), currency="EUR")
    assert (live["type"], live["unit_id"], live["state"]) == ("cp", "CP-001", FAULT)
    assert (live["reason"], live["detail"], live["health_detail"]) == ("ground_fault", "34 mA", "unhealthy")


def test_bills_of_the_past_are_forgotten(tell):
    for number in range(100):
        tell.bill(number, session_id=f"s-{number}")
    assert len(tell.point._bills) == 8


def listed(*connectors: tuple[int, ChargePointState, str | None]) -> StatusDetail:
    return StatusDetail(
        connectors=tuple(
            ConnectorDetail(connector_id=number, state=state, session_id=session_id)
            for number, state, session_id in connectors
        )
    )


def test_one_record_of_a_station_shows_every_connector_and_its_session(point: ChargePointPicture) -> None:
    point.remember(source=StatusSource.OCPP, states={1: ACTIVATED}, last_seen=None)
    detail = listed((0, ACTIVATED, None), (1, SUPPLYING, "s-1"), (2, ACTIVATED, None))
    Teller(point).status(0, ACTIVATED, connector_id=2, source=StatusSource.OCPP, detail=detail)
    record = point.record(after(1), currency="EUR")
    assert record["connectors"] == [
        {"connector_id": 1, "state": SUPPLYING, "session_id": "s-1"},
        {"connector_id": 2, "state": ACTIVATED, "session_id": None},
    ]
    assert (record["state"], record["session_id"]) == (SUPPLYING, "s-1")


def test_the_past_that_a_station_tells_of_is_not_taken_for_the_present(point: ChargePointPicture) -> None:
    teller = Teller(point)
    now = listed((0, ACTIVATED, None), (1, ACTIVATED, None))
    teller.status(0, SUPPLYING, connector_id=1, session_id="late", source=StatusSource.OCPP, detail=now)
    record = point.record(after(1), currency="EUR")
    assert (record["state"], record["session_id"]) == (ACTIVATED, None)


def test_a_connector_that_a_station_no_longer_lists_is_gone(point: ChargePointPicture) -> None:
    teller = Teller(point)
    teller.status(0, ACTIVATED, source=StatusSource.OCPP, detail=listed((0, ACTIVATED, None), (2, FAULT, None)))
    teller.status(1, ACTIVATED, source=StatusSource.OCPP, detail=listed((0, ACTIVATED, None), (1, ACTIVATED, None)))
    assert [c["connector_id"] for c in point.record(after(1), currency="EUR")["connectors"]] == [1]


def test_central_repeating_a_stations_list_changes_nothing_that_the_station_said(point: ChargePointPicture) -> None:
    teller = Teller(point)
    teller.status(0, SUPPLYING, connector_id=1, session_id="s-1", source=StatusSource.OCPP)
    detail = listed((1, ACTIVATED, None), (2, SUPPLYING, "s-2"))
    teller.status(1, FAULT, source=StatusSource.CENTRAL, detail=detail)
    connectors = point.record(after(2), currency="EUR")["connectors"]
    assert [c["session_id"] for c in connectors] == ["s-1", "s-2"]
    assert point.source is StatusSource.OCPP


def test_a_fault_that_central_declared_stands_while_a_station_speaks_of_its_connectors(
    point: ChargePointPicture,
) -> None:
    teller = Teller(point)
    detail = listed((0, ACTIVATED, None), (1, ACTIVATED, None))
    teller.status(0, ACTIVATED, source=StatusSource.OCPP, detail=detail)
    teller.status(1, FAULT, source=StatusSource.CENTRAL)
    teller.status(2, ACTIVATED, connector_id=1, source=StatusSource.OCPP, detail=detail)
    assert point.state is FAULT
    teller.status(3, ACTIVATED, source=StatusSource.OCPP, detail=detail)
    assert point.state is ACTIVATED


class TestWhoHasTheId:
    def test_a_station_does_not_speak_for_a_charge_point_that_an_engine_runs(self, tell):
        tell.status(0, ACTIVATED)
        assert not tell.status(1, FAULT, source=StatusSource.OCPP)
        assert not tell.status(2, DISCONNECTED, source=StatusSource.OCPP)
        assert (tell.point.state, tell.point.source) == (ACTIVATED, StatusSource.ENGINE)

    def test_an_engine_does_not_speak_for_a_station_that_is_connected(self, tell):
        tell.status(0, ACTIVATED, source=StatusSource.OCPP)
        assert not tell.status(1, DISCONNECTED)
        assert tell.point.state is ACTIVATED

    def test_one_that_has_left_makes_room_for_the_other(self, tell):
        tell.status(0, ACTIVATED)
        tell.status(1, DISCONNECTED)
        assert tell.status(2, ACTIVATED, source=StatusSource.OCPP)
        tell.status(3, DISCONNECTED, source=StatusSource.OCPP)
        assert tell.status(4, ACTIVATED)
        assert tell.point.source is StatusSource.ENGINE

    def test_what_the_database_knew_counts_before_the_log_is_read(self, tell):
        tell.point.remember(source=StatusSource.ENGINE, states={0: ACTIVATED}, last_seen=None)
        assert not tell.status(0, FAULT, source=StatusSource.OCPP)


def test_a_station_that_says_it_is_unavailable_while_it_charges_shows_the_session(tell):
    listed = (
        ConnectorDetail(connector_id=0, state=STOPPED, ocpp_status="Unavailable"),
        ConnectorDetail(connector_id=1, state=SUPPLYING, session_id="s-1"),
    )
    tell.status(0, STOPPED, source=StatusSource.OCPP, detail=StatusDetail(connectors=listed))
    tell.meter(1, 1)
    record = tell.point.record(after(2), currency="EUR")
    assert (record["state"], record["session_id"], record["kw"]) == (SUPPLYING, "s-1", 22.0)
    assert record["connectors"] == [{"connector_id": 1, "state": SUPPLYING, "session_id": "s-1"}]
    free = (listed[0], ConnectorDetail(connector_id=1, state=ACTIVATED))
    tell.status(3, ACTIVATED, connector_id=1, source=StatusSource.OCPP, detail=StatusDetail(connectors=free))
    assert tell.point.record(after(4), currency="EUR")["state"] is STOPPED
