"""Stores what stations told since the last time, all of it in one effect; it makes nothing of it itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from evcharging.apps.ocpp_gateway.metering import Metering
from evcharging.apps.ocpp_gateway.writes import StorageAway, Work, Writes

__all__ = ["Flushed", "Flushing"]

log = structlog.get_logger()

FAILED_PAUSE_S: Final = 5.0


class Flushed(Protocol):
    """What gathers what stations tell."""

    @property
    def due(self) -> bool:
        """Whether there is anything to store."""
        ...

    async def flush(self, work: Work) -> None:
        """Store it."""
        ...


class Flushing:
    """Has parts store what they gathered.

    Args:
        parts: in the order in which they are stored; ``metering`` goes last, and says in how many effects.
        flush_s: between two times.
    """

    def __init__(self, writes: Writes, parts: Sequence[Flushed], metering: Metering, *, flush_s: float) -> None:
        self._writes = writes
        self._parts = (*parts, metering)
        self._metering = metering
        self._flush_s = flush_s

    async def run(self) -> None:
        """Go on until cancelled; what could not be stored is tried again."""
        while True:
            await asyncio.sleep(self._flush_s)
            if not any(part.due for part in self._parts):
                continue
            try:
                for _ in range(self._metering.flushes):
                    await self._writes.do(self._flush)
            except StorageAway:
                continue
            except Exception:
                log.exception("what stations told could not be stored; it is tried again")
                await asyncio.sleep(FAILED_PAUSE_S)

    def post(self) -> None:
        """Have all of it stored, without waiting for that."""
        for _ in range(self._metering.flushes):
            self._writes.post(self._flush)

    async def _flush(self, work: Work) -> None:
        """An effect."""
        for part in self._parts:
            if part.due:
                await part.flush(work)
