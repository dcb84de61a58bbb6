"""Requests, sessions and money in Central, over the in-memory log and a real database: SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from evcharging.apps.ev_central.errors import StateForbids, UnknownChargePoint, UnknownSession
from evcharging.apps.ev_central.prices import Prices, signal_of
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Status, StatusSource
from evcharging.messages.commands import Command, CommandOutcome
from evcharging.messages.control import HealthReport, Registration
from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind, UpdateStatus
from evcharging.messages.envelope import Event
from evcharging.messages.topics import DRIVER_REQUESTS, STATUS, TELEMETRY
from evcharging.store.database import Database, DatabaseBusy, DatabaseUnavailable
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import TariffRow
from evcharging.store.simulator.session_records import SessionRecord
from tests.support.central import CentralRig, Clock, a_moment, make_rig
from tests.support.databases import BreakableDatabase, BreakablePostgresql, migrated_sqlite
from tests.support.postgresql import PostgresqlServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BreakableDatabase]:
    database: BreakableDatabase
    if request.param == "sqlite":
        database = await migrated_sqlite(tmp_path / "simulator.db")
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        database = BreakablePostgresql(await server.new_database(), server)
    yield database
    await database.close()


@pytest.fixture
async def central(log: MemoryLog, database: Database, clock: Clock) -> AsyncIterator[CentralRig]:
    rig = await make_rig(log, database, clock)
    async with rig.running():
        yield rig


async def session_of(rig: CentralRig, command: Command) -> SessionRecord:
    assert command.session_id is not None
    return await rig.operations.session(command.session_id)


async def started(rig: CentralRig, request_id: str = "req-1", cp_id: str = "CP-001") -> Command:
    """A session that supplies."""
    await rig.activated(cp_id)
    await rig.request(request_id, cp_id)
    command = await rig.command("START_SUPPLY", cp_id)
    await rig.supply(command)
    await rig.update(request_id, "IN_PROGRESS")
    return command


async def test_a_request_is_accepted_supplied_metered_and_completed_with_the_sum_of_its_intervals(central):
    command = await started(central)
    for seq in range(1, 11):
        await central.interval(command, seq)
    await central.end(command, 10, register_end_wh=1061.0)
    update = await central.update("req-1", "COMPLETED")
    session = await session_of(central, command)
    assert session.kwh == Decimal("0.061")
    assert session.cost == Decimal("0.02")
    assert (session.status, session.reason, session.intervals) == ("COMPLETED", "time_elapsed", 10)
    assert (update.kwh, update.euros) == (0.061, 0.02)
    statuses = [u.status for u in central.heard.of(DriverUpdate)]
    assert statuses[0] is UpdateStatus.ACCEPTED
    assert statuses[-1] is UpdateStatus.COMPLETED
    assert statuses.count(UpdateStatus.COMPLETED) == 1


async def test_of_intervals_that_come_in_a_crowd_a_driver_is_told_the_first_and_the_sum_with_the_next(central):
    command = await started(central)
    await central.interval(command, 1)
    await central.heard.wait_for(DriverUpdate, lambda update: update.kwh == 0.0061)
    await central.interval(command, 2)
    while (await session_of(central, command)).kwh != Decimal("0.0122"):
        await a_moment()
    central.clock.advance(1)
    await central.interval(command, 3)
    await central.heard.wait_for(DriverUpdate, lambda update: update.kwh == 0.0183)
    assert [update.kwh for update in central.heard.of(DriverUpdate) if update.kwh] == [0.0061, 0.0183]


async def test_an_end_that_overtakes_the_last_intervals_waits_for_them(central):
    command = await started(central)
    await central.end(command, 2)
    await central.interval(command, 2)
    await central.interval(command, 1)
    await central.update("req-1", "COMPLETED")
    assert (await session_of(central, command)).kwh == Decimal("0.0122")


async def test_intervals_that_never_come_are_shown_as_a_gap_and_the_session_closes_after_the_settling_time(central):
    command = await started(central)
    await central.interval(command, 1)
    await central.end(command, 3)
    while (await session_of(central, command)).ended_at is None:
        await a_moment()
    await central.sweep.once()
    central.clock.advance(11)
    assert await central.sweep.once() == 1
    await central.update("req-1", "COMPLETED")
    alert = await central.heard.wait_for(Alert)
    assert alert.kind == "meter_gap"
    await central.interval(command, 3)
    while (await session_of(central, command)).amended_at is None:
        await a_moment()
    amended = await session_of(central, command)
    assert (amended.kwh, amended.missing_intervals) == (Decimal("0.0122"), 1)


async def test_repeated_records_have_no_second_effect(central, database):
    command = await started(central)
    await central.request("req-1", "CP-001")
    await central.request("req-1", "CP-001")
    for _ in range(3):
        await central.interval(command, 1)
        await central.interval(command, 2)
    await central.end(command, 2)
    await central.end(command, 2)
    await central.update("req-1", "COMPLETED")
    assert (await session_of(central, command)).kwh == Decimal("0.0122")
    assert len((await central.operations.sessions()).items) == 1
    assert len({c.command_id for c in central.heard.of(Command)}) == 1


async def test_a_repeat_with_another_event_id_is_told_where_the_request_stands(central):
    command = await started(central)
    await central.interval(command, 1)
    await central.end(command, 1)
    await central.update("req-1", "COMPLETED")
    before = len(central.heard.of(DriverUpdate))
    request = central.heard.of(DriverUpdate)[0]
    again = DriverRequest(ts=central.clock(), request_id="req-1", driver_id=request.driver_id, cp_id="CP-001")
    await central.publish(DRIVER_REQUESTS, again, event_id="sent-again")
    while len(central.heard.of(DriverUpdate)) == before:
        await a_moment()
    assert central.heard.of(DriverUpdate)[-1].status is UpdateStatus.COMPLETED


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ChargePointState.FAULT, "faulted"),
        (ChargePointState.STOPPED, "stopped"),
        (ChargePointState.DISCONNECTED, "disconnected"),
        (ChargePointState.SUPPLYING, "busy"),
    ],
)
async def test_a_charge_point_that_cannot_serve_is_denied_with_its_reason(central, state, reason):
    await central.activated("CP-001")
    await central.status("CP-001", state, previous=ChargePointState.ACTIVATED, connector_id=0)
    await central.request("req-1", "CP-001")
    assert (await central.update("req-1", "DENIED")).reason == reason


async def test_an_unknown_charge_point_is_denied(central):
    await central.request("req-1", "CP-404")
    assert (await central.update("req-1", "DENIED")).reason == "unknown_charge_point"


async def test_a_second_driver_at_a_taken_charge_point_is_busy(central):
    await started(central)
    await central.request("req-2", "CP-001")
    assert (await central.update("req-2", "DENIED")).reason == "busy"


async def test_two_requests_in_one_batch_for_one_charge_point_give_one_session(central):
    await central.activated("CP-001")
    await asyncio.gather(central.request("req-1", "CP-001"), central.request("req-2", "CP-001"))
    await central.update("req-1", "ACCEPTED")
    assert (await central.update("req-2", "DENIED")).reason == "busy"


async def test_any_takes_a_free_charge_point_and_says_when_there_is_none(central):
    await central.activated("CP-001", "CP-002")
    await central.request("req-1", "any")
    await central.request("req-2", "any")
    taken = {(await central.update("req-1", "ACCEPTED")).cp_id, (await central.update("req-2", "ACCEPTED")).cp_id}
    assert taken == {"CP-001", "CP-002"}
    await central.request("req-3", "any")
    assert (await central.update("req-3", "DENIED")).reason == "no_free_charge_point"


async def test_any_takes_the_most_powerful_that_is_free_and_of_equals_the_one_that_was_idle_longest(central):
    cp_ids = ("CP-001", "CP-002", "CP-003", "CP-004")
    await central.activated(*cp_ids)
    for cp_id, rating_kw in zip(cp_ids, (None, 22.0, 50.0, 22.0), strict=True):
        await central.operations.register(Registration(cp_id=cp_id, rating_kw=rating_kw))
    taken = []
    for number in range(4):
        await central.request(f"req-{number}", "any")
        taken.append((await central.update(f"req-{number}", "ACCEPTED")).cp_id)
        central.clock.advance(1)
    assert taken == ["CP-003", "CP-002", "CP-004", "CP-001"]


async def test_a_refused_start_fails_the_session_with_the_engines_word(central):
    await central.activated("CP-001")
    await central.request("req-1", "CP-001")
    command = await central.command("START_SUPPLY")
    await central.reply(command, CommandOutcome.REJECTED, error_code="charger_silent", error_description="no frame")
    update = await central.update("req-1", "FAILED")
    assert (update.reason, update.kwh) == ("charger_silent", 0.0)


async def test_a_start_that_nobody_confirms_times_out_and_is_taken_back(central):
    await central.activated("CP-001")
    await central.request("req-1", "CP-001")
    await central.update("req-1", "ACCEPTED")
    await central.sweep.once()
    central.clock.advance(21)
    await central.sweep.once()
    assert (await central.update("req-1", "FAILED")).reason == "start_timeout"
    assert (await central.command("STOP_SUPPLY")).session_id is not None


async def test_an_engine_that_stays_away_for_a_minute_loses_its_session_with_the_energy_known(central):
    command = await started(central)
    await central.interval(command, 1)
    while (await session_of(central, command)).kwh == 0:
        await a_moment()
    await central.sweep.once()
    central.clock.advance(55)
    assert await central.sweep.once() == 0
    central.clock.advance(10)
    assert await central.sweep.once() == 1
    update = await central.update("req-1", "FAILED")
    assert (update.reason, update.kwh) == ("engine_lost", 0.0061)


async def test_silence_while_the_broker_is_away_ends_no_session(central):
    command = await started(central)
    await central.sweep.once()
    central.hears = False
    central.clock.advance(600)
    await central.sweep.once()
    central.hears = True
    assert await central.sweep.once() == 0
    central.clock.advance(30)
    assert await central.sweep.once() == 0
    assert (await session_of(central, command)).status == "ACTIVE"


async def test_a_log_that_is_read_late_ends_no_session(central):
    command = await started(central)
    await central.sweep.once()
    central.behind_s = 90
    central.clock.advance(100)
    assert await central.sweep.once() == 0
    assert (await session_of(central, command)).status == "ACTIVE"
    await central.interval(command, 1)
    await central.end(command, 1)
    assert (await central.update("req-1", "COMPLETED")).kwh == 0.0061


async def test_silence_is_judged_by_the_copy_of_central_that_would_hear(central):
    command = await started(central)
    central.of_others = {"CP-001"}
    await central.sweep.once()
    central.clock.advance(100)
    assert await central.sweep.once() == 0
    assert (await session_of(central, command)).status == "ACTIVE"
    central.of_others = set()
    assert await central.sweep.once() == 1


async def test_a_start_whose_confirmation_is_read_late_is_not_given_up(central):
    await central.activated("CP-001")
    await central.request("req-1", "CP-001")
    command = await central.command("START_SUPPLY")
    await central.sweep.once()
    central.behind_s = 30
    central.clock.advance(40)
    assert await central.sweep.once() == 0
    await central.supply(command)
    await central.update("req-1", "IN_PROGRESS")


async def test_a_cancelled_request_stops_the_supply_and_ends_as_cancelled(central):
    command = await started(central)
    await central.interval(command, 1)
    await central.request("req-1", "CP-001", kind=RequestKind.CANCEL)
    stop = await central.command("STOP_SUPPLY")
    assert stop.payload == {"reason": "driver_cancel"}
    await central.end(command, 1, reason="driver_cancel")
    assert (await central.update("req-1", "CANCELLED")).kwh == 0.0061


async def test_another_drivers_request_cannot_be_cancelled(central):
    await started(central)
    mallory = DriverRequest(
        ts=central.clock(), request_id="req-1", driver_id="mallory", cp_id="CP-001", kind=RequestKind.CANCEL
    )
    await central.publish(DRIVER_REQUESTS, mallory)
    assert (await central.update("req-1", "DENIED")).driver_id == "mallory"
    assert [c.action.value for c in central.heard.of(Command)] == ["START_SUPPLY"]


async def test_a_price_change_applies_to_the_intervals_that_begin_after_it(central):
    command = await started(central)
    await central.interval(command, 1, energy_wh=1000.0, register_wh=2000.0)
    central.clock.advance(5)
    await central.operations.set_pricing(Decimal("1.00"), "EUR")
    await central.interval(command, 2, energy_wh=1000.0, register_wh=3000.0)
    await central.end(command, 2)
    await central.update("req-1", "COMPLETED")
    assert (await session_of(central, command)).cost == Decimal("1.30")


async def test_solar_and_grid_energy_have_their_own_price(central):
    central.clock.advance(1)
    await central.operations.set_pricing(Decimal(50), "JMD", Decimal(10))
    central.clock.advance(1)
    command = await started(central)
    await central.interval(command, 1, energy_wh=3000.0, solar_wh=1000.0, grid_wh=2000.0, register_wh=4000.0)
    await central.end(command, 1)
    await central.update("req-1", "COMPLETED")
    session = await session_of(central, command)
    assert (session.cost, session.currency, session.solar_kwh) == (Decimal("110.00"), "JMD", Decimal(1))


async def test_a_restarted_central_goes_on_where_the_one_before_was_cut_off(log, database, clock):
    first = await make_rig(log, database, clock)
    async with first.running():
        command = await started(first)
        await first.interval(command, 1)
        while (await session_of(first, command)).kwh == 0:
            await a_moment()
    engine = MemoryBus(log, wall_clock=clock.timestamp)
    await engine.start()
    for seq in (2, 3):
        interval = first.telemetry(command, seq)
        await (await engine.publish(Event(TELEMETRY, interval, interval.body_id(), "engine")))
    await engine.stop()
    second = await make_rig(log, database, clock, name="central-2")
    async with second.running():
        await second.end(command, 3)
        await second.update("req-1", "COMPLETED")
        assert (await session_of(second, command)).kwh == Decimal("0.0183")


async def test_outbox_rows_that_a_killed_central_left_are_published_by_the_next(log, database, clock):
    rig = await make_rig(log, database, clock)
    await rig.operations.register(Registration(cp_id="CP-001"))
    async with database.begin() as transaction:
        await transaction.execute(
            tables.charge_points.update().values(state="ACTIVATED", connectors={"1": ["ACTIVATED", "engine"]})
        )
    command_id = await rig.operations.start("CP-001", driver_id="driver-bob")  # committed, and nobody relays it
    second = await make_rig(log, database, clock, name="central-1")
    async with second.running():
        command = await second.command("START_SUPPLY")
        assert command.command_id == command_id


async def test_bad_health_becomes_a_fault_and_one_good_probe_heals_it(central):
    await central.activated("CP-001")
    await central.operations.report_health("CP-001", HealthReport(healthy=False, detail="engine_unreachable"))
    fault = await central.heard.wait_for(Status, lambda s: s.state is ChargePointState.FAULT)
    assert (fault.source, fault.reason) == (StatusSource.CENTRAL, "engine_unreachable")
    await central.request("req-1", "CP-001")
    assert (await central.update("req-1", "DENIED")).reason == "faulted"
    await central.operations.report_health("CP-001", HealthReport(healthy=True))
    await central.heard.wait_for(Status, lambda s: s.reason == "healthy" and s.state is ChargePointState.ACTIVATED)
    await central.request("req-2", "CP-001")
    await central.update("req-2", "ACCEPTED")


async def test_a_monitor_cannot_heal_a_fault_that_the_charge_point_declared(central):
    await central.activated("CP-001")
    await central.status("CP-001", ChargePointState.FAULT, reason="ground_fault", connector_id=0)
    while (await central.known_states())["CP-001"] != "FAULT":
        await a_moment()
    await central.operations.report_health("CP-001", HealthReport(healthy=True))
    assert (await central.known_states())["CP-001"] == "FAULT"


async def test_an_administrative_stop_is_remembered_for_a_charge_point_that_comes_back(central):
    await central.activated("CP-001")
    await central.operations.stop("CP-001")
    await central.command("STOP_CP")
    central.clock.advance(1)
    await central.status("CP-001", ChargePointState.ACTIVATED, reason="boot", connector_id=0)
    while len([c for c in central.heard.of(Command) if c.action == "STOP_CP"]) < 2:
        await a_moment()


async def test_operators_are_refused_with_both_states_named(central):
    with pytest.raises(UnknownChargePoint, match="CP-404"):
        await central.operations.stop("CP-404")
    with pytest.raises(UnknownSession):
        await central.operations.stop_session("nope")
    await central.operations.register(Registration(cp_id="CP-001"))
    with pytest.raises(StateForbids, match="DISCONNECTED.*STOPPED"):
        await central.operations.stop("CP-001")


async def test_totals_are_the_sum_of_all_sessions(central):
    for number in (1, 2):
        command = await started(central, f"req-{number}", f"CP-00{number}")
        await central.interval(command, 1, energy_wh=2000.0, register_wh=3000.0)
        await central.end(command, 1)
        await central.update(f"req-{number}", "COMPLETED")
    totals = await central.operations.totals()
    assert (totals.energy_kwh, totals.earnings) == (Decimal("4.000"), Decimal("1.20"))


async def test_while_the_database_is_away_drivers_are_denied_and_nothing_else_is_lost(central, database):
    command = await started(central)
    async with database.outage():
        await central.request("req-2", "CP-001")
        await central.interval(command, 1)
        await central.end(command, 1)
        assert (await central.update("req-2", "DENIED")).reason == "database_unavailable"
        with pytest.raises(DatabaseUnavailable):
            await central.operations.totals()
    await central.update("req-1", "COMPLETED")
    assert (await session_of(central, command)).kwh == Decimal("0.0061")
    assert len((await central.operations.sessions()).items) == 1


async def test_while_the_database_is_busy_drivers_wait_their_turn_and_none_is_denied(log, clock, database):
    busy = Database(database.url, schema=tables.SCHEMA, wait_s=0.2)
    central = await make_rig(log, busy, clock)
    async with central.running():
        await central.activated("CP-001")
        async with busy.begin():
            await central.request("req-1", "CP-001")
            with pytest.raises(DatabaseBusy):
                await central.operations.register(Registration(cp_id="CP-002"))
        assert (await central.update("req-1", "ACCEPTED")).cp_id == "CP-001"
    assert not [u for u in central.heard.of(DriverUpdate) if u.status == "DENIED"]
    await busy.close()


async def test_a_fault_of_the_whole_stands_while_a_connector_speaks_until_a_probe_or_a_boot_heals_it(central):
    await started(central)
    await central.operations.report_health("CP-001", HealthReport(healthy=False, detail="engine_unreachable"))
    central.clock.advance(1)
    await central.status("CP-001", ChargePointState.ACTIVATED, reason="time_elapsed")
    await central.heard.wait_for(Status, lambda s: s.reason == "time_elapsed")
    while (await central.connectors_of("CP-001"))["1"] != ["ACTIVATED", "engine"]:
        await a_moment()
    assert (await central.known_states())["CP-001"] == "FAULT"
    central.clock.advance(1)
    await central.status("CP-001", ChargePointState.ACTIVATED, reason="boot")
    await central.heard.wait_for(Status, lambda s: s.source is StatusSource.CENTRAL and s.reason == "boot")
    while (await central.known_states())["CP-001"] != "ACTIVATED":
        await a_moment()


async def test_a_price_changed_at_another_copy_is_charged_here_too(central, database):
    command = await started(central)
    other = await Prices.load(database, first=central.prices.latest)
    central.clock.advance(1)
    row = TariffRow(valid_from=central.clock(), price_per_kwh=Decimal(2), solar_price_per_kwh=None, currency="EUR")
    async with database.begin() as transaction:
        await network.add_tariff(transaction, row)
    other.change(row)
    central.clock.advance(1)
    await central.operations.hear_of_pricing(signal_of(other.latest, "site-1", central.clock()))
    await central.interval(command, 2, energy_wh=1000.0, register_wh=2000.0)
    await central.interval(command, 1, energy_wh=0.0, register_wh=1000.0)
    await central.end(command, 2)
    await central.update("req-1", "COMPLETED")
    assert (await session_of(central, command)).cost == Decimal("2.00")


async def test_what_mqtt_says_of_a_unit_never_hides_what_its_engine_says(central):
    def seen_on_mqtt(state: ChargePointState) -> Status:
        return Status(ts=central.clock(), cp_id="CP-001", state=state, reason="telemetry", source=StatusSource.MQTT)

    await central.publish(STATUS, seen_on_mqtt(ChargePointState.DISCONNECTED))
    while "CP-001" not in await central.known_states():
        await a_moment()
    await central.status("CP-001", ChargePointState.ACTIVATED, reason="boot")
    while set(await central.connectors_of("CP-001")) != {"1"}:
        await a_moment()
    central.clock.advance(1)
    await central.publish(STATUS, seen_on_mqtt(ChargePointState.DISCONNECTED))
    await central.request("req-1", "CP-001")
    await central.update("req-1", "ACCEPTED")


async def test_earnings_round_each_bill_and_not_the_total(central):
    for number in (1, 2, 3):
        command = await started(central, f"req-{number}", f"CP-00{number}")
        await central.interval(command, 1, energy_wh=50.0, register_wh=2000.0)  # 1.5 cents, billed as 2
        await central.end(command, 1)
        await central.update(f"req-{number}", "COMPLETED")
    assert (await central.operations.totals()).earnings == Decimal("0.06")
