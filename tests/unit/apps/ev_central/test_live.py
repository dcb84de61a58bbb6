from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from evcharging.apps.ev_central import live, live_encoding
from evcharging.apps.ev_central.live import TICKS_KEPT, LiveFeed, TooManyBrowsers
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Severity, Status, StatusSource
from evcharging.messages.commands import CommandOutcome, Reply
from evcharging.messages.network import SiteSignal
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator.session_records import Totals

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NEVER_S = 3600.0


class Network:
    """A view whose changes are ticked by hand."""

    def __init__(self, *, tick_s: float = NEVER_S, ping_after_s: float = NEVER_S) -> None:
        self.view = NetworkView()
        self.swarm = SwarmView(load_profiles())
        self.moment = NOON
        self.sums: Totals | None = Totals(Decimal("1.5"), Decimal("0.45"), "EUR")
        self.feed = LiveFeed(
            self.view, self.swarm, totals=self.totals, now=lambda: self.moment, tick_s=tick_s, ping_after_s=ping_after_s
        )

    async def totals(self) -> Totals:
        if self.sums is None:
            raise DatabaseUnavailable("gone")
        return self.sums

    def status(self, cp_id: str, state: ChargePointState = ChargePointState.ACTIVATED) -> None:
        self.moment += timedelta(seconds=1)
        message = Status(ts=self.moment, cp_id=cp_id, state=state, source=StatusSource.ENGINE)
        self.view.apply(message, self.moment)


async def heard(messages: Any, number: int = 1) -> list[Any]:
    return [json.loads(await asyncio.wait_for(anext(messages), 30)) for _ in range(number)]


async def test_a_snapshot_comes_first_then_only_what_changed():
    network = Network()
    network.status("CP-001")
    network.status("CP-002")
    async with aclosing(network.feed.messages()) as messages:
        (snapshot,) = await heard(messages)
        assert snapshot["type"] == "snapshot"
        assert [cp["unit_id"] for cp in snapshot["cp"]] == ["CP-001", "CP-002"]
        network.status("CP-002", ChargePointState.STOPPED)
        network.feed.tick()
        (change, totals) = await heard(messages, 2)
        assert (change["type"], change["unit_id"], change["state"]) == ("cp", "CP-002", "STOPPED")
        assert totals["type"] == "totals"


async def test_changes_between_two_ticks_become_one():
    network = Network()
    network.status("CP-001")
    async with aclosing(network.feed.messages("CP-001")) as messages:
        await heard(messages)
        for state in (ChargePointState.STOPPED, ChargePointState.ACTIVATED, ChargePointState.FAULT):
            network.status("CP-001", state)
        network.feed.tick()
        network.status("CP-001", ChargePointState.ACTIVATED)
        network.feed.tick()
        assert [m["state"] for m in await heard(messages, 2)] == ["FAULT", "ACTIVATED"]


async def test_a_listener_that_falls_behind_is_given_a_snapshot_instead_of_a_backlog():
    network = Network()
    network.status("CP-001")
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        for _ in range(TICKS_KEPT + 1):
            network.status("CP-001", ChargePointState.STOPPED)
            network.status("CP-001")
            network.status("CP-002")
            network.feed.tick()
        (again,) = await heard(messages)
        assert (again["type"], len(again["cp"])) == ("snapshot", 2)
        network.status("CP-001", ChargePointState.FAULT)
        network.feed.tick()
        assert (await heard(messages))[0]["state"] == "FAULT"


async def test_a_listener_a_little_behind_misses_nothing():
    network = Network()
    network.status("CP-001")
    async with aclosing(network.feed.messages("CP-001")) as messages:
        await heard(messages)
        states = [ChargePointState.STOPPED, ChargePointState.ACTIVATED] * (TICKS_KEPT // 2)
        for state in states:
            network.status("CP-001", state)
            network.feed.tick()
        assert [m["state"] for m in await heard(messages, len(states))] == [state.value for state in states]


async def test_all_listeners_are_given_the_very_same_encoding():
    network = Network()
    network.status("CP-001")
    async with aclosing(network.feed.messages(batch=True)) as one, aclosing(network.feed.messages(batch=True)) as other:
        assert await anext(one) is await anext(other)
        network.status("CP-001", ChargePointState.FAULT)
        network.feed.tick()
        assert await anext(one) is await anext(other)


async def test_a_batch_is_one_array_of_the_same_messages():
    network = Network()
    async with aclosing(network.feed.messages(batch=True)) as batches, aclosing(network.feed.messages()) as messages:
        await heard(batches)
        await heard(messages)
        network.status("CP-001")
        network.feed.tick()
        (batch,) = await heard(batches)
        assert batch == await heard(messages, len(batch))


async def test_one_charge_points_listener_hears_nothing_of_others():
    network = Network()
    network.status("CP-001")
    network.status("CP-002")
    async with aclosing(network.feed.messages("CP-001")) as messages:
        (snapshot,) = await heard(messages)
        assert [cp["unit_id"] for cp in snapshot["cp"]] == ["CP-001"]
        network.status("CP-002", ChargePointState.FAULT)
        network.feed.tick()
        network.status("CP-001", ChargePointState.FAULT)
        network.feed.tick()
        assert [m["unit_id"] for m in await heard(messages)] == ["CP-001"]


async def test_prices_alerts_replies_and_deletions_are_told():
    network = Network()
    network.status("CP-001")
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        now = network.moment
        network.view.apply(SiteSignal(ts=now, site_id="s", price_per_kwh=0.4, currency="EUR"), now)
        alert = Alert(ts=now, alert_id="a", cp_id="CP-001", kind="k", severity=Severity.CRITICAL, started_at=now)
        network.view.apply(alert, now)
        reply = Reply(ts=now, command_id="c", cp_id="CP-001", outcome=CommandOutcome.REJECTED, payload={"x": 1})
        network.view.apply(reply, now)
        network.view.forget("CP-001")
        network.feed.tick()
        told = {message["type"]: message for message in await heard(messages, 5)}
        assert told["pricing"] == {"type": "pricing", "price": 0.4, "solar_price": None, "currency": "EUR"}
        assert told["alert"]["alert_id"] == "a"
        assert (told["reply"]["command_id"], told["reply"]["outcome"]) == ("c", "REJECTED")
        assert told["gone"] == {"type": "gone", "unit_id": "CP-001"}
        assert told["totals"]["stations"] == 0


@pytest.mark.parametrize(("changes", "ticks"), [(0, 1), (400, 1), (1_000, 2.5), (2_000, 5), (50_000, 5)])
def test_the_more_is_new_the_longer_it_is_gathered_up_to_five_ticks(changes: int, ticks: float) -> None:
    assert live.ticks_to_rest(changes) == ticks


async def test_the_feed_rests_by_what_it_had_to_tell(monkeypatch):
    told: list[int] = []

    def rest(changes: int) -> float:
        told.append(changes)
        return 1e9 if changes else 1.0

    monkeypatch.setattr(live, "ticks_to_rest", rest)
    network = Network(tick_s=0.001)
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        network.status("CP-001")
        network.status("CP-002")
        await asyncio.wait_for(anext(messages), 5)
        network.status("CP-003")
        for _ in range(20):
            await asyncio.sleep(0.002)
    assert [changes for changes in told if changes] == [2]


async def test_the_longer_totals_take_the_longer_they_are_left_alone(monkeypatch):
    monkeypatch.setattr(live, "TOTALS_EVERY_S", 0.0)
    monkeypatch.setattr(live, "TOTALS_REST", 1e6)
    network = Network()
    asked = 0

    async def totals() -> Totals:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.001)
        return Totals(Decimal(asked), Decimal(0), "EUR")

    monkeypatch.setattr(network.feed, "_ask_totals", totals)
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        for _ in range(20):
            await asyncio.sleep(0.002)
    assert asked == 1


async def test_totals_are_asked_for_while_somebody_listens_and_told_when_they_change():
    network = Network(tick_s=0.01)
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        (totals,) = await heard(messages)
        while totals["energy_kwh"] is None:
            (totals,) = await heard(messages)
        assert (totals["energy_kwh"], totals["earnings"], totals["running"]) == (1.5, 0.45, 0)


async def test_a_database_that_is_away_does_not_stop_the_feed():
    network = Network(tick_s=0.01)
    network.sums = None
    async with aclosing(network.feed.messages("CP-001")) as messages:
        await heard(messages)
        network.status("CP-001")
        assert (await heard(messages))[0]["unit_id"] == "CP-001"


async def test_a_mistake_in_the_feed_is_not_hidden_and_the_next_listener_starts_it_anew(monkeypatch):
    network = Network(tick_s=0.01)
    with monkeypatch.context() as patch:
        async with aclosing(network.feed.messages("CP-001")) as one, aclosing(network.feed.messages("CP-001")) as other:
            await heard(one)
            await heard(other)
            patch.setattr(live_encoding, "_text", lambda _value: 1 / 0)
            network.status("CP-001")
            for messages in (one, other):
                with pytest.raises(ExceptionGroup):
                    await heard(messages)
    async with aclosing(network.feed.messages("CP-001")) as messages:
        assert [cp["unit_id"] for cp in (await heard(messages))[0]["cp"]] == ["CP-001"]


async def test_silence_is_broken_by_a_ping():
    network = Network(ping_after_s=0.01)
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        assert await heard(messages) == [{"type": "ping"}]


async def test_closing_ends_every_listeners_messages_now_and_later():
    network = Network()
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        waiting = asyncio.ensure_future(anext(messages, "end"))
        await asyncio.sleep(0)
        network.feed.close()
        assert await asyncio.wait_for(waiting, 30) == "end"
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        assert await anext(messages, "end") == "end"


async def test_nothing_is_encoded_or_asked_while_nobody_listens():
    network = Network()
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
    assert network.feed._work is None
    assert (network.feed._encoder._points, network.feed._encoder._stations) == ({}, {})
    assert "live feed" not in [task.get_name() for task in asyncio.all_tasks()]
    network.status("CP-001")
    async with aclosing(network.feed.messages()) as messages:
        assert [cp["unit_id"] for cp in (await heard(messages))[0]["cp"]] == ["CP-001"]


async def test_listeners_are_bounded(monkeypatch):
    monkeypatch.setattr(live, "MOST_BROWSERS", 1)
    network = Network()
    async with aclosing(network.feed.messages()) as messages:
        await heard(messages)
        with pytest.raises(TooManyBrowsers, match="1 are listening already"):
            await anext(network.feed.messages())
