"""Follows channels and shows each frame, until it is stopped or has shown as many as were asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from can import Message

from evcharging.can.bus import CanBus

__all__ = ["NOTHING_HEARD_S", "follow"]

NOTHING_HEARD_S: Final = 3.0
"""After so long without a frame the reader is told: an idle charger sends ten a second."""
MAX_WAITING: Final = 100_000


async def follow(
    buses: Sequence[CanBus],
    *,
    show: Callable[[Message], None],
    warn: Callable[[str], None],
    ids: frozenset[int] = frozenset(),
    most: int | None = None,
) -> None:
    """Show every frame of ``buses`` as they come, only those with one of ``ids`` where there are any.

    Returns after ``most`` frames. ``warn`` is told, once, when nothing is heard, and of frames that were lost because
    showing was slower than the bus.
    """
    waiting: deque[Message] = deque()
    arrived = asyncio.Event()
    lost = 0

    def take(message: Message) -> None:
        nonlocal lost
        if ids and message.arbitration_id not in ids:
            return
        if len(waiting) >= MAX_WAITING:
            lost += 1
            return
        waiting.append(message)
        arrived.set()

    removals = [bus.add_listener(take) for bus in buses]
    try:
        shown, told_silence, told_lost = 0, False, 0
        while most is None or shown < most:
            while waiting and (most is None or shown < most):
                show(waiting.popleft())
                shown += 1
            if lost > told_lost:
                warn(f"{lost - told_lost} frames were lost: showing is slower than the bus")
                told_lost = lost
            if most is not None and shown >= most:
                return
            arrived.clear()
            try:
                async with asyncio.timeout(None if told_silence or shown else NOTHING_HEARD_S):
                    await arrived.wait()
            except TimeoutError:
                told_silence = True
                warn(f"nothing is heard on {', '.join(bus.channel for bus in buses)}; is a charger on it?")
    finally:
        for remove in removals:
            remove()
