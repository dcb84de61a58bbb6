"""Boots: the answer by registration, what is told, and what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from evcharging.apps.ocpp_gateway.boots import BootReport, Boots, BootTerms
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status
from evcharging.store.gateway import tables
from tests.support.gateway_parts import NOW, Ground, ground

REPORT = BootReport(vendor="Maker", model="Model", reason="PowerUp", details={"iccid": "89"})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as made:
        yield made


def boots(gateway: Ground, *terms: BootTerms, configure: Callable[[ChargePoint], None] = lambda _point: None) -> Boots:
    following = iter(terms or [BootTerms("Accepted", 300)])
    return Boots(gateway.statuses, terms=lambda _cp_id: next(following), configure=configure, now=gateway.now)


def test_a_boot_is_answered_as_the_registration_has_it_and_told(gateway: Ground) -> None:
    point, _ = gateway.station()
    assert boots(gateway).boot(point, REPORT) == BootTerms("Accepted", 300)
    (status,) = gateway.messages(Status)
    assert (status.connector_id, status.state, status.reason) == (0, ChargePointState.ACTIVATED, "boot")
    assert status.detail.boot_reason == "PowerUp"


def test_the_last_boot_decides(gateway: Ground) -> None:
    point, _ = gateway.station()
    made = boots(gateway, BootTerms("Accepted", 300), BootTerms("Pending", 60), BootTerms("Rejected", 600))
    for accepted in (True, False, False):
        made.boot(point, REPORT)
        assert point.accepted is accepted
    assert [s.reason for s in gateway.messages(Status)] == ["boot", "boot_pending", "boot_rejected"]
    assert gateway.messages(Status)[-1].state is ChargePointState.STOPPED


def test_before_its_transactions_are_known_a_boot_is_answered_and_not_told(gateway: Ground) -> None:
    point, _ = gateway.station()
    point.loaded = False
    assert boots(gateway).boot(point, REPORT).status == "Accepted"
    assert gateway.said == []
    assert point.booted_since_it_connected


async def test_the_last_boot_is_kept_with_all_that_the_station_said(gateway: Ground) -> None:
    point, _ = gateway.station()
    made = boots(gateway, BootTerms("Pending", 60), BootTerms("Accepted", 300))
    made.boot(point, BootReport(vendor="Old", model="Old"))
    made.boot(point, BootReport(vendor="V" * 60, model=None, firmware_version="1.2", details={"iccid": "89"}))
    assert made.due
    await gateway.writes.do(made.flush)
    assert not made.due
    (row,) = await gateway.rows(tables.boots)
    assert (row["vendor"], row["model"], row["firmware_version"]) == ("V" * 50, None, "1.2")
    assert (row["status"], row["version"], row["booted_at"]) == ("Accepted", "1.6", NOW)
    assert row["details"] == {"iccid": "89"}


def test_only_an_accepted_station_with_a_configuration_in_its_registration_is_to_be_configured(gateway: Ground) -> None:
    point, _ = gateway.station()
    told: list[ChargePoint] = []
    keys = {"HeartbeatInterval": "33"}
    terms = [BootTerms("Pending", 60, keys), BootTerms("Accepted", 300), BootTerms("Accepted", 300, {})]
    made = boots(gateway, *terms, BootTerms("Accepted", 300, keys), configure=told.append)
    for _ in terms:
        made.boot(point, REPORT)
    assert told == []
    made.boot(point, REPORT)
    assert told == [point]
