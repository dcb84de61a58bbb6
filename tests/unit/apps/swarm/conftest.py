from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from evcharging.apps.swarm.handover import Past, before_it_began
from evcharging.messages.network import SwarmHandover, SwarmState, SwarmStatus
from evcharging.ocpp.station.interfaces import StationSnapshot, TransactionRecord

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def record() -> TransactionRecord:
    return TransactionRecord(
        "S-1", 1, "t-1", "ABC123", AT.timestamp() - 60, 1000, 1250, transaction_id=7, parent_id_tag="FLEET"
    )


@pytest.fixture
def idle() -> StationSnapshot:
    return before_it_began("S-1", "default", Past(registers_wh=(100.0,)))


@pytest.fixture
def a_status() -> Callable[..., SwarmStatus]:
    def make(station_id: str = "S-1", **handover: object) -> SwarmStatus:
        return SwarmStatus(
            ts=AT,
            station_id=station_id,
            state=SwarmState.AVAILABLE,
            profile="default",
            handover=SwarmHandover(**{"term": 1, "holder": "w1/a", **handover}),
        )

    return make
