"""One engine over a log in memory and virtual CAN: what Central sees of sessions, stops and faults."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.bus.memory import unreachable
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.commands import CommandAction, CommandOutcome
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppConfig, SiteSignal
from evcharging.messages.topics import OCPP_CONFIG, SITE_SIGNALS, STATUS
from tests.support.engine import EngineRig, a_rig, assert_adds_up, new_cp_id

ACTIVATED, SUPPLYING, FAULT = ChargePointState.ACTIVATED, ChargePointState.SUPPLYING, ChargePointState.FAULT
STOPPED, DISCONNECTED = ChargePointState.STOPPED, ChargePointState.DISCONNECTED


@pytest.fixture
async def rig() -> AsyncIterator[EngineRig]:
    async with a_rig() as rig:
        yield rig


@pytest.fixture
def cp_id() -> str:
    return new_cp_id()


async def test_a_session_runs_its_time_and_its_intervals_equal_the_register(rig: EngineRig, cp_id: str):
    engine = await rig.engine(cp_id=cp_id, session_seconds=2.5)
    booted = await rig.status(cp_id, ACTIVATED, reason="boot")
    assert booted.previous_state is DISCONNECTED
    command = await rig.start(cp_id, "session-1")
    begun = await rig.status(cp_id, SUPPLYING)
    assert (await rig.reply(command)).outcome is CommandOutcome.ACCEPTED
    assert (begun.session_id, begun.connector_id) == ("session-1", 1)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "time_elapsed"
    intervals = rig.intervals("session-1")
    assert_adds_up(intervals, end)
    assert end.detail is not None
    assert end.detail.register_end_wh == pytest.approx(2.5 * 22_000 / 3600, abs=1.5)
    assert intervals[0].kw == pytest.approx(22.0, abs=0.1)
    assert engine.host.health_of(cp_id)["healthy"]


async def test_each_session_begins_where_the_one_before_ended(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id, session_seconds=0.7)
    for number in (1, 2):
        await rig.start(cp_id, f"session-{number}")
        await rig.status(cp_id, ACTIVATED, session_id=f"session-{number}")
    first, second = [(await rig.status(cp_id, ACTIVATED, session_id=f"session-{number}")).detail for number in (1, 2)]
    assert first is not None
    assert second is not None
    assert second.register_start_wh == first.register_end_wh


async def test_a_repeated_command_is_answered_again_and_done_once(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id, session_seconds=0.7)
    command = await rig.start(cp_id, "session-1")
    await rig.status(cp_id, ACTIVATED, session_id="session-1")
    await rig.command(
        CommandAction.START_SUPPLY,
        cp_id,
        command_id=command.command_id,
        session_id="session-1",
        driver_id="driver-alice",
    )
    replies = await rig.until(
        lambda: found if len(found := [r for r in rig.received if r.topic == "central.replies"]) == 2 else None,
        "a second reply",
    )
    assert replies[0].id == replies[1].id
    assert replies[0].message == replies[1].message
    assert sum(status.state is SUPPLYING for status in rig.statuses(cp_id)) == 1


async def test_an_expired_command_starts_no_car(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id)
    command = await rig.command(CommandAction.START_SUPPLY, cp_id, session_id="session-1", valid_s=-1.0)
    assert (await rig.reply(command)).outcome is CommandOutcome.EXPIRED
    assert [status.state for status in rig.statuses(cp_id)] == [ACTIVATED]


async def test_a_pulled_cable_ends_the_session(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await rig.command(CommandAction.INJECT, cp_id, payload={"kind": "unplug"})
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "unplugged"
    assert_adds_up(rig.intervals("session-1"), end)


async def test_a_fault_fails_the_session_and_heals_by_itself_when_cleared(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await rig.command(CommandAction.INJECT, cp_id, payload={"kind": "fault", "code": "ground_fault"})
    failed = await rig.status(cp_id, FAULT)
    assert (failed.reason, failed.session_id) == ("ground_fault", "session-1")
    assert_adds_up(rig.intervals("session-1"), failed)
    refused = await rig.start(cp_id, "session-2")
    assert (await rig.reply(refused)).error_code == "faulted"
    await rig.command(CommandAction.INJECT, cp_id, payload={"kind": "clear"})
    healed = await rig.status(cp_id, ACTIVATED, reason="healed")
    assert healed.previous_state is FAULT
    assert len({alert.alert_id for alert in rig.alerts(cp_id)}) == 1
    await rig.start(cp_id, "session-3")
    await rig.status(cp_id, SUPPLYING, session_id="session-3")


async def test_a_stop_ends_the_session_and_holds_until_it_is_taken_back(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id)
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, SUPPLYING)
    stop = await rig.command(CommandAction.STOP_CP, cp_id)
    await rig.status(cp_id, STOPPED)
    assert (await rig.reply(stop)).outcome is CommandOutcome.ACCEPTED
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "operator_stop"
    refused = await rig.start(cp_id, "session-2")
    assert (await rig.reply(refused)).error_code == "stopped"
    resume = await rig.command(CommandAction.RESUME_CP, cp_id)
    assert (await rig.reply(resume)).outcome is CommandOutcome.ACCEPTED
    assert rig.statuses(cp_id)[-1].state is ACTIVATED


async def test_a_driver_who_cancels_stops_the_session(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id)
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, SUPPLYING)
    await rig.command(CommandAction.STOP_SUPPLY, cp_id, session_id="session-1", payload={"reason": "driver_cancel"})
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "driver_cancel"
    assert_adds_up(rig.intervals("session-1"), end)


async def test_the_energy_asked_for_is_reached_also_when_time_runs_fast(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id, session_seconds=0, time_scale=600)
    await rig.start(cp_id, "session-1", kwh=5)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "target_reached"
    intervals = rig.intervals("session-1")
    assert_adds_up(intervals, end)
    step_wh = 22_000 * 60 / 3600  # the charger counts in tenths of a second, which are minutes here
    assert 5000 <= intervals[-1].kwh * 1000 <= 5000 + 3 * step_wh


async def test_a_full_battery_ends_the_session(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id, session_seconds=0, time_scale=600, vehicle_arrival_soc=0.97)
    await rig.start(cp_id, "session-1")
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "battery_full"
    assert_adds_up(rig.intervals("session-1"), end)


async def test_the_sites_sun_and_limit_reach_every_session(rig: EngineRig, cp_id: str):
    await rig.engine(cp_id=cp_id, session_seconds=0)
    signal = SiteSignal(
        ts=datetime.now(UTC),
        site_id="site-1",
        price_per_kwh=0.3,
        currency="EUR",
        grid_limit_kw=5.0,
        solar_kw=5.0,
    )
    await rig.say(SITE_SIGNALS, signal)
    await rig.start(cp_id, "session-1")
    half = await rig.until(
        lambda: next(
            (i for i in rig.intervals("session-1") if i.kw == pytest.approx(10.0, abs=0.1) and i.seq > 2), None
        ),
        "an interval at the site's limit",
    )
    assert half.solar_wh == pytest.approx(half.energy_wh / 2, abs=0.2)
    assert half.solar_wh + half.grid_wh == pytest.approx(half.energy_wh)


async def test_while_the_bus_is_away_charging_goes_on_and_nothing_is_lost(rig: EngineRig, cp_id: str):
    engine = await rig.engine(cp_id=cp_id, session_seconds=1.5)
    await rig.start(cp_id, "session-1")
    await rig.status(cp_id, SUPPLYING)
    unit = engine.host.units[cp_id]
    with unreachable(engine.bus):
        assert not engine.host.checks()["kafka"]
        assert engine.host.health_of(cp_id)["healthy"]
        await unit.link.wait_until(lambda _: unit.point.session is None, 10.0)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert_adds_up(rig.intervals("session-1"), end)
    assert engine.host.checks()["kafka"]


@pytest.mark.parametrize("held_up_s", [1.05, 1.3, 6.0])
async def test_a_process_that_is_held_up_fails_no_session(rig: EngineRig, cp_id: str, held_up_s: float):
    await rig.engine(cp_id=cp_id, session_seconds=0)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    time.sleep(held_up_s)  # noqa: ASYNC251 - nothing in this process gets a turn
    seen = len(rig.intervals("session-1"))
    await rig.until(lambda: len(rig.intervals("session-1")) > seen + 1, "the session to go on")
    assert [status.state for status in rig.statuses(cp_id)] == [ACTIVATED, SUPPLYING]


async def test_what_cannot_be_sent_is_not_cut_into_ever_more_intervals(rig: EngineRig, cp_id: str):
    engine = await rig.engine(cp_id=cp_id, session_seconds=6.5, hold_at=1)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    unit = engine.host.units[cp_id]
    with unreachable(engine.bus):
        await unit.link.wait_until(lambda _: unit.point.session is None, 15.0)
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    intervals = rig.intervals("session-1")
    assert_adds_up(intervals, end)
    longest_s = max((i.interval_end - i.interval_start).total_seconds() for i in intervals)
    assert longest_s > 2.0, "one interval holds most of the outage"
    assert len(intervals) <= 4


async def test_sessions_of_one_engine_share_the_sites_limit(rig: EngineRig):
    engine = await rig.engine(cp_id="S-001", count=2, session_seconds=0)
    signal = SiteSignal(ts=datetime.now(UTC), site_id="site-1", price_per_kwh=0.3, currency="EUR", grid_limit_kw=22.0)
    await rig.say(SITE_SIGNALS, signal)
    for cp_id in engine.host.cp_ids:
        await rig.start(cp_id, f"session-{cp_id}")
    for cp_id in engine.host.cp_ids:
        await rig.until(
            lambda cp_id=cp_id: any(i.kw == pytest.approx(11.0, abs=0.1) for i in rig.intervals(f"session-{cp_id}")),
            "an interval at half the limit",
        )
    await rig.command(CommandAction.STOP_SUPPLY, "S-001", session_id="session-S-001")
    await rig.status("S-001", ACTIVATED, session_id="session-S-001")
    seen = len(rig.intervals("session-S-002"))
    await rig.until(
        lambda: any(i.kw == pytest.approx(22.0, abs=0.1) for i in rig.intervals("session-S-002")[seen:]),
        "an interval at the whole limit",
    )


async def test_a_clean_stop_ends_sessions_and_says_goodbye(rig: EngineRig, cp_id: str):
    engine = await rig.engine(cp_id=cp_id)
    await rig.start(cp_id, "session-1")
    await rig.until(lambda: rig.intervals("session-1"), "an interval")
    await engine.stop()
    left = await rig.status(cp_id, DISCONNECTED)
    assert left.reason == "shutdown"
    end = await rig.status(cp_id, ACTIVATED, session_id="session-1")
    assert end.reason == "shutdown"
    assert_adds_up(rig.intervals("session-1"), end)
    assert rig.statuses(cp_id)[-1] is left


async def test_a_stop_before_there_is_a_charger_ends_as_well(rig: EngineRig, cp_id: str):
    engine = rig.begin(cp_id=cp_id, can="hub://127.0.0.1:9")
    await engine.stop()
    assert rig.statuses(cp_id) == []


async def test_hundreds_of_charge_points_live_in_one_process(rig: EngineRig):
    count = 100
    engine = await rig.engine(cp_id="M-001", count=count, session_seconds=1.5)
    for cp_id in engine.host.cp_ids:
        await rig.start(cp_id, f"session-{cp_id}")
    for cp_id in engine.host.cp_ids:
        end = await rig.status(cp_id, ACTIVATED, session_id=f"session-{cp_id}")
        assert end.reason == "time_elapsed"
        assert_adds_up(rig.intervals(f"session-{cp_id}"), end)


async def test_an_engine_does_not_start_under_the_id_of_a_station_that_is_connected(rig: EngineRig, cp_id: str):
    status = Status(ts=datetime.now(UTC), cp_id=cp_id, state=ACTIVATED, source=StatusSource.OCPP)
    await rig.bus.publish(Event(STATUS, status, "a-station", "gateway"))
    with pytest.raises(UsageError, match=rf"--cp-id: under {cp_id} an OCPP station is connected; take another id"):
        await rig.engine(cp_id=cp_id)
    rig.lives.clear()  # it has ended


async def test_an_engine_does_not_start_under_the_id_of_a_registered_station_until_that_is_withdrawn(
    rig: EngineRig, cp_id: str
):
    registration = OcppConfig(ts=datetime.now(UTC), cp_id=cp_id)
    await rig.bus.publish(Event(OCPP_CONFIG, registration, "registered", "central"))
    with pytest.raises(UsageError, match=rf"--cp-id: under {cp_id} an OCPP station is registered, which may connect"):
        await rig.engine(cp_id=cp_id)
    assert rig.statuses(cp_id) == []
    rig.lives.clear()  # it has ended
    withdrawn = registration.model_copy(update={"deleted": True})
    await rig.bus.publish(Event(OCPP_CONFIG, withdrawn, "withdrawn", "central"))
    await rig.engine(cp_id=cp_id)
    await rig.status(cp_id, ACTIVATED)
