"""Storing what stations told: again where it failed, and at once where the gateway ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.ocpp_gateway import flushing
from evcharging.apps.ocpp_gateway.central_system import CentralSystemTerms
from tests.support.central_system import business, until


async def test_what_could_not_be_stored_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "FAILED_PAUSE_S", 0.0)
    async with business(tmp_path, terms=CentralSystemTerms(flush_s=0.01)) as gateway:
        station = gateway.station()
        await station.boot()
        flush, failed = gateway.central.statuses.flush, []

        async def fails_once(work: object) -> None:
            if not failed:
                failed.append(True)
                raise RuntimeError("broken on purpose")
            await flush(work)  # type: ignore[arg-type]

        monkeypatch.setattr(gateway.central.statuses, "flush", fails_once)
        await station.status("Preparing")
        await until(lambda: failed and not gateway.central.statuses.due)


async def test_a_gateway_that_ends_stores_what_it_was_told_without_waiting_for_the_next_time(tmp_path: Path) -> None:
    async with business(tmp_path, terms=CentralSystemTerms(flush_s=3600.0)) as gateway:
        station = gateway.station()
        await station.boot()
        await station.status("Preparing")
        assert gateway.central.statuses.due
        await gateway.central.drain()
        assert not gateway.central.statuses.due
