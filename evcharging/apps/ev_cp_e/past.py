"""Reads from the log what an engine's charge points had said before, and whether their ids are stations' by now.

Telemetry is the bulk of the log, so it is read only where a session was left open, ten minutes back, and further back
only where nothing of that session is found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from evcharging.apps.ev_cp_e.recovery import Memory
from evcharging.bus.protocol import Bus, Position, Since, Start
from evcharging.bus.replay import replay
from evcharging.messages.commands import LONGEST_EXPIRY_S
from evcharging.messages.topics import OCPP_CONFIG, REPLIES, STATUS, TELEMETRY, Topic

__all__ = ["LOOK_BACK", "read_past"]

log = structlog.get_logger()

LOOK_BACK: Final = timedelta(minutes=10)
CLOCKS_APART: Final = timedelta(seconds=30)
"""Brokers and engines keep time each for themselves; so much further back is looked."""


async def read_past(bus: Bus, cp_ids: Iterable[str], *, source: str, now: datetime) -> Memory:
    """Read the log up to its end as it is now.

    Args:
        bus: a bus that was started.
        cp_ids: whose past is wanted.
        source: names the engine on events that are announced again.
        now: the time in UTC.
    """
    keys = frozenset(cp_id.encode() for cp_id in cp_ids)
    memory = Memory((key.decode() for key in keys), source=source)

    async def read(topics: Mapping[Topic[Any], Start]) -> None:
        async for received in replay(bus, topics, keys=keys):
            memory.take(received)

    commanded = now - timedelta(seconds=LONGEST_EXPIRY_S) - CLOCKS_APART
    await read({STATUS: Position.BEGINNING, OCPP_CONFIG: Position.BEGINNING, REPLIES: Since(commanded)})
    if memory.open_since():
        await read({TELEMETRY: Since(now - LOOK_BACK)})
    if bare := memory.without_telemetry():
        since = min(bare.values()) - CLOCKS_APART
        if since < now - LOOK_BACK:
            await read({TELEMETRY: Since(since)})
    if left_open := sorted(memory.open_since()):
        log.info("sessions were left open", count=len(left_open), charge_points=",".join(left_open[:10]))
    return memory
