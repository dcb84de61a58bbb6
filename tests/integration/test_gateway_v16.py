"""The gateway's business side, as 1.6 stations and Central see it. Cases of the standard's test plan keep their ids."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.central_system import CentralSystemTerms
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status
from evcharging.messages.commands import CommandAction, CommandOutcome
from evcharging.messages.network import TokenStatus
from evcharging.messages.topics import REPLIES, STATUS, TELEMETRY
from evcharging.ocpp.errors import CallFailed, CallRejected, CallTimedOut
from evcharging.ocpp.timestamps import timestamp
from evcharging.store.gateway import commands as taken_commands
from evcharging.store.gateway import tables
from tests.support.central import CentralRig, Clock, a_moment, make_rig
from tests.support.central_system import Business, Station, business, until
from tests.support.databases import migrated_sqlite

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
FAST: dict[str, Any] = {"flush_s": 0.01, "leave_others_s": 0.05, "settle_s": 0.0, "hold_s": 2.0}


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def ended(gateway: Business, session_id: str) -> Status | None:
    found = [
        s
        for s in gateway.said(STATUS)
        if s.session_id == session_id and s.detail is not None and s.detail.last_seq is not None
    ]
    return found[-1] if found else None


async def begun(gateway: Business, cp_id: str = "CP-1") -> Status:
    def found() -> Status | None:
        states = [s for s in gateway.statuses(cp_id) if s.state is ChargePointState.SUPPLYING and s.session_id]
        return states[-1] if states else None

    status: Status = await until(found)
    return status


# --- boots, heartbeats, authorization ---


async def test_TC_001_a_boot_is_accepted_and_the_charge_point_is_activated(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        answer = await station.boot()
        assert (answer["status"], answer["interval"]) == ("Accepted", 300)
        status = (await until(lambda: gateway.statuses("CP-1", 0)))[0]
        assert (status.state, status.reason, status.source.value) == (ChargePointState.ACTIVATED, "boot", "ocpp")
        assert (await until_rows(gateway, tables.boots))[0]["vendor"] == "Maker"


@pytest.mark.parametrize("told", ["Pending", "Rejected"])
async def test_TC_002_the_registration_decides_a_boot_and_the_last_boot_counts(tmp_path: Path, told: Any) -> None:
    async with business(tmp_path) as gateway:
        gateway.boot_terms["CP-1"] = BootTerms(told, 60)
        station = gateway.station()
        answer = await station.boot()
        assert (answer["status"], answer["interval"]) == (told, 60)
        status = (await until(lambda: gateway.statuses("CP-1", 0)))[-1]
        assert (status.state, status.reason) == (ChargePointState.STOPPED, f"boot_{told.lower()}")
        reply = await gateway.call("CP-1", "RemoteStartTransaction", {"idTag": "TAG"})
        assert reply.outcome is CommandOutcome.REJECTED
        assert station.called == []
        gateway.boot_terms["CP-1"] = BootTerms("Accepted", 300)
        await station.boot()
        reply = await gateway.call("CP-1", "RemoteStartTransaction", {"idTag": "TAG"})
        assert reply.outcome is CommandOutcome.CALL_RESULT


async def test_a_heartbeat_is_answered_with_the_time(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        answer = await gateway.station().tell("Heartbeat", {})
        told = datetime.fromisoformat(answer["currentTime"])
        assert abs((datetime.now(UTC) - told).total_seconds()) < 5


@pytest.mark.parametrize(
    ("stored", "expires_in_s", "told"),
    [
        (TokenStatus.ACCEPTED, None, "Accepted"),
        (TokenStatus.ACCEPTED, 3600, "Accepted"),
        (TokenStatus.ACCEPTED, -3600, "Expired"),
        (TokenStatus.BLOCKED, None, "Blocked"),
        (TokenStatus.EXPIRED, None, "Expired"),
        (TokenStatus.INVALID, None, "Invalid"),
        (TokenStatus.CONCURRENT_TX, None, "ConcurrentTx"),
    ],
)
async def test_TC_023_an_id_tag_answers_as_it_is_stored(
    tmp_path: Path, stored: TokenStatus, expires_in_s: int | None, told: str
) -> None:
    expires = None if expires_in_s is None else datetime.now(UTC) + timedelta(seconds=expires_in_s)
    async with business(tmp_path) as gateway:
        await gateway.token("ABC123", stored, expires_at=expires, parent_id_tag="GROUP")
        answer = await gateway.station().tell("Authorize", {"idTag": "abc123"})
        info = answer["idTagInfo"]
        assert (info["status"], info["parentIdTag"]) == (told, "GROUP")
        assert ("expiryDate" in info) is (expires is not None)


@pytest.mark.parametrize(("accepted", "told"), [(False, "Invalid"), (True, "Accepted")])
async def test_an_unknown_id_tag_is_invalid_unless_a_setting_says_otherwise(
    tmp_path: Path, accepted: bool, told: str
) -> None:
    terms = CentralSystemTerms(accept_unknown_id_tags=accepted, **FAST)
    async with business(tmp_path, terms=terms) as gateway:
        answer = await gateway.station().tell("Authorize", {"idTag": "NOBODY"})
        assert answer["idTagInfo"]["status"] == told


async def test_a_central_system_action_is_none_for_a_station_to_call(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        with pytest.raises(CallRejected, match="NotSupported"):
            await station.tell("Reset", {"type": "Hard"})


# --- transactions ---


async def test_TC_003_a_session_is_what_the_meter_says_from_start_to_stop(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await gateway.token("TAG", driver_id="driver-ann")
        station = gateway.station()
        await station.boot()
        await station.status("Preparing")
        answer = await station.start(T0, 1000)
        number = answer["transactionId"]
        assert answer["idTagInfo"]["status"] == "Accepted"
        assert 0 < number < 2**31
        session = await begun(gateway)
        assert session.session_id is not None
        assert session.detail is not None
        assert (session.detail.transaction_id, session.detail.id_tag, session.detail.driver_id) == (
            number,
            "TAG",
            "driver-ann",
        )
        assert session.detail.register_start_wh == 1000
        await station.status("Charging")
        await station.meter(
            number, after(60), 1200.5, {"value": "11.0", "measurand": "Power.Active.Import", "unit": "kW"}
        )
        await until(lambda: gateway.intervals(session.session_id or ""))
        await station.meter(number, after(120), 1400)
        await until(lambda: len(gateway.intervals(session.session_id or "")) == 2)
        await station.stop(number, after(180), 1500, reason="EVDisconnected", idTag="TAG")
        end = await until(lambda: ended(gateway, session.session_id or ""))
        assert end.state is ChargePointState.ACTIVATED or end.state is ChargePointState.SUPPLYING
        assert (end.reason, end.detail.last_seq, end.detail.register_end_wh) == ("unplugged", 3, 1500)
        intervals = await until(
            lambda: found if len(found := gateway.intervals(session.session_id or "")) == 3 else None
        )
        assert sum(Decimal(str(i.energy_wh)) for i in intervals) == 500
        assert [i.seq for i in intervals] == [1, 2, 3]
        assert (intervals[0].kw, intervals[0].register_wh, intervals[0].id_tag) == (11.0, 1200.5, "TAG")
        assert [i.interval_start for i in intervals] == [T0, after(60), after(120)]
        assert intervals[-1].interval_end == after(180)
        assert all(i.energy_wh == i.grid_wh for i in intervals)


async def test_a_repeated_start_gets_its_old_id_also_after_a_restart_and_at_another_gateway(tmp_path: Path) -> None:
    log = MemoryLog()
    numbers = []
    async with business(tmp_path, log=log) as gateway:
        await gateway.token("TAG")
        station = gateway.station()
        numbers.append((await station.start(T0, 1000))["transactionId"])
        numbers.append((await station.start(T0, 1000))["transactionId"])
        station.disconnect()
        async with business(tmp_path, log=log, name="gateway-2") as other:
            numbers.append((await other.station().start(T0, 1000))["transactionId"])
    async with business(tmp_path, log=log) as again:
        station = again.station()
        answer = await station.start(T0, 1000, id_tag="tag")
        numbers.append(answer["transactionId"])
        assert answer["idTagInfo"]["status"] == "Accepted"
        assert len(set(numbers)) == 1
        assert len(await again.rows(tables.transactions)) == 1
        sessions = {s.session_id for s in again.said(STATUS) if s.state is ChargePointState.SUPPLYING}
        assert len(sessions - {None}) == 1


async def test_a_number_that_is_taken_is_followed_by_another(tmp_path: Path) -> None:
    numbers = iter((7, 7, 7, 8))
    async with business(tmp_path, numbers=lambda: next(numbers)) as gateway:
        station = gateway.station()
        assert (await station.start(T0, 1000))["transactionId"] == 7
        assert (await station.start(after(5), 1000, connector_id=2))["transactionId"] == 8


async def test_a_start_with_a_bad_id_tag_is_answered_with_its_status_and_kept(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await gateway.token("TAG", TokenStatus.BLOCKED)
        station = gateway.station()
        answer = await station.start(T0, 1000)
        assert answer["idTagInfo"]["status"] == "Blocked"
        assert answer["transactionId"] > 0
        assert (await station.stop(answer["transactionId"], after(2), 1000, reason="DeAuthorized")) == {}
        session = await begun(gateway)
        end = await until(lambda: ended(gateway, session.session_id or ""))
        assert (end.reason, end.detail.last_seq) == ("deauthorized", 0)


@pytest.mark.parametrize(("refuse", "told"), [(True, "ConcurrentTx"), (False, "Accepted")])
async def test_an_id_tag_that_is_charging_is_refused_elsewhere_where_that_is_set(
    tmp_path: Path, refuse: bool, told: str
) -> None:
    terms = CentralSystemTerms(refuse_concurrent=refuse, **FAST)
    async with business(tmp_path, terms=terms) as gateway:
        await gateway.token("TAG")
        await gateway.station("CP-1").start(T0, 1000)
        answer = await gateway.station("CP-2").start(T0, 1000)
        assert answer["idTagInfo"]["status"] == told


async def test_a_stop_of_an_unknown_transaction_is_accepted_kept_and_alerted_of_once(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await gateway.token("TAG")
        station = gateway.station()
        for _ in range(2):
            answer = await station.stop(4711, after(60), 2000, idTag="TAG", reason="PowerLoss")
            assert answer["idTagInfo"]["status"] == "Accepted"
        rows = await gateway.rows(tables.transactions)
        assert [(r["transaction_id"], r["start_known"], r["meter_stop_wh"]) for r in rows] == [("4711", False, 2000)]
        assert len(await until(lambda: gateway.alerts("unknown_transaction"))) == 1


@pytest.mark.parametrize("connector_id", [-1, 256])
async def test_a_transaction_at_a_connector_that_cannot_be_is_billed_all_the_same(
    tmp_path: Path, connector_id: int
) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        number = (await station.start(T0, 1000, connector_id=connector_id))["transactionId"]
        await station.meter(number, after(30), 1500, connector_id=connector_id)
        await station.stop(number, after(60), 2000)
        [row] = await gateway.rows(tables.transactions)
        assert (row["connector_id"], row["meter_start_wh"], row["meter_stop_wh"]) == (0, 1000, 2000)


async def test_a_transaction_belongs_to_the_station_that_began_it(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        number = (await gateway.station("CP-1").start(T0, 1000))["transactionId"]
        await gateway.station("CP-2").stop(number, after(60), 9000)
        rows = {r["cp_id"]: r for r in await gateway.rows(tables.transactions)}
        assert rows["CP-1"]["stopped_at"] is None
        assert rows["CP-2"]["start_known"] is False


async def test_a_repeated_stop_changes_nothing(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        number = (await station.start(T0, 1000))["transactionId"]
        await station.stop(number, after(60), 1500)
        await station.stop(number, after(90), 9999, reason="PowerLoss")
        [row] = await gateway.rows(tables.transactions)
        assert (row["meter_stop_wh"], row["end_reason"]) == (1500, "local_stop")
        await until(lambda: ended(gateway, row["session_id"]))
        assert sum(i.energy_wh for i in gateway.intervals(row["session_id"])) == 500


async def test_transaction_data_of_a_stop_is_kept(tmp_path: Path) -> None:
    data = [{"timestamp": timestamp(after(60)), "sampledValue": [{"value": "1500", "context": "Transaction.End"}]}]
    async with business(tmp_path) as gateway:
        station = gateway.station()
        number = (await station.start(T0, 1000))["transactionId"]
        await station.stop(number, after(60), 1500, transactionData=data)
        assert (await gateway.rows(tables.transactions))[0]["transaction_data"] == data


async def test_transactions_go_on_after_a_restart_from_the_last_interval(tmp_path: Path) -> None:
    log = MemoryLog()
    async with business(tmp_path, log=log) as gateway:
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        session_id = (await begun(gateway)).session_id or ""
        await station.meter(number, after(60), 1200)
        await until(lambda: gateway.intervals(session_id))
    before = len([t for t in gateway.said(TELEMETRY) if t.session_id == session_id])
    async with business(tmp_path, log=log) as again:
        await until(lambda: len([t for t in again.said(TELEMETRY) if t.session_id == session_id]) > before)
        station = again.station()
        await station.meter(number, after(120), 1300)  # before the gateway has read what it knows of the station
        await until(lambda: len(again.intervals(session_id)) == 2)
        await station.stop(number, after(180), 1450)
        end = await until(lambda: ended(again, session_id))
        assert end.detail.last_seq == 3
        intervals = await until(lambda: found if len(found := again.intervals(session_id)) == 3 else None)
        assert [i.energy_wh for i in intervals] == [200, 100, 150]
        repeated = [t for t in again.said(TELEMETRY) if t.session_id == session_id and t.seq == 1]
        assert {(t.energy_wh, t.register_wh, t.interval_end) for t in repeated} == {(200, 1200, after(60))}


async def test_a_new_start_on_the_connector_closes_what_the_station_forgot_with_what_is_known(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        old = (await begun(gateway)).session_id or ""
        await station.meter(number, after(60), 1200)
        await until(lambda: gateway.intervals(old))
        await station.start(after(600), 1250)
        end = await until(lambda: ended(gateway, old))
        assert (end.reason, end.detail.register_end_wh, end.detail.ended_at) == ("power_loss", 1200, after(60))
        rows = {r["session_id"]: r for r in await gateway.rows(tables.transactions)}
        assert rows[old]["closed_by_gateway"]
        assert sum(1 for r in rows.values() if r["stopped_at"] is None) == 1


async def test_a_free_connector_puts_its_transaction_in_doubt_until_it_is_closed(tmp_path: Path) -> None:
    terms = CentralSystemTerms(doubt_s=0.0, **FAST)
    async with business(tmp_path, terms=terms) as gateway:
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        session_id = (await begun(gateway)).session_id or ""
        await station.status("Available")
        end = await until(lambda: ended(gateway, session_id))
        assert end.detail.register_end_wh == 1000
        # The stop was in the station's queue all the time: the record is put right.
        await station.stop(number, after(300), 1700, reason="PowerLoss")
        [row] = await gateway.rows(tables.transactions)
        assert (row["meter_stop_wh"], row["closed_by_gateway"], row["end_reason"]) == (1700, False, "power_loss")
        intervals = await until(lambda: gateway.intervals(session_id))
        assert [i.energy_wh for i in intervals] == [700]


async def test_the_database_away_holds_a_transaction_message_and_then_the_socket_ends(tmp_path: Path) -> None:
    terms = CentralSystemTerms(**{**FAST, "hold_s": 0.3})
    async with business(tmp_path, terms=terms) as gateway:
        station = gateway.station()
        await station.boot()
        async with gateway.outage():
            telling = asyncio.create_task(station.start(T0, 1000))
            await until(lambda: station.closed)
            assert station.closed is not None
            assert station.closed[0] == 1013
            telling.cancel()
            assert (await station.tell("Heartbeat", {}))["currentTime"]
        station.connect()
        number = (await station.start(T0, 1000))["transactionId"]
        assert [r["number"] for r in await gateway.rows(tables.transactions)] == [number]


async def test_a_short_outage_of_the_database_only_makes_a_start_wait(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        async with gateway.outage():
            telling = asyncio.create_task(station.start(T0, 1000))
            await until(lambda: gateway.central.writes.away)
        answer = await telling
        assert answer["transactionId"] > 0


async def test_a_transaction_message_that_cannot_be_is_kept(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        with pytest.raises(CallRejected):
            await station.tell(
                "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 1, "timestamp": "yesterday"}
            )
        [row] = await until_rows(gateway, tables.rejected_messages)
        assert (row["action"], row["payload"]["timestamp"]) == ("StartTransaction", "yesterday")


# --- metering ---


async def test_registers_that_go_backwards_or_jump_never_make_energy_negative_and_are_alerted_of(
    tmp_path: Path,
) -> None:
    async with business(tmp_path) as gateway:

        def more_than(seen: int) -> bool:
            return len(gateway.intervals(session_id)) > seen

        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        session_id = (await begun(gateway)).session_id or ""
        for at, wh in ((60, 1200), (120, 900), (180, 1300), (190, 9_000_000)):
            seen = len(gateway.intervals(session_id))
            await station.meter(number, after(at), wh)
            await until(partial(more_than, seen))
        intervals = gateway.intervals(session_id)
        assert [i.energy_wh for i in intervals] == [200, 0, 100, 9_000_000 - 1300]
        assert len(await until(lambda: gateway.alerts("register_backwards"))) == 1
        assert len(await until(lambda: gateway.alerts("register_jumped"))) == 1


async def test_meter_values_without_a_transaction_id_are_the_connectors(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await station.start(T0, 1000, connector_id=2)
        session_id = (await begun(gateway)).session_id or ""
        await station.meter(None, after(60), 1100, connector_id=1)
        await station.meter(None, after(60), 1250, connector_id=2)
        intervals = await until(lambda: gateway.intervals(session_id))
        assert [i.register_wh for i in intervals] == [1250]


async def test_a_target_energy_ends_the_session_by_remote_stop(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await gateway.order(
            CommandAction.START_SUPPLY, "CP-1", session_id="s-1", driver_id="d-1", id_tag="TAG", payload={"kwh": 0.5}
        )
        number = (await station.start(T0, 1000))["transactionId"]
        await station.meter(number, after(60), 1499)
        await until(lambda: len(gateway.intervals("s-1")) == 1)
        assert station.called[-1][0] == "RemoteStartTransaction"
        await station.meter(number, after(120), 1500)
        await until(lambda: station.called[-1] == ("RemoteStopTransaction", {"transactionId": number}))
        await station.stop(number, after(125), 1510, reason="Remote")
        end = await until(lambda: ended(gateway, "s-1"))
        assert end.reason == "target_reached"


# --- statuses and presence ---


async def test_connectors_are_told_in_the_words_of_the_bus_with_the_whole_list(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        for connector_id, status in ((1, "Available"), (2, "Faulted"), (3, "Unavailable"), (4, "SuspendedEV")):
            await station.status(status, connector_id)
        last = await until(lambda: next((s for s in gateway.statuses("CP-1", 4)), None))
        assert last.detail is not None
        assert last.detail.connectors is not None
        assert [(c.connector_id, c.state.value) for c in last.detail.connectors] == [
            (0, "ACTIVATED"),
            (1, "ACTIVATED"),
            (2, "FAULT"),
            (3, "STOPPED"),
            (4, "SUPPLYING"),
        ]


async def test_a_boot_is_told_with_the_session_that_is_still_open_there(tmp_path: Path) -> None:
    log = MemoryLog()
    async with business(tmp_path, log=log) as gateway:
        station = gateway.station()
        await station.boot()
        await station.status("Charging", 2)
        await station.start(T0, 1000)
        session_id = (await begun(gateway)).session_id
        await gateway.quiet()
    async with business(tmp_path, log=log) as again:
        before = len(again.statuses("CP-1"))
        await again.station().boot()
        booted = (await until(lambda: again.statuses("CP-1")[before:]))[0]
        assert booted.reason == "boot"
        assert [(c.connector_id, c.session_id) for c in booted.detail.connectors] == [
            (0, None),
            (1, session_id),
            (2, None),
        ]


async def test_a_status_that_says_nothing_new_is_not_told_again(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        for _ in range(3):
            await station.status("Available")
        await station.status("Preparing")
        await until(lambda: len(gateway.statuses("CP-1", 1)) == 2)


async def test_a_lost_socket_is_disconnected_and_its_session_goes_on(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await station.start(T0, 1000)
        session_id = (await begun(gateway)).session_id
        station.disconnect()
        lost = await until(
            lambda: next((s for s in gateway.statuses("CP-1", 0) if s.state is ChargePointState.DISCONNECTED), None)
        )
        assert lost.reason == "connection_lost"
        assert [c.session_id for c in lost.detail.connectors if c.connector_id == 1] == [session_id]
        station.connect()
        back = await until(lambda: s if (s := gateway.statuses("CP-1", 0)[-1]).reason == "resumed" else None)
        assert back.state is ChargePointState.ACTIVATED
        assert [c.session_id for c in back.detail.connectors if c.connector_id == 1] == [session_id]


async def test_a_station_that_went_to_another_gateway_is_not_called_lost_by_the_first(tmp_path: Path) -> None:
    log = MemoryLog()
    async with business(tmp_path, log=log) as first, business(tmp_path, log=log, name="gateway-2") as second:
        old = first.station()
        await old.boot()
        new = second.station()
        await new.loaded()
        old.disconnect("ping timeout")
        await until(lambda: first.central.points.get("CP-1") is None)
        assert ChargePointState.DISCONNECTED not in [s.state for s in first.statuses("CP-1")]


# --- commands ---


async def test_TC_010_a_remote_start_over_the_bus_becomes_the_session_it_was_ordered_for(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        reply = await gateway.order(
            CommandAction.START_SUPPLY, "CP-1", session_id="s-1", driver_id="d-1", id_tag="D-TAG"
        )
        assert reply.outcome is CommandOutcome.ACCEPTED
        assert station.called == [("RemoteStartTransaction", {"idTag": "D-TAG", "connectorId": 1})]
        assert (await station.tell("Authorize", {"idTag": "D-TAG"}))["idTagInfo"]["status"] == "Accepted"
        answer = await station.start(T0, 1000, id_tag="d-tag")
        assert answer["idTagInfo"]["status"] == "Accepted"
        session = await begun(gateway)
        assert session.session_id == "s-1"
        assert session.detail is not None
        assert session.detail.driver_id == "d-1"


async def test_a_repeated_command_has_no_second_effect_and_the_same_answer(tmp_path: Path) -> None:
    log = MemoryLog()
    async with business(tmp_path, log=log) as gateway:
        station = gateway.station()
        await station.boot()
        first = await gateway.order(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", id_tag="T", command_id="c-1")
        await gateway.send(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", id_tag="T", command_id="c-1")
        replies = await until(lambda: found if len(found := gateway.replies("c-1")) == 2 else None)
        assert replies == [first, first]
        assert len(station.called) == 1
    async with business(tmp_path, log=log) as again:
        station = again.station()
        await station.loaded()
        await again.order(CommandAction.SET_LIMIT, "CP-1", limit_amps=10)
        assert [action for action, _ in station.called] == ["GetConfiguration", "SetChargingProfile"]


async def test_a_command_that_a_gateway_took_to_its_grave_is_carried_out_by_no_other(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        async with gateway.database.begin() as transaction:
            await taken_commands.take(
                transaction,
                command_id="c-1",
                cp_id="CP-1",
                action="START_SUPPLY",
                gateway="a former life",
                now=datetime.now(UTC),
            )
        await gateway.send(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", id_tag="T", command_id="c-1")
        await gateway.call("CP-1", "ClearCache", {})  # the next in the line
        assert [action for action, _ in station.called] == ["ClearCache"]
        assert gateway.replies("c-1") == []


async def test_stations_of_a_gateway_that_died_are_lost_where_they_come_back_nowhere(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    async with business(tmp_path) as gateway:
        here = gateway.station("CP-HERE")
        await here.boot()
        await here.start(T0, 1000)
        async with gateway.database.begin() as transaction:
            row = {"cp_id": "CP-GONE", "gateway": "dead", "socket_id": "x", "connected_at": long_ago}
            await transaction.execute(insert(tables.sockets).values(**row))
            await transaction.execute(insert(tables.gateways).values(gateway="dead", seen_at=long_ago))
        assert await gateway.central.presence.look() == 1
        lost = await until(lambda: gateway.statuses("CP-GONE"))
        assert [s.state for s in lost] == [ChargePointState.DISCONNECTED]
        assert await gateway.central.presence.look() == 0


async def test_an_expired_command_is_not_carried_out(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        reply = await gateway.order(
            CommandAction.START_SUPPLY,
            "CP-1",
            session_id="s-1",
            id_tag="T",
            expires_at=datetime.now(UTC) - timedelta(seconds=1),
        )
        assert reply.outcome is CommandOutcome.EXPIRED
        assert station.called == []


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ({"status": "Rejected"}, CommandOutcome.REJECTED, "rejected"),
        (CallFailed("InternalError", "no"), CommandOutcome.CALL_ERROR, "InternalError"),
        (CallTimedOut("late"), CommandOutcome.TIMEOUT, "timeout"),
    ],
)
async def test_a_start_that_the_station_does_not_take_is_answered_and_forgotten(
    tmp_path: Path, answer: Any, outcome: CommandOutcome, code: str
) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        station.answers["RemoteStartTransaction"] = answer
        reply = await gateway.order(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", id_tag="T")
        assert (reply.outcome, reply.error_code) == (outcome, code)
        number = (await station.start(T0, 1000, id_tag="T"))["transactionId"]
        if outcome is CommandOutcome.TIMEOUT:  # it may have heard us after all; then it is to end again
            await until(lambda: ("RemoteStopTransaction", {"transactionId": number}) in station.called)
        else:
            assert (await begun(gateway)).session_id != "s-1"


async def test_TC_012_a_remote_stop_ends_the_session_for_the_reason_it_was_ordered(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        session_id = (await begun(gateway)).session_id or ""
        reply = await gateway.order(
            CommandAction.STOP_SUPPLY, "CP-1", session_id=session_id, payload={"reason": "driver_cancel"}
        )
        assert reply.outcome is CommandOutcome.ACCEPTED
        assert station.called[-1] == ("RemoteStopTransaction", {"transactionId": number})
        await station.stop(number, after(60), 1100, reason="Remote")
        assert (await until(lambda: ended(gateway, session_id))).reason == "driver_cancel"
        reply = await gateway.order(CommandAction.STOP_SUPPLY, "CP-1", session_id="nobody")
        assert (reply.outcome, reply.error_code) == (CommandOutcome.REJECTED, "unknown_session")


async def test_a_start_that_is_cancelled_before_it_began_is_ended_when_it_does(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await gateway.order(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", id_tag="T")
        reply = await gateway.order(
            CommandAction.STOP_SUPPLY, "CP-1", session_id="s-1", payload={"reason": "driver_cancel"}
        )
        assert reply.outcome is CommandOutcome.ACCEPTED
        number = (await station.start(T0, 1000, id_tag="T"))["transactionId"]
        await until(lambda: ("RemoteStopTransaction", {"transactionId": number}) in station.called)
        await station.stop(number, after(5), 1001, reason="Remote")
        assert (await until(lambda: ended(gateway, "s-1"))).reason == "driver_cancel"


@pytest.mark.parametrize("free", ["Available", "Reserved"])
async def test_a_start_whose_vehicle_never_comes_is_over_when_the_station_says_that_it_waits_no_more(
    tmp_path: Path, free: str
) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await gateway.order(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", driver_id="d-1", id_tag="T")
        await station.status("Preparing")
        await station.status(free)
        over = await until(lambda: ended(gateway, "s-1"))
        assert (over.reason, over.state, over.detail.last_seq) == ("start_timeout", ChargePointState.ACTIVATED, 0)
        assert "no vehicle was plugged in" in over.detail.text
        number = (await station.start(T0, 1000, id_tag="T"))["transactionId"]
        assert (await begun(gateway)).session_id != "s-1", "the card comes later: that is another session"
        await gateway.call("CP-1", "ClearCache", {})
        assert ("RemoteStopTransaction", {"transactionId": number}) not in station.called


async def test_a_connector_that_is_left_while_a_start_is_on_its_way_says_nothing_of_the_start(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await station.status("Preparing")

        async def takes_it_after_all(_: Any) -> dict[str, Any]:
            await station.status("Available")
            await gateway.quiet()
            return {"status": "Accepted"}

        station.answers["RemoteStartTransaction"] = takes_it_after_all
        await gateway.order(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", driver_id="d-1", id_tag="T")
        await station.start(T0, 1000, id_tag="T")
        assert (await begun(gateway)).session_id == "s-1"
        assert ended(gateway, "s-1") is None


async def test_a_driver_at_whose_station_nobody_plugs_in_is_told_when_it_stops_waiting(tmp_path: Path) -> None:
    log = MemoryLog()
    central_database = await migrated_sqlite(tmp_path / "simulator.db")
    central = await make_rig(log, central_database, WallClock())
    async with business(tmp_path, log=log) as gateway, central.running():
        station = gateway.station()
        await station.boot()
        await station.status("Available")
        await until_known(central, "CP-1")
        await central.request("req-1", "CP-1")
        await until(lambda: station.called)
        await station.status("Preparing")
        await until(lambda: gateway.said(REPLIES))
        await station.status("Available")
        update = await central.update("req-1", "FAILED")
        assert (update.reason, update.kwh) == ("start_timeout", 0.0)
        assert "no vehicle was plugged in" in (update.detail or "")
        await central.request("req-2", "CP-1")
        await until(lambda: len(station.called) == 2)
        await station.start(T0, 1000, id_tag=station.called[-1][1]["idTag"])
        assert (await central.update("req-2", "IN_PROGRESS")).session_id == (await begun(gateway)).session_id
    await central_database.close()


class WallClock(Clock):
    """The time as it is: the gateway has it too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def timestamp(self) -> float:
        return self().timestamp()


async def until_known(central: CentralRig, cp_id: str) -> None:
    async with asyncio.timeout(30):
        while (await central.known_states()).get(cp_id) != "ACTIVATED":
            await a_moment()


async def test_an_operator_takes_a_station_out_of_service_ending_its_session_first(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        await begun(gateway)
        station.answers["ChangeAvailability"] = {"status": "Scheduled"}
        reply = await gateway.order(CommandAction.STOP_CP, "CP-1", connector_id=0)
        assert reply.outcome is CommandOutcome.ACCEPTED
        assert station.called == [
            ("RemoteStopTransaction", {"transactionId": number}),
            ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ]
        station.answers["ChangeAvailability"] = {"status": "Accepted"}
        await gateway.order(CommandAction.RESUME_CP, "CP-1", connector_id=0)
        assert station.called[-1] == ("ChangeAvailability", {"connectorId": 0, "type": "Operative"})


async def test_where_the_sun_shines_a_session_s_energy_is_told_by_source_solar_first(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await gateway.token("TAG")
        now = datetime.now(UTC)
        answer = await station.start(now - timedelta(seconds=120), 1000)
        power = {"value": "10000", "measurand": "Power.Active.Import", "unit": "W"}
        for solar_kw, minutes_ago, wh in ((4.0, 1.0, 1200.0), (None, 0.0, 1300.0)):
            await gateway.price(0.3, solar_kw=solar_kw)
            await until(lambda solar_kw=solar_kw: gateway.central.price.solar_kw == (solar_kw or 0.0))
            await station.meter(answer["transactionId"], now - timedelta(minutes=minutes_ago), wh, power)
            await gateway.quiet()
        told = [(one.energy_wh, one.solar_wh, one.grid_wh) for one in gateway.said(TELEMETRY)]
        assert told == [(200.0, 80.0, 120.0), (100.0, 0.0, 100.0)]


async def test_a_limit_becomes_a_charging_profile_that_is_kept(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        reply = await gateway.order(CommandAction.SET_LIMIT, "CP-1", limit_amps=10.0)
        assert (reply.outcome, reply.payload) == (CommandOutcome.ACCEPTED, {"limit_amps": 10.0})
        _, payload = station.called[-1]
        assert payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 10.0
        [row] = await gateway.rows(tables.charging_profiles)
        assert (row["purpose"], row["connector_id"]) == ("TxDefaultProfile", 1)


async def test_a_limit_goes_before_every_other_default_at_the_highest_level_that_the_station_takes(
    tmp_path: Path,
) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        key = {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "8"}
        station.answers["GetConfiguration"] = {"configurationKey": [key]}
        await gateway.order(CommandAction.SET_LIMIT, "CP-1", limit_amps=10.0)
        assert station.called[-1][1]["csChargingProfiles"]["stackLevel"] == 8
        station.answers["GetConfiguration"] = CallFailed("NotSupported", "", {})
        reply = await gateway.order(CommandAction.SET_LIMIT, "CP-1", limit_amps=12.0)
        assert reply.outcome is CommandOutcome.ACCEPTED
        assert station.called[-1][1]["csChargingProfiles"]["stackLevel"] == 0


async def test_a_command_for_a_station_without_a_socket_is_answered_once_by_one_of_two_gateways(tmp_path: Path) -> None:
    log = MemoryLog()
    async with business(tmp_path, log=log) as first, business(tmp_path, log=log, name="gateway-2") as second:
        station = second.station()
        await station.boot()
        reply = await first.call("CP-1", "ClearCache", {})
        assert reply.outcome is CommandOutcome.CALL_RESULT
        station.disconnect()
        await until(lambda: second.central.points.get("CP-1") is None)
        command_id = await first.send(CommandAction.OCPP_CALL, "CP-1", payload={"action": "ClearCache", "payload": {}})
        [reply] = await until(lambda: first.replies(command_id))
        assert reply.outcome is CommandOutcome.NOT_CONNECTED
        # A command for an engine is nobody's here; the one after it shows that it was passed over.
        foreign = await first.send(CommandAction.STOP_CP, "CP-ENGINE")
        assert (await first.call("CP-1", "ClearCache", {})).outcome is CommandOutcome.NOT_CONNECTED
        assert first.replies(foreign) == []
        assert len(first.replies(command_id)) == 1


CALLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("CancelReservation", {"reservationId": 1}, {"status": "Accepted"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, {"status": "Scheduled"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, {"status": "Accepted"}),
    ("ClearCache", {}, {"status": "Accepted"}),
    ("ClearChargingProfile", {"id": 1}, {"status": "Accepted"}),
    ("DataTransfer", {"vendorId": "v", "data": "x"}, {"status": "Accepted", "data": "y"}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, {"status": "Rejected"}),
    ("GetConfiguration", {}, {"configurationKey": [{"key": "K", "readonly": True, "value": "1"}]}),
    ("GetDiagnostics", {"location": "ftp://user:secret@host/up"}, {"fileName": "d.zip"}),
    ("GetLocalListVersion", {}, {"listVersion": 3}),
    ("RemoteStartTransaction", {"idTag": "T"}, {"status": "Accepted"}),
    ("RemoteStopTransaction", {"transactionId": 5}, {"status": "Rejected"}),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": "2100-01-01T00:00:00Z", "idTag": "T", "reservationId": 1},
        {"status": "Accepted"},
    ),
    ("Reset", {"type": "Soft"}, {"status": "Accepted"}),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, {"status": "Accepted"}),
    (
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
                },
            },
        },
        {"status": "Accepted"},
    ),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "Accepted"}),
    ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
    ("UpdateFirmware", {"location": "http://h/f", "retrieveDate": "2030-01-01T00:00:00Z"}, {}),
]


@pytest.mark.parametrize(("action", "payload", "response"), CALLS, ids=[action for action, _, _ in CALLS])
async def test_every_operation_of_a_csms_reaches_the_station_and_comes_back(
    tmp_path: Path, action: str, payload: dict[str, Any], response: dict[str, Any]
) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        station.answers[action] = response
        reply = await gateway.call("CP-1", action, payload)
        assert (reply.outcome, reply.payload) == (CommandOutcome.CALL_RESULT, response)
        assert station.called == [(action, payload)]


async def test_a_call_that_breaks_the_standard_is_not_made(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        reply = await gateway.call("CP-1", "Reset", {"type": "Gently"})
        assert (reply.outcome, reply.error_code) == (CommandOutcome.REJECTED, "PropertyConstraintViolation")
        reply = await gateway.call("CP-1", "SelfDestruct", {})
        assert (reply.outcome, reply.error_code) == (CommandOutcome.REJECTED, "NotImplemented")
        assert station.called == []


async def test_what_stations_were_told_to_keep_is_kept(tmp_path: Path) -> None:
    entry = {"idTag": "A", "idTagInfo": {"status": "Accepted", "expiryDate": "2100-01-01T00:00:00Z"}}
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        full = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry, {**entry, "idTag": "B"}]}
        await gateway.call("CP-1", "SendLocalList", full)
        await gateway.call(
            "CP-1",
            "SendLocalList",
            {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [{"idTag": "A"}]},
        )
        assert [r["id_tag"] for r in await gateway.rows(tables.local_list_entries)] == ["B"]
        assert (await gateway.rows(tables.local_lists))[0]["sent_version"] == 2
        station.answers["GetConfiguration"] = {
            "configurationKey": [
                {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
                {"key": "authorizationKey", "readonly": False, "value": "told, in spite of the standard"},
            ]
        }
        await gateway.call("CP-1", "GetConfiguration", {})
        told = {r["key"]: r["value"] for r in await gateway.rows(tables.configuration)}
        assert told == {"HeartbeatInterval": "300", "authorizationKey": None}
        station.answers["ChangeConfiguration"] = {"status": "RebootRequired"}
        await gateway.call("CP-1", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
        await gateway.call("CP-1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "00112233"})
        kept = {r["key"]: (r["value"], r["reboot_required"]) for r in await gateway.rows(tables.configuration)}
        assert kept == {
            "HeartbeatInterval": ("60", True),
            "AuthorizationKey": (None, True),
            "authorizationKey": (None, False),
        }
        station.answers["GetDiagnostics"] = {"fileName": "d.zip"}
        await gateway.call("CP-1", "GetDiagnostics", {"location": "ftp://user:secret@host/up"})
        await station.tell("DiagnosticsStatusNotification", {"status": "Uploading"})
        await station.tell("FirmwareStatusNotification", {"status": "Installed"})

        async def settled() -> list[dict[str, Any]]:
            rows = await gateway.rows(tables.maintenance)
            return rows if {"Uploading", "Installed"} <= {r["status"] for r in rows} else []

        rows = {r["kind"]: r for r in await eventually(settled)}
        assert (rows["diagnostics"]["location"], rows["diagnostics"]["file_name"]) == ("ftp://host/up", "d.zip")


async def test_TC_046_a_reservation_is_used_up_by_the_start_it_was_made_for(tmp_path: Path) -> None:
    expiry = timestamp(datetime.now(UTC) + timedelta(hours=1))
    request = {"connectorId": 1, "expiryDate": expiry, "idTag": "T"}
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        for number in (1, 2, 3):
            await gateway.call("CP-1", "ReserveNow", {**request, "reservationId": number, "connectorId": number})
        await gateway.call("CP-1", "CancelReservation", {"reservationId": 3})
        await station.start(T0, 1000, id_tag="T", reservationId=1)
        await station.start(T0, 1000, id_tag="T", connector_id=2)
        rows = await gateway.rows(tables.reservations)
        assert {r["reservation_id"]: r["status"] for r in rows} == {1: "Used", 2: "Used", 3: "Cancelled"}


async def test_a_data_transfer_of_an_unknown_vendor_is_answered_so_and_kept(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        answer = await gateway.station().tell("DataTransfer", {"vendorId": "acme", "data": "hello"})
        assert answer == {"status": "UnknownVendorId"}
        [row] = await until_rows(gateway, tables.data_transfers)
        assert (row["direction"], row["data"], row["status"]) == ("in", "hello", "UnknownVendorId")


# --- what these tests share ---


async def eventually(condition: Any) -> Any:
    """As `until`, for a condition that is awaited."""
    async with asyncio.timeout(30):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
        return found


async def until_rows(gateway: Business, table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await eventually(lambda: gateway.rows(table))
    return rows


def test_the_station_of_these_tests_is_a_link() -> None:
    from evcharging.apps.ocpp_gateway.charge_points import Link

    link: Link = Station.__new__(Station)
    assert link.version == "1.6"


@pytest.mark.parametrize("number", [-1, 256, 2_000_000_000])
async def test_a_status_of_a_connector_that_no_station_has_costs_only_itself(tmp_path: Path, number: int) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        with pytest.raises(CallRejected):
            await station.status("Available", connector_id=number)
        await station.status("Available", connector_id=1)
        await station.start(after(0), 0, connector_id=1)
        assert (await begun(gateway)).connector_id == 1


async def test_a_command_for_an_engines_charge_point_is_never_claimed_though_a_station_once_had_its_id(
    tmp_path: Path,
) -> None:
    engines: set[str] = set()
    async with business(tmp_path, engines=engines) as gateway:
        station = gateway.station("CP-1")
        await station.boot()
        station.disconnect()
        await until(lambda: gateway.central.points.get("CP-1") is None)
        engines.add("CP-1")
        mine = await gateway.send(CommandAction.START_SUPPLY, "CP-1", session_id="s-1", driver_id="alice")
        engines.add("CP-2")
        other = gateway.station("CP-3")
        await other.boot()
        assert (await gateway.order(CommandAction.RESUME_CP, "CP-3")).outcome is CommandOutcome.ACCEPTED
        engines.discard("CP-1")
        late = await gateway.order(CommandAction.RESUME_CP, "CP-1")
        assert late.outcome is CommandOutcome.NOT_CONNECTED  # the id is a station's again, which is away
        assert gateway.replies(mine) == []
        assert [row["command_id"] for row in await gateway.rows(tables.commands)].count(mine) == 0


async def test_whoever_comes_under_an_engines_id_is_alerted_of_once(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await asyncio.sleep(0)
        gateway.central.intruded("CP-1", "203.0.113.9:4711")
        gateway.central.intruded("CP-1", "203.0.113.9:4712")
        alert = (await until(lambda: gateway.alerts("id_conflict")))[0]
        assert (alert.cp_id, alert.severity.value) == ("CP-1", "critical")
        assert "203.0.113.9:4711" in alert.detail
        await gateway.quiet()
        assert len(gateway.alerts("id_conflict")) == 1


async def test_a_stop_without_a_reason_is_local_as_the_standard_has_it(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await gateway.token("TAG")
        station = gateway.station()
        await station.boot()
        number = (await station.start(T0, 1000))["transactionId"]
        await station.stop(number, after(60), 1500)
        await station.stop(4711, after(60), 1500)
        rows = await gateway.rows(tables.transactions)
        assert {row["stop_reason"] for row in rows} == {"Local"}


async def test_a_stop_for_the_price_says_so_and_a_stop_that_was_asked_for_says_why_it_was(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        await gateway.token("TAG")
        station = gateway.station()
        await station.boot()
        dear = {"vendorId": "evcharging", "vendorErrorCode": "evcharging:price_too_high", "info": "Price too high"}
        number = (await station.start(T0, 1000))["transactionId"]
        first = await begun(gateway)
        await station.status("Finishing", **dear)
        await station.stop(number, after(60), 1500)
        end = await until(lambda: ended(gateway, first.session_id or ""))
        assert end.reason == "price_too_high"
        number = (await station.start(after(120), 1500, connector_id=2))["transactionId"]
        second = await until(
            lambda: next((s for s in gateway.statuses("CP-1", 2) if s.session_id and s.detail.last_seq is None), None)
        )
        await gateway.order(
            CommandAction.STOP_SUPPLY, "CP-1", session_id=second.session_id, payload={"reason": "driver_cancel"}
        )
        await station.status("Finishing", 2, **dear)
        await station.stop(number, after(180), 1600)
        assert (await until(lambda: ended(gateway, second.session_id or ""))).reason == "driver_cancel"


def kept_for(gateway: Business, connector_id: int = 1) -> str | None:
    """Whom the newest status says that the connector is reserved for."""
    said = [s.detail.connectors for s in gateway.statuses("CP-1") if s.detail is not None]
    listed = {c.connector_id: c for c in (said[-1] if said else ()) or ()}
    return listed[connector_id].id_tag if connector_id in listed else None


@pytest.mark.parametrize("told_first", [True, False])
async def test_a_reserved_connector_is_told_with_whom_it_is_kept_for(tmp_path: Path, told_first: bool) -> None:
    log = MemoryLog()
    expiry = timestamp(datetime.now(UTC) + timedelta(hours=1))
    request = {"connectorId": 1, "expiryDate": expiry, "idTag": "ALICE", "reservationId": 1}
    async with business(tmp_path, log=log) as gateway:
        station = gateway.station()
        await station.boot()

        async def reserved(_payload: dict[str, Any]) -> dict[str, Any]:
            if told_first:
                await station.status("Reserved")
            return {"status": "Accepted"}

        station.answers["ReserveNow"] = reserved
        await gateway.call("CP-1", "ReserveNow", request)
        if not told_first:
            await station.status("Reserved")
        await until(lambda: kept_for(gateway) == "ALICE")
        await station.status("Available")
        await until(lambda: gateway.statuses("CP-1", 1)[-1].reason == "Available")
        assert kept_for(gateway) is None
        await station.status("Reserved")
    async with business(tmp_path, log=log, name="gateway-2") as gateway:
        station = gateway.station()
        await station.boot()
        await until(lambda: gateway.statuses("CP-1", 0)[-1].reason == "boot")
        assert kept_for(gateway) == "ALICE", "it is known again after a restart"


async def test_a_connector_whose_reservation_nobody_made_here_is_told_without(tmp_path: Path) -> None:
    async with business(tmp_path) as gateway:
        station = gateway.station()
        await station.boot()
        await station.status("Reserved")
        await until(lambda: gateway.statuses("CP-1", 1))
        assert kept_for(gateway) is None
