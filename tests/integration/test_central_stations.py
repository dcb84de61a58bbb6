"""Sessions, drivers and reservations at OCPP stations, in Central over the in-memory log: SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ev_central.errors import StateForbids, UnknownSession
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, StatusSource
from evcharging.messages.commands import Command, CommandOutcome
from evcharging.messages.control import HealthReport
from evcharging.messages.drivers import DriverUpdate, RequestKind
from evcharging.messages.network import AuthToken, OcppConfig
from evcharging.store.database import Database
from evcharging.store.simulator import network, tokens
from evcharging.store.simulator.session_records import SessionRecord
from evcharging.store.simulator.tokens import TokenRow
from tests.support.central import CentralRig, Clock, Heard, a_moment, make_rig
from tests.support.databases import BreakableDatabase, BreakablePostgresql, migrated_sqlite
from tests.support.ocpp import ACTIVATED, DISCONNECTED, SUPPLYING, Station
from tests.support.postgresql import PostgresqlServer

PATIENCE_S = 30.0


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


@pytest.fixture
async def station(central: CentralRig) -> Station:
    station = Station(central)
    await station.boots()
    return station


@pytest.fixture
async def pair(central: CentralRig) -> Station:
    """A station of two connectors."""
    station = Station(central, connectors=2)
    await station.boots()
    return station


async def record(
    rig: CentralRig, session_id: str, matches: Callable[[SessionRecord], object] = lambda _: True
) -> SessionRecord:
    """The session's record, once it is there and ``matches``."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                found = await rig.operations.session(session_id)
            except UnknownSession:
                found = None
            if found is not None and matches(found):
                return found
            await a_moment()


async def own_token(rig: CentralRig, id_tag: str, driver_id: str | None = None, *, status: str = "Accepted") -> None:
    async with rig.database.begin() as transaction:
        row = TokenRow(
            id_tag=id_tag, status=status, driver_id=driver_id, created_at=rig.clock(), changed_at=rig.clock()
        )
        await tokens.save_token(transaction, row)


def closed(session: SessionRecord) -> bool:
    return session.status != "ACTIVE"


async def test_a_session_begun_with_a_card_is_adopted_metered_and_billed(central, station):
    await station.begins("s-1", id_tag="ABC123", transaction_id=7)
    for seq in (1, 2, 3):
        await station.meters("s-1", seq, energy_wh=1000.0)
    await station.ends("s-1", 3)
    session = await record(central, "s-1", closed)
    assert (session.source, session.request_id, session.driver_id) == ("ocpp", "s-1", "ABC123")
    assert (session.status, session.reason, session.intervals) == ("COMPLETED", "local_stop", 3)
    assert (session.kwh, session.cost) == (Decimal(3), Decimal("0.90"))
    assert len((await central.operations.sessions()).items) == 1


async def test_the_driver_is_whose_token_the_id_tag_is_whatever_its_case(central, station):
    await own_token(central, "Abc123", "driver-alice")
    await station.begins("s-1", id_tag="aBC123")
    assert (await record(central, "s-1")).driver_id == "driver-alice"


async def test_an_interval_that_overtakes_the_status_begins_the_record_and_the_status_completes_it(central, station):
    await station.meters("s-1", 1, energy_wh=500.0)
    early = await record(central, "s-1", lambda s: s.kwh)
    assert (early.driver_id, early.kwh) == ("unknown", Decimal("0.5"))
    began = central.clock() - timedelta(minutes=3)
    await station.begins("s-1", id_tag="ABC123", started_at=began)
    session = await record(central, "s-1", lambda s: s.driver_id != "unknown")
    assert (session.driver_id, session.started_at) == ("ABC123", began)
    await station.ends("s-1", 1)
    assert (await record(central, "s-1", closed)).kwh == Decimal("0.5")


async def test_an_interval_of_a_station_that_never_said_anything_is_not_lost(central):
    station = Station(central, "ST-NEW")
    await station.meters("s-1", 1, id_tag="ABC123")
    session = await record(central, "s-1", lambda s: s.kwh)
    assert (session.driver_id, session.kwh) == ("ABC123", Decimal("0.1"))


async def test_an_interval_of_a_session_that_no_engine_was_commanded_to_begin_is_refused(central):
    await central.activated("CP-001")
    stranger = Station(central, "CP-001")
    await stranger.meters("s-1", 1, source=StatusSource.ENGINE)
    await stranger.meters("s-2", 1, source=None)
    await central.request("req-1", "CP-001")
    await central.update("req-1", "ACCEPTED")
    with pytest.raises(UnknownSession):
        await central.operations.session("s-1")
    with pytest.raises(UnknownSession):
        await central.operations.session("s-2")


async def test_records_delivered_again_begin_and_count_nothing_twice(central, station):
    for _ in range(2):
        await station.begins("s-1", id_tag="ABC123", event_id="begun")
        await station.meters("s-1", 1)
    await station.begins("s-1", id_tag="ABC123", event_id="begun-again-by-another-gateway")
    await station.ends("s-1", 1)
    await record(central, "s-1", closed)
    await station.meters("s-1", 1)
    await station.begins("s-2", id_tag="ABC123")
    await record(central, "s-2")
    assert [s.kwh for s in (await central.operations.sessions()).items if s.session_id == "s-1"] == [Decimal("0.1")]
    assert len((await central.operations.sessions()).items) == 2


async def test_a_transaction_kept_offline_is_stored_with_its_own_times_and_prices(central, station):
    await central.operations.set_pricing(Decimal("1.00"), "EUR")
    began, ended = central.clock() - timedelta(hours=5), central.clock() - timedelta(hours=4)
    await station.begins("s-1", late=True, id_tag="ABC123", started_at=began)
    await station.meters("s-1", 1, energy_wh=1000.0, began=began)
    await station.ends("s-1", 1, started_at=began, ended_at=ended)
    session = await record(central, "s-1", closed)
    assert (session.started_at, session.ended_at, session.status) == (began, ended, "COMPLETED")
    assert session.cost == Decimal("0.30")  # as the price was then


async def test_a_transaction_from_before_the_currency_changed_is_billed_and_told_in_the_one_before(central, station):
    began = central.clock() - timedelta(hours=1)
    await central.operations.set_pricing(Decimal(20), "INR")
    await station.begins("s-1", id_tag="ABC123", started_at=began)
    await station.meters("s-1", 1, energy_wh=1000.0, began=began)
    await station.meters("s-1", 2, energy_wh=1000.0)  # after the change
    await station.ends("s-1", 2, started_at=began)
    session = await record(central, "s-1", closed)
    assert (session.kwh, session.cost, session.currency) == (Decimal(2), Decimal("0.60"), "EUR")
    told = await central.update("s-1", "COMPLETED")
    assert (told.euros, told.currency) == (0.6, "EUR")


async def test_a_session_is_billed_in_the_currency_of_its_first_interval_where_its_beginning_was_not_told(
    central, station
):
    await central.operations.set_pricing(Decimal(20), "INR")
    await station.begins("s-1", id_tag="ABC123")
    assert (await record(central, "s-1")).currency == "INR"
    await station.meters("s-1", 1, energy_wh=1000.0, began=central.clock() - timedelta(minutes=30))
    session = await record(central, "s-1", lambda s: s.intervals)
    assert (session.kwh, session.cost, session.currency) == (Decimal(1), Decimal("0.30"), "EUR")


async def test_what_a_slow_clock_dates_before_the_drivers_currency_costs_the_first_price_in_it(central, station):
    await central.operations.set_pricing(Decimal(20), "INR")
    await central.request("req-1", station.cp_id)
    session_id = (await central.update("req-1", "ACCEPTED")).session_id
    await station.begins(session_id)
    await station.meters(session_id, 1, energy_wh=1000.0, began=central.clock() - timedelta(minutes=5))
    session = await record(central, session_id, lambda s: s.intervals)
    assert (session.kwh, session.cost, session.currency) == (Decimal(1), Decimal("20.00"), "INR")


async def test_a_burst_of_transactions_kept_offline_bills_each_with_all_its_intervals(central, station):
    began = {n: central.clock() - timedelta(hours=9 - 2 * n) for n in (1, 2, 3)}
    for n, start in began.items():
        await station.begins(f"s-{n}", late=n < 3, id_tag="ABC123", started_at=start)
        if n < 3:
            await station.ends(f"s-{n}", 2, ended_at=start + timedelta(hours=1))
    await record(central, "s-3")
    for n, start in began.items():
        for seq in (1, 2):
            await station.meters(f"s-{n}", seq, began=start)
    sessions = [await record(central, f"s-{n}", lambda s: s.intervals == 2) for n in (1, 2, 3)]
    assert [s.kwh for s in sessions] == [Decimal("0.2")] * 3
    assert [s.amended_at for s in sessions] == [None] * 3
    assert [s.status for s in sessions] == ["COMPLETED", "COMPLETED", "ACTIVE"]


async def test_a_transaction_of_the_past_takes_no_connector_from_the_one_that_runs(central, station):
    await station.begins("s-now", id_tag="DEF456")
    began = central.clock() - timedelta(hours=2)
    await station.begins("s-late", late=True, id_tag="ABC123", started_at=began)
    await record(central, "s-late")
    await central.sweep.once()
    central.clock.advance(301)
    await central.sweep.once()
    assert (await record(central, "s-now")).status == "ACTIVE"
    await record(central, "s-late", closed)
    await station.meters("s-late", 1, began=began)
    assert (await record(central, "s-late", lambda s: s.amended_at)).kwh == Decimal("0.1")


async def test_an_end_told_while_another_session_has_the_connector_is_an_end(central, station):
    await station.begins("s-1", id_tag="ABC123")
    await station.begins("s-2", id_tag="DEF456")
    await station.ends("s-1", 0, reason="unplugged")
    assert (await record(central, "s-1", closed)).reason == "unplugged"
    assert (await record(central, "s-2")).status == "ACTIVE"


async def test_an_end_alone_is_a_session_too(central, station):
    began = central.clock() - timedelta(hours=1)
    await station.ends("s-1", 0, id_tag="ABC123", started_at=began, register_start_wh=5.0, register_end_wh=5.0)
    session = await record(central, "s-1", closed)
    assert (session.started_at, session.kwh, session.reason) == (began, Decimal(0), "local_stop")


async def test_a_session_whose_connector_has_another_and_that_never_ends_is_closed_with_what_is_known(central, station):
    await central.sweep.once()
    await station.begins("s-1", id_tag="ABC123")
    await station.meters("s-1", 1)
    heard = (await record(central, "s-1", lambda s: s.kwh)).started_at
    central.clock.advance(3600)
    await station.begins("s-2", id_tag="DEF456")
    await record(central, "s-2")
    central.clock.advance(299)
    assert await central.sweep.once() == 0
    assert (await record(central, "s-1")).status == "ACTIVE"  # its own end may be on its way
    central.clock.advance(2)
    assert await central.sweep.once() == 1
    lost = await record(central, "s-1", closed)
    assert (lost.status, lost.reason, lost.kwh) == ("FAILED", "engine_lost", Decimal("0.1"))
    assert lost.ended_at == heard
    alert = await central.heard.wait_for(Alert, lambda a: a.kind == "end_missing")
    assert "s-1" in alert.detail
    assert (await record(central, "s-2")).status == "ACTIVE"


async def test_an_end_that_comes_minutes_after_the_next_session_began_is_the_charge_points_own(central, station):
    await central.sweep.once()
    await station.begins("s-1", id_tag="ABC123")
    await station.meters("s-1", 1, energy_wh=1000.0)
    await record(central, "s-1", lambda s: s.kwh)
    central.clock.advance(600)
    ended = central.clock()
    await station.meters("s-2", 1)  # telemetry is ahead of the statuses
    await record(central, "s-2")
    for _ in range(3):
        central.clock.advance(90)
        assert await central.sweep.once() == 0
    assert (await record(central, "s-1")).status == "ACTIVE"
    await station.meters("s-1", 2, energy_wh=1000.0)
    await station.ends("s-1", 2, reason="unplugged", ended_at=ended)
    session = await record(central, "s-1", closed)
    assert (session.status, session.reason, session.ended_at) == ("COMPLETED", "unplugged", ended)
    assert (session.kwh, session.cost, session.amended_at) == (Decimal(2), Decimal("0.60"), None)
    assert (await record(central, "s-2")).status == "ACTIVE"


async def test_the_wait_for_an_end_goes_on_after_a_restart_of_central(log, database, clock):
    first = await make_rig(log, database, clock)
    async with first.running():
        station = Station(first)
        await station.boots()
        await station.begins("s-1", id_tag="ABC123")
        await record(first, "s-1")
        clock.advance(600)
        await station.begins("s-2", id_tag="DEF456")
        await record(first, "s-2")
    second = await make_rig(log, database, clock, name="central-2")
    async with second.running():
        station.rig = second
        await second.sweep.once()
        clock.advance(200)
        assert await second.sweep.once() == 0
        await station.ends("s-1", 0, reason="battery_full")
        assert (await record(second, "s-1", closed)).reason == "battery_full"


async def test_an_end_after_the_session_was_given_up_corrects_the_record_and_not_the_outcome(central, station):
    await central.sweep.once()
    await central.request("req-1", "ST-1")
    command = await central.command("START_SUPPLY")
    first = command.session_id
    await station.begins(first, driver_id="driver-alice")
    await central.update("req-1", "IN_PROGRESS")
    await station.begins("s-2", id_tag="DEF456")
    await record(central, "s-2")
    central.clock.advance(301)
    await central.sweep.once()
    await central.update("req-1", "FAILED")
    ended = central.clock() - timedelta(seconds=250)
    await station.meters(first, 1, energy_wh=1000.0)
    await station.ends(first, 1, reason="unplugged", ended_at=ended)
    session = await record(central, first, lambda s: s.ended_at == ended and s.kwh)
    assert (session.kwh, session.cost) == (Decimal(1), Decimal("0.30"))
    assert (session.status, session.reason) == ("FAILED", "engine_lost")
    assert session.amended_at is not None
    alert = await central.heard.wait_for(Alert, lambda a: a.kind == "late_end")
    assert "unplugged" in alert.detail
    told = [u for u in central.heard.of(DriverUpdate) if u.request_id == "req-1" and u.status != "IN_PROGRESS"]
    assert [u.status for u in told] == ["ACCEPTED", "FAILED"]


async def test_the_own_end_of_a_session_counts_also_after_its_connector_has_another(central, station):
    await station.begins("s-1", id_tag="ABC123")
    await record(central, "s-1")
    await station.meters("s-2", 1)  # telemetry is ahead of the statuses
    await record(central, "s-2")
    await station.ends("s-1", 0, reason="unplugged")
    await station.begins("s-2", id_tag="DEF456")
    session = await record(central, "s-1", closed)
    assert (session.status, session.reason) == ("COMPLETED", "unplugged")
    assert (await record(central, "s-2", lambda s: s.driver_id == "DEF456")).status == "ACTIVE"


async def test_a_commanded_start_fails_as_busy_where_somebody_else_began_with_a_card(central, station):
    await central.request("req-1", "ST-1")
    start = await central.command("START_SUPPLY")
    await station.begins("s-rfid", id_tag="ABC123")
    update = await central.update("req-1", "FAILED")
    assert update.reason == "busy"
    assert (await record(central, "s-rfid")).status == "ACTIVE"
    assert (await central.command("STOP_SUPPLY")).session_id == start.session_id


async def test_one_record_is_enough_to_find_every_session_of_a_station_again(central):
    station = Station(central, connectors=3)
    for number in (1, 3):
        station.connectors[number].update(state=SUPPLYING, session_id=f"s-{number}", id_tag=f"TAG{number}")
    await station.says(2, ACTIVATED)
    assert (await record(central, "s-1")).driver_id == "TAG1"
    assert (await record(central, "s-3")).connector_id == 3


async def test_sessions_of_several_connectors_run_beside_each_other(central, pair):
    await pair.begins("s-1", 1, id_tag="A")
    await pair.begins("s-2", 2, id_tag="B")
    await pair.meters("s-1", 1, connector_id=1)
    await pair.meters("s-2", 1, connector_id=2, energy_wh=200.0)
    await pair.ends("s-1", 1, 1)
    assert (await record(central, "s-1", closed)).kwh == Decimal("0.1")
    assert (await record(central, "s-2", lambda s: s.kwh)).status == "ACTIVE"
    assert (await central.known_states())["ST-1"] == "SUPPLYING"


async def test_a_restarted_central_goes_on_with_sessions_that_it_never_began(log, database, clock):
    first = await make_rig(log, database, clock)
    async with first.running():
        station = Station(first)
        await station.boots()
        await station.begins("s-1", id_tag="ABC123")
        await station.meters("s-1", 1)
        await record(first, "s-1", lambda s: s.kwh)
    second = await make_rig(log, database, clock, name="central-2")
    async with second.running():
        station.rig = second
        await station.meters("s-1", 2)
        await station.ends("s-1", 2)
        assert (await record(second, "s-1", closed)).kwh == Decimal("0.2")


async def test_silence_ends_no_session_at_a_station_that_is_connected(central, station):
    await station.begins("s-1", id_tag="ABC123")
    await record(central, "s-1")
    await central.sweep.once()
    central.clock.advance(3 * 86_400)
    assert await central.sweep.once() == 0


async def test_a_session_at_a_station_that_stays_away_for_a_day_is_given_up_and_amended_if_it_returns(central, station):
    await station.begins("s-1", id_tag="ABC123")
    await station.says(0, DISCONNECTED)
    await record(central, "s-1")
    while (await central.known_states())["ST-1"] != "DISCONNECTED":
        await a_moment()
    await central.sweep.once()
    central.clock.advance(3600)
    assert await central.sweep.once() == 0
    central.clock.advance(86_400)
    assert await central.sweep.once() == 1
    assert (await record(central, "s-1", closed)).reason == "engine_lost"
    assert (await central.known_states())["ST-1"] == "DISCONNECTED"
    await station.meters("s-1", 1)
    assert (await record(central, "s-1", lambda s: s.amended_at)).kwh == Decimal("0.1")


async def test_a_fault_that_a_monitor_saw_stands_until_the_station_boots_or_a_probe_is_good(central, station):
    await central.operations.report_health("ST-1", HealthReport(healthy=False, detail="unreachable"))
    await station.says(1, ACTIVATED, ocpp_status="Preparing")
    await central.request("req-1", "ST-1")
    assert (await central.update("req-1", "DENIED")).reason == "faulted"
    await central.operations.report_health("ST-1", HealthReport(healthy=True))
    await central.request("req-2", "ST-1")
    await central.update("req-2", "ACCEPTED")


async def test_a_driver_without_a_token_is_given_one_before_the_command_that_carries_it(central, station):
    heard = Heard(central.bus, "auth.tokens")
    listening = asyncio.create_task(heard.listen())
    try:
        await central.request("req-1", "ST-1", kwh=5)
        command = await central.command("START_SUPPLY")
        token = await heard.wait_for(AuthToken)
    finally:
        listening.cancel()
    assert command.id_tag == token.id_tag == "driver-alice"
    assert (token.status, token.driver_id) == ("Accepted", "driver-alice")
    assert command.payload == {"kwh": 5}
    async with central.database.begin() as transaction:
        assert [row.id_tag for row in await tokens.tokens_of_driver(transaction, "driver-alice")] == ["driver-alice"]


async def test_a_driver_charges_with_the_token_that_is_stored(central, station):
    await own_token(central, "RFID-7", "driver-alice")
    await central.request("req-1", "ST-1")
    assert (await central.command("START_SUPPLY")).id_tag == "RFID-7"


async def test_a_derived_token_takes_nobody_elses_id_tag(central, station):
    await own_token(central, "DRIVER-ALICE", "driver-mallory")
    await central.request("req-1", "ST-1")
    id_tag = (await central.command("START_SUPPLY")).id_tag
    assert id_tag is not None
    assert id_tag.upper() != "DRIVER-ALICE"
    assert len(id_tag) <= 20


async def test_a_driver_whose_token_is_blocked_is_denied_and_given_no_other(central, station):
    await own_token(central, "RFID-7", "driver-alice", status="Blocked")
    await central.request("req-1", "ST-1")
    update = await central.update("req-1", "DENIED")
    assert (update.reason, update.detail) == ("invalid_request", "the driver's token RFID-7 is Blocked")
    with pytest.raises(StateForbids, match="Blocked"):
        await central.operations.start("ST-1", driver_id="driver-alice")


async def test_a_driver_charges_at_a_station_as_at_an_engine(central, station):
    await central.request("req-1", "ST-1")
    command = await central.command("START_SUPPLY")
    await central.reply(command, CommandOutcome.ACCEPTED)
    await station.begins(command.session_id, id_tag=command.id_tag, driver_id="driver-alice")
    await central.update("req-1", "IN_PROGRESS")
    await station.meters(command.session_id, 1, energy_wh=1000.0)
    await station.ends(command.session_id, 1)
    update = await central.update("req-1", "COMPLETED")
    assert (update.kwh, update.euros) == (1.0, 0.3)


async def test_a_station_that_took_the_start_is_given_time_for_the_cable(central, station):
    await central.request("req-1", "ST-1")
    command = await central.command("START_SUPPLY")
    await central.reply(command, CommandOutcome.ACCEPTED)
    async with asyncio.timeout(PATIENCE_S):
        while await outcome_of(central, command) is None:
            await a_moment()
    await central.sweep.once()
    central.clock.advance(60)
    assert await central.sweep.once() == 0
    central.clock.advance(70)
    assert await central.sweep.once() == 1
    assert (await central.update("req-1", "FAILED")).reason == "start_timeout"


async def test_a_station_whose_time_for_the_cable_is_known_is_given_that_time(central, station):
    await central.request("req-1", "ST-1")
    command = await central.command("START_SUPPLY")
    payload = {"status": "Accepted", "connection_timeout_s": 30}
    await central.reply(command, CommandOutcome.ACCEPTED, payload=payload)
    async with asyncio.timeout(PATIENCE_S):
        while await outcome_of(central, command) is None:
            await a_moment()
    await central.sweep.once()
    central.clock.advance(34)
    assert await central.sweep.once() == 0
    central.clock.advance(2)
    assert await central.sweep.once() == 1
    assert (await central.update("req-1", "FAILED")).reason == "start_timeout"


async def outcome_of(central: CentralRig, command: Command) -> str | None:
    async with central.database.begin() as transaction:
        return (await network.commands(transaction, [command.command_id]))[command.command_id].outcome


async def test_a_station_is_busy_only_when_none_of_its_connectors_is_free(central, pair):
    await pair.begins("s-1", 1, id_tag="A")
    await record(central, "s-1")
    await central.request("req-2", "ST-1")
    assert (await central.command("START_SUPPLY")).connector_id == 2
    await central.request("req-3", "ST-1")
    assert (await central.update("req-3", "DENIED")).reason == "busy"
    await central.request("req-4", "ST-1", connector_id=1)
    assert (await central.update("req-4", "DENIED")).reason == "busy"
    await central.request("req-5", "ST-1", connector_id=9)
    assert (await central.update("req-5", "DENIED")).reason == "invalid_request"


async def test_any_finds_the_free_connector_of_a_station_that_serves_somebody(central, pair):
    await pair.begins("s-1", 1, id_tag="A")
    await record(central, "s-1")
    await central.request("req-1", "any")
    command = await central.command("START_SUPPLY")
    assert (command.cp_id, command.connector_id) == ("ST-1", 2)
    await central.request("req-2", "any")
    assert (await central.update("req-2", "DENIED")).reason == "no_free_charge_point"


async def test_a_faulted_connector_is_told_only_where_no_other_is_free(central, pair):
    await pair.says(1, ChargePointState.FAULT)
    await central.request("req-1", "ST-1")
    assert (await central.command("START_SUPPLY")).connector_id == 2
    await central.request("req-2", "ST-1", connector_id=1)
    assert (await central.update("req-2", "DENIED")).reason == "faulted"


async def reserve(central: CentralRig, request_id: str = "res-1", cp_id: str = "ST-1", **more: Any) -> Command:
    await central.request(request_id, cp_id, kind=RequestKind.RESERVE, **more)
    return await central.command("OCPP_CALL")


async def answer(central: CentralRig, command: Command, status: str) -> None:
    await central.reply(command, CommandOutcome.CALL_RESULT, payload={"status": status})


async def test_a_reservation_is_made_at_the_station_kept_for_its_driver_and_used_up(central, station):
    command = await reserve(central)
    assert command.payload is not None
    call = command.payload["payload"]
    assert command.payload["action"] == "ReserveNow"
    assert (call["connectorId"], call["idTag"], call["expiryDate"]) == (1, "driver-alice", "2026-03-01T12:15:00.000Z")
    assert not [u for u in central.heard.of(DriverUpdate) if u.request_id == "res-1"]
    await answer(central, command, "Accepted")
    assert (await central.update("res-1", "ACCEPTED")).reason == "reserved"
    await station.says(1, ACTIVATED, ocpp_status="Reserved")
    with pytest.raises(StateForbids, match="reserved"):
        await central.operations.start("ST-1", driver_id="driver-bob")
    await central.request("req-1", "ST-1")
    start = await central.command("START_SUPPLY")
    await station.begins(start.session_id, driver_id="driver-alice")
    assert (await central.update("res-1", "COMPLETED")).reason == "used"


async def test_a_connector_that_says_it_is_reserved_is_denied_as_such(central, station):
    await station.says(1, ACTIVATED, ocpp_status="Reserved")
    await central.request("req-1", "ST-1")
    assert (await central.update("req-1", "DENIED")).reason == "reserved"


@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ("Occupied", "busy"),
        ("Faulted", "faulted"),
        ("Unavailable", "stopped"),
        ("Rejected", "invalid_request"),
    ],
)
async def test_a_reservation_that_the_station_refuses_is_denied_with_its_reason(central, station, said, denied):
    await answer(central, await reserve(central), said)
    assert (await central.update("res-1", "DENIED")).reason == denied
    await central.request("req-1", "ST-1")
    await central.update("req-1", "ACCEPTED")


async def test_a_reservation_that_reached_nobody_is_denied(central, station):
    await central.reply(await reserve(central), CommandOutcome.NOT_CONNECTED)
    assert (await central.update("res-1", "DENIED")).reason == "disconnected"


async def test_a_cancelled_reservation_is_taken_back_at_the_station(central, station):
    command = await reserve(central)
    await answer(central, command, "Accepted")
    await central.update("res-1", "ACCEPTED")
    await central.request("res-1", "ST-1", kind=RequestKind.CANCEL)
    assert (await central.update("res-1", "CANCELLED")).reason == "driver_cancel"
    back = await central.heard.wait_for(Command, lambda c: (c.payload or {}).get("action") == "CancelReservation")
    assert back.payload is not None
    assert command.payload is not None
    assert back.payload["payload"] == {"reservationId": command.payload["payload"]["reservationId"]}
    await central.request("req-1", "ST-1")
    await central.update("req-1", "ACCEPTED")


async def test_a_reservation_lapses_when_its_time_is_over(central, station):
    await answer(central, await reserve(central), "Accepted")
    await central.update("res-1", "ACCEPTED")
    central.clock.advance(901)
    await central.sweep.once()
    assert (await central.update("res-1", "CANCELLED")).reason == "expired"


async def test_a_reservation_that_nobody_answers_is_denied_in_the_end(central, station):
    await reserve(central)
    central.clock.advance(91)
    await central.sweep.once()
    assert (await central.update("res-1", "DENIED")).reason == "disconnected"


async def test_nothing_can_be_reserved_at_an_engine(central):
    await central.activated("CP-001")
    await central.request("res-1", "CP-001", kind=RequestKind.RESERVE)
    update = await central.update("res-1", "DENIED")
    assert (update.reason, update.detail) == (
        "invalid_request",
        "reservations are made at OCPP charge points only",
    )


async def test_a_second_reservation_is_made_on_another_connector_or_denied(central, pair):
    await answer(central, await reserve(central), "Accepted")
    await central.update("res-1", "ACCEPTED")
    await central.request("res-2", "ST-1", kind=RequestKind.RESERVE, connector_id=1)
    assert (await central.update("res-2", "DENIED")).reason == "reserved"


async def test_a_2_0_1_station_is_asked_in_its_own_words(central):
    station = Station(central, version="2.0.1")
    await station.boots()
    command = await reserve(central)
    assert command.payload is not None
    assert set(command.payload["payload"]) == {"id", "expiryDateTime", "idToken", "evseId"}


async def configurations(central: CentralRig) -> list[OcppConfig]:
    """What gateways were told of stations so far."""
    heard = Heard(central.bus, "ocpp.config")
    task = asyncio.create_task(heard.listen())
    await heard.wait_for(OcppConfig)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return heard.of(OcppConfig)


async def test_a_station_under_an_engines_id_is_ignored_alerted_of_and_kept_out_by_the_gateway(central):
    await central.activated("CP-001")
    intruder = Station(central, "CP-001")
    await intruder.says(0, ChargePointState.FAULT, reason="boot")
    await intruder.begins("s-1", id_tag="ABC123")
    await intruder.meters("s-1", 1)
    await intruder.says(0, DISCONNECTED, reason="connection_lost")
    alert = await central.heard.wait_for(Alert, lambda a: a.kind == "id_conflict")
    assert (alert.cp_id, alert.severity.value) == ("CP-001", "critical")
    await central.activated("CP-002")  # what was said before has been read
    assert await central.known_states() == {"CP-001": "ACTIVATED", "CP-002": "ACTIVATED"}
    assert not (await central.operations.sessions()).items
    assert len([a for a in central.heard.of(Alert) if a.kind == "id_conflict"]) == 1
    told = [c for c in await configurations(central) if c.cp_id == "CP-001"]
    assert [(c.held_by_engine, c.deleted) for c in told] == [(True, True)]
    await central.request("r-1", "CP-001")
    assert (await central.heard.wait_for(Command, lambda c: c.cp_id == "CP-001")).id_tag is None


async def test_an_id_is_free_for_a_station_once_its_engine_has_left(central):
    await central.activated("CP-001")
    await central.status("CP-001", DISCONNECTED, connector_id=0, reason="shutdown")
    station = Station(central, "CP-001")
    await station.boots()
    while [c.held_by_engine for c in await configurations(central) if c.cp_id == "CP-001"] != [True, False]:
        await a_moment()
    assert central.heard.of(Alert) == []


async def test_an_engine_under_a_connected_stations_id_is_ignored_and_alerted_of(central, station):
    await central.status(station.cp_id, ChargePointState.FAULT, connector_id=0, reason="boot")
    alert = await central.heard.wait_for(Alert, lambda a: a.kind == "id_conflict")
    assert "engine" in alert.detail
    assert (await central.known_states())[station.cp_id] == "ACTIVATED"


async def test_nobody_starts_at_a_station_whose_policy_bars_it_and_all_hear_why(central, station):
    central.policies[station.cp_id] = "Price too high (24.50 > 20.00)"
    with pytest.raises(StateForbids, match=r"cannot start a session \(Price too high \(24.50 > 20.00\)\)"):
        await central.operations.start(station.cp_id, driver_id="driver-alice")
    await central.request("r-1", station.cp_id)
    denied = await central.heard.wait_for(DriverUpdate, lambda u: u.request_id == "r-1")
    assert (denied.status.value, denied.reason) == ("DENIED", "payment_declined")
    assert denied.detail == "Price too high (24.50 > 20.00)"
    await central.request("r-2", "any")
    nowhere = await central.heard.wait_for(DriverUpdate, lambda u: u.request_id == "r-2")
    assert nowhere.reason == "no_free_charge_point"
    central.policies.clear()
    assert await central.operations.start(station.cp_id, driver_id="driver-alice")


async def test_a_driver_who_takes_any_is_sent_past_stations_whose_policy_bars_it(central, station):
    central.policies[station.cp_id] = "Price too high (24.50 > 20.00)"
    other = Station(central, "ST-2")
    await other.boots()
    await central.request("r-1", "any")
    accepted = await central.heard.wait_for(DriverUpdate, lambda u: u.request_id == "r-1")
    assert (accepted.status.value, accepted.cp_id) == ("ACCEPTED", "ST-2")


async def test_a_station_that_is_unavailable_as_a_whole_goes_on_with_its_session_and_takes_nobody_else(central, pair):
    await pair.begins("s-1", id_tag="ABC123")
    await pair.says(0, ChargePointState.STOPPED, ocpp_status="Unavailable")
    while (await central.known_states())[pair.cp_id] != "SUPPLYING":
        await a_moment()
    await central.request("r-1", pair.cp_id)
    denied = await central.heard.wait_for(DriverUpdate, lambda u: u.request_id == "r-1")
    assert denied.reason == "stopped"
    await pair.ends("s-1", 0)
    await record(central, "s-1", closed)
    assert (await central.known_states())[pair.cp_id] == "STOPPED"


async def test_whoever_a_connector_is_reserved_for_over_http_may_start_there_with_that_token(central, station):
    await own_token(central, "OLD-TAG", "driver-alice")
    await own_token(central, "ALICE-2", "driver-alice")
    await station.says(1, ACTIVATED, ocpp_status="Reserved", kept_for="alice-2")
    while (await central.connectors_of(station.cp_id))["1"][2:] != ["Reserved", "alice-2"]:
        await a_moment()
    with pytest.raises(StateForbids, match="reserved"):
        await central.operations.start(station.cp_id, driver_id="driver-bob")
    await central.request("r-1", station.cp_id)
    start = await central.heard.wait_for(Command, lambda c: c.action.value == "START_SUPPLY")
    assert (start.driver_id, start.id_tag) == ("driver-alice", "ALICE-2")


@pytest.mark.parametrize("id_tag", ["driver-zoe", "DRIVER-ZOE"])
async def test_a_connector_reserved_for_an_id_tag_that_nobody_owns_is_the_drivers_of_that_name(
    central, station, id_tag
):
    await station.says(1, ACTIVATED, ocpp_status="Reserved", kept_for=id_tag)
    while "Reserved" not in (await central.connectors_of(station.cp_id))["1"]:
        await a_moment()
    with pytest.raises(StateForbids, match="reserved"):
        await central.operations.start(station.cp_id, driver_id="driver-bob")
    assert await central.operations.start(station.cp_id, driver_id="driver-zoe")
