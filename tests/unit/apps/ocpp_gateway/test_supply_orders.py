"""Central's supply orders at a station, each with one outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ConnectorReport, OpenTransaction
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.apps.ocpp_gateway.station_calls import StationCalls
from evcharging.apps.ocpp_gateway.supply_orders import START_HOLDS, SupplyOrders
from evcharging.apps.ocpp_gateway.verdicts import Outcome, Refused
from evcharging.apps.ocpp_gateway.writes import StorageAway, Work
from evcharging.domain.states import OcppStatus
from evcharging.messages.charge_points import Status
from evcharging.messages.commands import Command, CommandAction, CommandOutcome
from evcharging.ocpp.errors import CallTimedOut
from evcharging.store.gateway import tables
from evcharging.store.gateway.records import note_configuration
from evcharging.store.gateway.transactions import TransactionRow, change, insert_all
from tests.support.gateway_parts import NOW, Ground, ground

DIALECT = DialectV16()
REJECTED = CommandOutcome.REJECTED


class Bench:
    def __init__(self, gateway: Ground) -> None:
        self.gateway = gateway
        self.point, self.socket = gateway.station()
        self.orders = SupplyOrders(
            gateway.writes,
            StationCalls(timeout_s=5),
            gateway.authorization,
            gateway.announcements,
            new_number=count(1).__next__,
            send=gateway.said.append,
        )

    async def order(self, action: CommandAction, **fields: Any) -> Outcome:
        """Carry one out, and store what is to be stored with its outcome."""
        command = Command(
            **{"ts": NOW, "command_id": f"c-{action}", "cp_id": "CP-1", "action": action, "connector_id": 1, **fields}
        )
        outcome = await self.orders.carry_out(self.point, DIALECT, command)
        if outcome.record is not None:
            await self.gateway.writes.do(outcome.record)
        return outcome

    async def refused(self, action: CommandAction, **fields: Any) -> str:
        with pytest.raises(Refused) as caught:
            await self.order(action, **fields)
        return str(caught.value.outcome.error_code)

    async def start(self, **fields: Any) -> Outcome:
        return await self.order(CommandAction.START_SUPPLY, **{"session_id": "s-1", "driver_id": "alice", **fields})

    async def charging(self, session_id: str = "s-1", connector_id: int = 1) -> OpenTransaction:
        """A transaction that is open, in the database and in memory."""
        row = TransactionRow(
            session_id=session_id,
            cp_id="CP-1",
            transaction_id=str(connector_id + 6),
            number=connector_id + 6,
            content_key=f"key-{session_id}",
            connector_id=connector_id,
            created_at=NOW,
            started_at=NOW,
        )

        async def effect(work: Work) -> None:
            await insert_all(work.transaction, [row])

        await self.gateway.writes.do(effect)
        transaction = OpenTransaction(session_id, "CP-1", row.transaction_id, connector_id, NOW)
        self.point.open[row.transaction_id] = transaction
        return transaction

    async def noted(self) -> list[dict[str, Any]]:
        return await self.gateway.rows(tables.remote_starts)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with ground(tmp_path) as gateway:
        yield Bench(gateway)


async def test_a_start_is_noted_before_the_station_is_asked(bench: Bench) -> None:
    seen: list[dict[str, Any]] = []

    async def answer(_: Any) -> dict[str, Any]:
        seen.extend(await bench.noted())
        return {"status": "Accepted"}

    bench.socket.answer = answer
    outcome = await bench.start(id_tag="TAG", payload={"kwh": 5.5})
    assert outcome.outcome is CommandOutcome.ACCEPTED
    (row,) = seen
    assert (row["session_id"], row["id_tag"], row["driver_id"]) == ("s-1", "TAG", "alice")
    assert (row["target_wh"], row["expires_at"]) == (Decimal(5500), NOW + START_HOLDS)
    assert bench.socket.called == [("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})]
    assert bench.gateway.authorization.check("TAG").accepted


@pytest.mark.parametrize(
    ("configured", "told"), [("45", 45), (None, None), ("0", None), ("3600", None), ("soon", None), ("²", None)]
)
async def test_how_long_a_station_waits_for_the_vehicle_is_told_where_it_is_known(
    bench: Bench, configured: str | None, told: int | None
) -> None:
    async def configure(work: Work) -> None:
        key = {"key": "ConnectionTimeOut", "value": configured, "readonly": False, "reboot_required": False}
        await note_configuration(work.transaction, "CP-1", [key], NOW)

    if configured is not None:
        await bench.gateway.writes.do(configure)
    outcome = await bench.start()
    assert outcome.payload == {"status": "Accepted", **({} if told is None else {"connection_timeout_s": told})}


async def test_a_driver_without_a_card_has_one_made_of_the_name(bench: Bench) -> None:
    await bench.start(driver_id="driver-with-a-very-long-name", connector_id=0)
    ((_, payload),) = bench.socket.called
    assert len(payload["idTag"]) <= 20
    assert "connectorId" not in payload


@pytest.mark.parametrize(
    ("status", "code"),
    [(OcppStatus.UNAVAILABLE, "stopped"), (OcppStatus.FAULTED, "faulted"), (OcppStatus.CHARGING, "busy")],
)
async def test_a_connector_that_cannot_serve_is_not_asked(bench: Bench, status: OcppStatus, code: str) -> None:
    bench.point.connectors[1] = ConnectorReport(status, NOW)
    assert await bench.refused(CommandAction.START_SUPPLY, session_id="s-1", driver_id="alice") == code
    assert bench.socket.called == []
    assert await bench.noted() == []


@pytest.mark.parametrize("kwh", [0, -1, 1001, "5", True, [1]])
async def test_a_target_that_makes_no_sense_is_refused(bench: Bench, kwh: Any) -> None:
    fields: dict[str, Any] = {"session_id": "s-1", "driver_id": "alice", "payload": {"kwh": kwh}}
    assert await bench.refused(CommandAction.START_SUPPLY, **fields) == "invalid_payload"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        (CommandAction.START_SUPPLY, {"driver_id": "alice"}),
        (CommandAction.START_SUPPLY, {"session_id": "s-1"}),
        (CommandAction.STOP_SUPPLY, {}),
        (CommandAction.SET_LIMIT, {}),
        (CommandAction.INJECT, {}),
    ],
)
async def test_an_order_that_lacks_what_it_needs_is_refused(
    bench: Bench, action: CommandAction, fields: dict[str, Any]
) -> None:
    assert await bench.refused(action, **fields) == "invalid_payload"


@pytest.mark.parametrize(
    ("answer", "outcome", "if_it_begins"),
    [
        ({"status": "Rejected"}, REJECTED, None),
        (CallTimedOut("late"), CommandOutcome.TIMEOUT, "start_timeout"),
    ],
)
async def test_a_start_that_did_not_work_is_withdrawn_and_one_that_may_have_been_heard_is_ended_if_it_begins(
    bench: Bench, answer: Any, outcome: CommandOutcome, if_it_begins: str | None
) -> None:
    bench.socket.answer = answer
    assert (await bench.start()).outcome is outcome
    (row,) = await bench.noted()
    assert row["stop_requested"] == if_it_begins
    assert (row["consumed_at"] is None) is (if_it_begins is not None)


async def test_a_start_of_a_session_that_runs_is_carried_out_already_and_it_is_said_again(bench: Bench) -> None:
    await bench.charging()
    assert (await bench.start()).outcome is CommandOutcome.ACCEPTED
    assert bench.socket.called == []
    assert [status.session_id for status in bench.gateway.messages(Status)] == ["s-1"]


async def test_a_session_to_be_resumed_that_nobody_knows_is_not_begun(bench: Bench) -> None:
    fields: dict[str, Any] = {"session_id": "s-1", "driver_id": "alice", "payload": {"resume": True}}
    assert await bench.refused(CommandAction.START_SUPPLY, **fields) == "unknown_session"


async def test_a_stop_asks_for_the_transaction_and_notes_why(bench: Bench) -> None:
    transaction = await bench.charging()
    outcome = await bench.order(
        CommandAction.STOP_SUPPLY, session_id="s-1", payload={"reason": "driver_cancel" + "x" * 100}
    )
    assert outcome.outcome is CommandOutcome.ACCEPTED
    assert bench.socket.called == [("RemoteStopTransaction", {"transactionId": 7})]
    (row,) = await bench.gateway.rows(tables.transactions)
    assert row["stop_requested"] == transaction.stop_requested
    assert len(row["stop_requested"]) == 64


async def test_a_stop_without_a_reason_is_the_operators(bench: Bench) -> None:
    await bench.charging()
    await bench.order(CommandAction.STOP_SUPPLY, session_id="s-1")
    assert (await bench.gateway.rows(tables.transactions))[0]["stop_requested"] == "operator_stop"


async def test_a_stop_of_a_session_that_ended_says_its_end_again(bench: Bench) -> None:
    await bench.charging()
    bench.point.open.clear()

    async def end(work: Work) -> None:
        await change(work.transaction, "s-1", {"stopped_at": NOW, "end_reason": "unplugged"})

    await bench.gateway.writes.do(end)
    await bench.order(CommandAction.STOP_SUPPLY, session_id="s-1")
    assert bench.socket.called == []
    assert [status.reason for status in bench.gateway.messages(Status)] == ["unplugged"]


async def test_a_stop_before_the_beginning_withdraws_the_start(bench: Bench) -> None:
    await bench.start()
    bench.socket.called.clear()
    outcome = await bench.order(CommandAction.STOP_SUPPLY, session_id="s-1", payload={"reason": "driver_cancel"})
    assert outcome.outcome is CommandOutcome.ACCEPTED
    assert bench.socket.called == []
    assert (await bench.noted())[0]["stop_requested"] == "driver_cancel"


async def test_a_stop_of_what_nobody_knows_is_refused(bench: Bench) -> None:
    assert await bench.refused(CommandAction.STOP_SUPPLY, session_id="s-9") == "unknown_session"


@pytest.mark.parametrize(("connector_id", "stopped"), [(0, [7, 8]), (2, [8])])
async def test_sessions_end_before_what_they_are_on_goes_out_of_service(
    bench: Bench, connector_id: int, stopped: list[int]
) -> None:
    await bench.charging("s-1", 1)
    await bench.charging("s-2", 2)
    await bench.order(CommandAction.STOP_CP, connector_id=connector_id)
    asked = bench.socket.called
    assert [payload["transactionId"] for action, payload in asked[:-1] if action == "RemoteStopTransaction"] == stopped
    assert asked[-1] == ("ChangeAvailability", {"connectorId": connector_id, "type": "Inoperative"})


async def test_a_station_is_put_back_into_service_without_touching_sessions(bench: Bench) -> None:
    await bench.charging()
    await bench.order(CommandAction.RESUME_CP, connector_id=0)
    assert bench.socket.called == [("ChangeAvailability", {"connectorId": 0, "type": "Operative"})]


async def test_a_limit_is_answered_with_what_was_set(bench: Bench) -> None:
    outcome = await bench.order(CommandAction.SET_LIMIT, limit_amps=10.004)
    assert (outcome.outcome, outcome.payload) == (CommandOutcome.ACCEPTED, {"limit_amps": 10.0})
    assert [action for action, _ in bench.socket.called] == ["GetConfiguration", "SetChargingProfile"]
    bench.socket.answer = {"status": "Rejected"}
    assert (await bench.order(CommandAction.SET_LIMIT, limit_amps=10)).outcome is REJECTED


async def test_an_event_that_a_station_does_not_act_out_is_not_supported(bench: Bench) -> None:
    bench.socket.answer = {"status": "UnknownVendorId"}
    assert await bench.refused(CommandAction.INJECT, payload={"kind": "unplug"}) == "not_supported"


async def test_what_is_no_supply_order_is_said_so(bench: Bench) -> None:
    assert await bench.refused(CommandAction.OCPP_CALL) == "not_supported"


async def test_without_the_database_no_station_is_asked(bench: Bench) -> None:
    await bench.charging()
    async with bench.gateway.database.outage():
        for action in (CommandAction.START_SUPPLY, CommandAction.STOP_SUPPLY):
            with pytest.raises(StorageAway):
                await bench.order(action, session_id="s-1", driver_id="alice")
    assert bench.socket.called == []
