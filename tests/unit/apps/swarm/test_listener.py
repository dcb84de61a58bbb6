from __future__ import annotations

import pytest

from evcharging.apps.runtime.sender import Sender
from evcharging.apps.swarm import metrics
from evcharging.apps.swarm.listener import SwarmListener
from evcharging.bus.memory import MemoryBus
from evcharging.ocpp.station.interfaces import TransactionRecord

from .conftest import AT


class Book:
    def __init__(self) -> None:
        self.marked: list[tuple[str, bool]] = []
        self.energies_wh: list[int] = []

    def mark(self, station_id: str, *, urgent: bool = False) -> None:
        self.marked.append((station_id, urgent))

    def ended(self, record: TransactionRecord) -> None:
        self.energies_wh.append(record.energy_wh)
        self.mark(record.station_id, urgent=True)


class Rig:
    def __init__(self) -> None:
        self.at = 0.0
        self.book = Book()
        self.sender = Sender(MemoryBus())
        self.registered: list[tuple[str, str]] = []
        self.listener = SwarmListener(
            self.book,  # type: ignore[arg-type]
            self.sender,
            source="swarm/w1",
            now=lambda: AT,
            monotonic=lambda: self.at,
            lines_per_s=2.0,
            on_registered=lambda *told: self.registered.append(told),
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


def count(metric, *labels: str) -> float:
    return (metric.labels(*labels) if labels else metric)._value.get()


def test_lines_above_the_rate_are_left_out_and_counted(rig):
    before = count(metrics.LOG_LINES, "left out")
    for _ in range(15):
        rig.listener.log("S-1", "[12:00:00] Connected")
    assert rig.sender.waiting == 10
    assert count(metrics.LOG_LINES, "left out") - before == 5
    rig.at += 1.0
    for _ in range(5):
        rig.listener.log("S-1", "[12:00:01] Connected")
    assert rig.sender.waiting == 12


def test_a_change_marks_and_what_concerns_a_transaction_is_urgent(rig, record):
    rig.listener.changed("S-1")
    rig.listener.connected("S-1")
    rig.listener.disconnected("S-1", "gone")
    rig.listener.transaction_began(record)
    rig.listener.transaction_ended(record)
    rig.listener.transaction_settled(record)
    rig.listener.message_dropped("S-1", "StopTransaction", "refused")
    assert rig.book.marked == [("S-1", False)] * 3 + [("S-1", True)] * 4
    assert rig.book.energies_wh == [250]


def test_energy_is_counted_at_the_end_of_a_transaction(rig, record):
    before = count(metrics.ENERGY_KWH)
    rig.listener.transaction_ended(record)
    assert count(metrics.ENERGY_KWH) - before == pytest.approx(0.25)


def test_who_waits_for_a_boot_is_told(rig):
    rig.listener.registered("S-1", "Accepted", 0.1)
    assert rig.registered == [("S-1", "Accepted")]


def test_a_call_without_an_answer_is_counted_and_has_no_time(rig):
    before = count(metrics.CALLS, "Heartbeat", "timeout")
    rig.listener.called("S-1", "Heartbeat", None, "timeout")
    assert count(metrics.CALLS, "Heartbeat", "timeout") - before == 1
