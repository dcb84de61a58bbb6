"""How transactions end: as told, again, unknown, or never."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, open_transaction
from evcharging.apps.ocpp_gateway.transaction_ends import TransactionEnds
from evcharging.apps.ocpp_gateway.transaction_reports import Stop
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.messages.charge_points import Alert, Status, Telemetry
from evcharging.store.gateway import tables
from evcharging.store.gateway.transactions import TransactionRow, insert_all
from tests.support.gateway_parts import NOW, Ground, ground

LATER = NOW + timedelta(minutes=10)


class Bench:
    def __init__(self, gateway: Ground) -> None:
        self.gateway = gateway
        self.ends = TransactionEnds(gateway.announcements)
        self.point, _ = gateway.station()
        self.row: TransactionRow | None = None

    async def begun(self, **fields: Any) -> TransactionRow:
        """A transaction that is open, in the database and in memory, with three intervals up to 1300 Wh."""
        values = {
            "session_id": "s-1",
            "cp_id": "CP-1",
            "transaction_id": "7",
            "number": 7,
            "content_key": "k-1",
            "connector_id": 1,
            "created_at": NOW,
            "started_at": NOW,
            "meter_start_wh": Decimal(1000),
            "last_seq": 3,
            "register_wh": Decimal(1300),
            "interval_wh": Decimal(100),
            "interval_start": NOW + timedelta(minutes=2),
            "interval_end": NOW + timedelta(minutes=3),
        }
        row = TransactionRow(**{**values, **fields})

        async def effect(work: Work) -> None:
            await insert_all(work.transaction, [row])

        await self.gateway.writes.do(effect)
        self.point.open["7"] = open_transaction(row)
        return row

    async def stop(self, wh: float | None = 1500, *, point: ChargePoint | None = None, **fields: Any) -> None:
        register = None if wh is None else Decimal(str(wh))
        told = Stop(**{"transaction_id": "7", "stopped_at": LATER, "register_wh": register, **fields})
        await self.gateway.writes.do_together(self.ends.end, (point or self.point, told))

    async def close(self, row: TransactionRow) -> None:
        async def effect(work: Work) -> None:
            await self.ends.close(work, self.point, [row])

        await self.gateway.writes.do(effect)

    async def stored(self) -> dict[str, Any]:
        (row,) = await self.gateway.rows(tables.transactions)
        return row

    @property
    def intervals(self) -> list[tuple[int, float, float]]:
        return [(t.seq, t.energy_wh, t.register_wh) for t in self.gateway.messages(Telemetry)]

    @property
    def end(self) -> Status:
        status: Status = self.gateway.messages(Status)[-1]
        return status

    @property
    def alerts(self) -> list[str]:
        return [alert.kind for alert in self.gateway.messages(Alert)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with ground(tmp_path) as gateway:
        yield Bench(gateway)


async def test_the_energy_is_the_difference_of_the_registers_down_to_the_last_interval(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(1500, reason="Local")
    assert bench.intervals == [(4, 200.0, 1500.0)]
    assert (bench.end.session_id, bench.end.reason) == ("s-1", "local_stop")
    detail = bench.end.detail
    assert detail is not None
    assert (detail.last_seq, detail.register_start_wh, detail.register_end_wh) == (4, 1000.0, 1500.0)
    row = await bench.stored()
    assert (row["stopped_at"], row["meter_stop_wh"], row["last_seq"]) == (LATER, 1500, 4)
    assert bench.point.open == {}


async def test_a_stop_at_the_reading_that_is_stored_makes_no_empty_interval(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(1300)
    assert bench.intervals == []
    assert bench.end.detail is not None
    assert bench.end.detail.last_seq == 3


async def test_a_stop_without_a_register_ends_at_the_last_reading(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(None)
    assert (await bench.stored())["meter_stop_wh"] == 1300


async def test_a_register_below_what_was_shown_makes_no_energy_and_is_alerted_of(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(900)
    assert bench.intervals == []
    assert bench.alerts == ["register_backwards"]
    assert (await bench.stored())["stopped_at"] == LATER


async def test_a_start_without_a_register_begins_at_the_end(bench: Bench) -> None:
    await bench.begun(meter_start_wh=None, register_wh=None, last_seq=0, interval_end=None)
    await bench.stop(1500)
    assert bench.intervals == []
    assert (await bench.stored())["meter_start_wh"] == 1500


@pytest.mark.parametrize(
    ("told", "asked_for", "reason"),
    [("Remote", "target_reached", "target_reached"), ("EVDisconnected", "target_reached", "unplugged")],
)
async def test_what_the_stop_was_asked_for_counts_unless_the_station_knows_better(
    bench: Bench, told: str, asked_for: str, reason: str
) -> None:
    await bench.begun(stop_requested=asked_for)
    await bench.stop(reason=told)
    assert bench.end.reason == reason
    assert (await bench.stored())["stop_reason"] == told


async def test_a_stop_that_is_told_again_changes_nothing(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(1500)
    before, said = await bench.stored(), len(bench.gateway.said)
    await bench.stop(1700, reason="PowerLoss")
    assert await bench.stored() == before
    assert len(bench.gateway.said) == said


async def test_of_two_stops_at_once_the_first_counts(bench: Bench) -> None:
    await bench.begun()

    async def both(work: Work) -> None:
        stops = [Stop(transaction_id="7", stopped_at=LATER, register_wh=Decimal(wh)) for wh in (1500, 1700)]
        await bench.ends.end(work, [(bench.point, stop) for stop in stops])

    await bench.gateway.writes.do(both)
    assert (await bench.stored())["meter_stop_wh"] == 1500
    assert bench.intervals == [(4, 200.0, 1500.0)]


async def test_a_stop_of_what_nobody_knows_is_kept_and_alerted_of_once(bench: Bench) -> None:
    await bench.stop(1500, transaction_id="99", id_tag="TAG")
    await bench.stop(1500, transaction_id="99", id_tag="TAG")
    row = await bench.stored()
    assert (row["start_known"], row["transaction_id"], row["meter_stop_wh"]) == (False, "99", 1500)
    assert bench.alerts == ["unknown_transaction"]
    assert bench.gateway.messages(Status) == []


async def test_a_transaction_is_ended_by_the_station_that_began_it_alone(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(point=bench.gateway.station("CP-2")[0])
    stopped = {row["cp_id"]: row["stopped_at"] for row in await bench.gateway.rows(tables.transactions)}
    assert stopped == {"CP-1": None, "CP-2": LATER}


async def test_one_that_its_station_forgot_ends_with_what_is_known_also_in_memory_alone(bench: Bench) -> None:
    row = await bench.begun()
    live = bench.point.open["7"]
    live.register_wh, live.read_at = Decimal(1340), NOW + timedelta(minutes=4)
    await bench.close(row)
    assert bench.intervals == [(4, 40.0, 1340.0)]
    assert (bench.end.reason, bench.end.detail and bench.end.detail.text) == (
        "charger_fault",
        "the station never said that it ended",
    )
    stored = await bench.stored()
    assert (stored["closed_by_gateway"], stored["stopped_at"]) == (True, NOW + timedelta(minutes=4))


async def test_one_whose_station_has_booted_since_ended_with_its_power(bench: Bench) -> None:
    row = await bench.begun()
    bench.point.booted_at = NOW + timedelta(minutes=5)
    await bench.close(row)
    assert bench.end.reason == "power_loss"


async def test_a_stop_that_comes_after_all_amends_what_was_closed(bench: Bench) -> None:
    await bench.close(await bench.begun())
    closed_as = bench.gateway.said[-1].id
    await bench.stop(1600, reason="Local")
    assert bench.intervals == [(4, 300.0, 1600.0)]
    assert bench.end.reason == "local_stop"
    assert bench.gateway.said[-1].id != closed_as
    row = await bench.stored()
    assert (row["closed_by_gateway"], row["stopped_at"], row["meter_stop_wh"]) == (False, LATER, 1600)


async def test_a_stop_before_the_last_reading_never_turns_time_around(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(1500, stopped_at=NOW + timedelta(minutes=1))
    (interval,) = bench.gateway.messages(Telemetry)
    assert interval.interval_start == interval.interval_end == NOW + timedelta(minutes=3)


async def test_transaction_data_is_kept_with_the_end(bench: Bench) -> None:
    await bench.begun()
    await bench.stop(transaction_data=[{"timestamp": "t", "sampledValue": []}])
    assert (await bench.stored())["transaction_data"] == [{"timestamp": "t", "sampledValue": []}]
