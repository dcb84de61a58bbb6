"""What came of a driver's requests, in numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from evcharging.messages.drivers import DriverUpdate, UpdateStatus

__all__ = ["Summary", "write_summary"]


@dataclass(slots=True)
class Summary:
    """Counts by end state, and the energy (kWh) and cost (the updates' ``euros``, of whatever currency) of all ends."""

    requests: int = 0
    completed: int = 0
    denied: int = 0
    failed: int = 0
    cancelled: int = 0
    kwh: Decimal = Decimal(0)
    euros: Decimal = Decimal(0)

    @property
    def open(self) -> int:
        """Requests whose end was not heard."""
        return self.requests - self.completed - self.denied - self.failed - self.cancelled

    def count(self, end: DriverUpdate) -> None:
        """Add the end of one request."""
        match end.status:
            case UpdateStatus.COMPLETED:
                self.completed += 1
            case UpdateStatus.DENIED:
                self.denied += 1
            case UpdateStatus.FAILED:
                self.failed += 1
            case UpdateStatus.CANCELLED:
                self.cancelled += 1
            case _:
                raise ValueError(f"{end.status} is no end of a request")
        self.kwh += Decimal(str(end.kwh or 0))
        self.euros += Decimal(str(end.euros or 0))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: counts as integers, kWh and euros as numbers."""
        return {
            "requests": self.requests,
            "completed": self.completed,
            "denied": self.denied,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "open": self.open,
            "kwh": float(self.kwh),
            "euros": float(self.euros),
        }

    def __str__(self) -> str:
        still_open = f", {self.open} open" if self.open else ""
        return (
            f"{self.requests} requests: {self.completed} completed, {self.denied} denied, {self.failed} failed,"
            f" {self.cancelled} cancelled{still_open}; {self.kwh:.2f} kWh, €{self.euros:.2f}"
        )

    @classmethod
    def of(cls, parts: Iterable[Summary]) -> Summary:
        """The sum of several."""
        total = cls()
        for part in parts:
            total.requests += part.requests
            total.completed += part.completed
            total.denied += part.denied
            total.failed += part.failed
            total.cancelled += part.cancelled
            total.kwh += part.kwh
            total.euros += part.euros
        return total


def write_summary(path: Path, drivers: Iterable[str], *, total: Summary, earlier: Summary) -> None:
    """Write ``{drivers, requests, completed, …, earlier: {…}}``, whole or not at all.

    Args:
        path: the file, replaced where it exists.
        drivers: whose requests they were.
        total: of this run.
        earlier: of requests of earlier runs whose end was learned in this one.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps({"drivers": list(drivers), **total.as_dict(), "earlier": earlier.as_dict()}, indent=2)
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)
