"""Whether what was asked, metered, stored and billed agree, whatever was killed meanwhile.

Reads the log and the database after the fact, with none of the services' own bookkeeping.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from evcharging.bus.create import create_bus
from evcharging.bus.replay import replay
from evcharging.messages.charge_points import Telemetry
from evcharging.messages.drivers import DriverRequest, DriverUpdate
from evcharging.messages.topics import DRIVER_REQUESTS, DRIVER_UPDATES, TELEMETRY

__all__ = ["Ledger", "read_ledger"]

CENT = Decimal("0.01")


@dataclass
class Ledger:
    """What the log says of requests, outcomes and intervals."""

    requests: dict[str, DriverRequest] = field(default_factory=dict)
    finals: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    accepted: set[str] = field(default_factory=set)
    intervals: dict[str, dict[int, Telemetry]] = field(default_factory=lambda: defaultdict(dict))

    def faults(self, sessions: list[dict[str, Any]], *, price: Decimal = Decimal("0.30")) -> list[str]:
        """Every disagreement, in words; none when the books are clean."""
        found: list[str] = []
        for request_id in self.requests:
            if len(self.finals[request_id]) != 1:
                found.append(f"{request_id} ended as {sorted(self.finals[request_id])}, expected exactly one outcome")
        by_request = defaultdict(list)
        for session in sessions:
            by_request[session["request_id"]].append(session)
        for request_id in self.accepted:
            if len(by_request[request_id]) != 1:
                found.append(f"{request_id} was accepted and has {len(by_request[request_id])} sessions, expected one")
        for session in sessions:
            found += self._session_faults(session, price)
        return found

    def _session_faults(self, session: dict[str, Any], price: Decimal) -> list[str]:
        name = session["session_id"]
        if session["status"] == "ACTIVE":
            return [f"{name} never ended"]
        intervals = self.intervals.get(name, {})
        found = []
        missing = set(range(1, max(intervals, default=0) + 1)) - set(intervals)
        if missing:
            found.append(f"{name}: intervals {sorted(missing)} are missing")
        metered_wh = sum((Decimal(str(i.energy_wh)) for i in intervals.values()), Decimal(0))
        stored_wh = Decimal(str(session["kwh"])) * 1000
        if metered_wh != stored_wh:
            found.append(f"{name}: metered {metered_wh} Wh, stored {stored_wh} Wh")
        cost = (metered_wh / 1000 * price).quantize(CENT, ROUND_HALF_UP)
        if cost != Decimal(str(session["cost"])):
            found.append(f"{name}: {metered_wh} Wh cost {cost}, billed {session['cost']}")
        if intervals:
            first, last = intervals[min(intervals)], intervals[max(intervals)]
            rise_wh = Decimal(str(last.register_wh)) - Decimal(str(first.register_wh)) + Decimal(str(first.energy_wh))
            if rise_wh != metered_wh:
                found.append(f"{name}: the register rose by {rise_wh} Wh, the intervals sum to {metered_wh} Wh")
        return found


async def read_ledger(bootstrap: str) -> Ledger:
    """Read the log from its beginning to its end."""
    bus = create_bus(bootstrap, client_id="ledger")
    await bus.start()
    ledger = Ledger()
    try:
        async for received in replay(bus, [DRIVER_REQUESTS, DRIVER_UPDATES, TELEMETRY]):
            message = received.message
            if isinstance(message, DriverRequest):
                ledger.requests[message.request_id] = message
            elif isinstance(message, DriverUpdate):
                if message.status.is_final:
                    ledger.finals[message.request_id].add(message.status.value)
                elif message.session_id:
                    ledger.accepted.add(message.request_id)
            else:
                ledger.intervals[message.session_id].setdefault(message.seq, message)
    finally:
        await bus.stop()
    return ledger
