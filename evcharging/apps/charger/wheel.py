"""Turns all charger nodes of a process with one task, and spreads their work evenly over time.

Nodes sit in ten slots; each slot has its turn every 100 ms, and each second one of its turns is the full report. What
is measured is saved before it is said. A node that fails is logged and costs the others nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from evcharging.apps.charger.node import ChargerNode, RegisterStore

__all__ = ["REPORT_S", "TICK_S", "NodeWheel"]

log = structlog.get_logger()

TICK_S: Final = 0.1
"""Between two frames with the current (0x300)."""
REPORT_S: Final = 1.0
"""Between two reports of everything else (0x301, 0x302, 0x303)."""
SLOTS: Final = 10


class NodeWheel:
    """All the nodes of a process. ``clock`` is the one that the nodes were given."""

    def __init__(self, registers: RegisterStore | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._registers = registers
        self._clock = clock
        self._slots: list[list[ChargerNode]] = [[] for _ in range(SLOTS)]
        self._report_due_s = [0.0] * SLOTS
        self.failures = 0
        """Turns in which a node raised."""

    @property
    def nodes(self) -> tuple[ChargerNode, ...]:
        """Every node on the wheel."""
        return tuple(node for slot in self._slots for node in slot)

    def add(self, node: ChargerNode) -> None:
        """Open ``node`` and turn it from now on."""
        node.open()
        min(self._slots, key=len).append(node)

    def remove(self, node: ChargerNode) -> None:
        """Close ``node`` and turn it no more."""
        node.close()
        for slot in self._slots:
            if node in slot:
                slot.remove(node)

    async def run(self) -> None:
        """Turn until cancelled. Turns that were missed, because the process was held up, are not made up for."""
        began_s = self._clock()
        self._report_due_s = [began_s + number * TICK_S for number in range(SLOTS)]
        while True:
            for number, slot in enumerate(self._slots):
                if slot:
                    await asyncio.sleep(max(0.0, began_s + number * TICK_S / SLOTS - self._clock()))
                    self.turn(number)
            began_s = max(began_s + TICK_S, self._clock())
            await asyncio.sleep(began_s - self._clock())

    def turn(self, number: int) -> None:
        """Give slot ``number`` its turn now."""
        slot = tuple(self._slots[number])
        now_s = self._clock()
        due_s = self._report_due_s[number]
        in_full = now_s > due_s - TICK_S / 2
        if in_full:
            self._report_due_s[number] = due_s + REPORT_S if due_s + REPORT_S > now_s else now_s + REPORT_S
        for node in slot:
            try:
                node.advance(now_s)
            except Exception:
                self.failures += 1
                log.exception("a charger node failed", cp_id=node.cp_id)
        if self._registers is not None and (in_full or any(node.has_news for node in slot)):
            self._registers.save()
        for node in slot:
            try:
                node.report(in_full=in_full)
            except Exception:
                self.failures += 1
                log.exception("a charger node failed", cp_id=node.cp_id)
