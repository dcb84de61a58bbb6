"""What a link knows of its charger, and the news of it. For `evcharging.can.link`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from evcharging.can.frames import REGISTER_MODULUS_WH, ChargerStatus
from evcharging.domain.charger import ChargerState, FaultCode

__all__ = ["ChargerReadings", "LinkClosed", "LinkEvent", "LinkEventKind", "RegisterTrack", "Waiters"]

BELIEVED_AFTER: Final = 3
"""So many lower readings in a row are a meter that was replaced, and no damaged frame."""


@dataclass(slots=True)
class ChargerReadings:
    """The latest of each reading; None until the first. ``soc`` is a fraction from 0 to 1, None without a vehicle."""

    current_a: float | None = None
    voltage_v: float | None = None
    register_wh: float | None = None
    soc: float | None = None
    temperature_c: float | None = None
    state: ChargerState | None = None
    fault_code: FaultCode = FaultCode.NONE
    plugged: bool = False
    last_frame_monotonic_s: float | None = None
    """When the last frame was taken, or when the link began to listen."""

    def take_status(self, status: ChargerStatus) -> bool:
        """Keep a status; returns whether anything is other than before."""
        before = (self.state, self.fault_code, self.plugged)
        self.state, self.fault_code, self.plugged = status.state, status.fault_code, status.plugged
        return before != (self.state, self.fault_code, self.plugged)


class LinkEventKind(StrEnum):
    """What happened."""

    STATUS = "STATUS"
    """State, fault code or plug changed."""
    SILENT = "SILENT"
    """Nothing that can be believed comes any more (or came at all); ``detail`` says what was missed."""
    HEARD = "HEARD"
    """The first status that can be believed, at the beginning or after a silence."""
    METER_FELL = "METER_FELL"
    """The register went back and stayed there: another meter. Earlier readings say nothing about later ones."""


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One piece of news, with the status as it is now."""

    kind: LinkEventKind
    state: ChargerState | None
    previous_state: ChargerState | None
    fault_code: FaultCode
    plugged: bool
    detail: str | None = None


class RegisterTrack:
    """Follows an energy register over its roll-over, and does not follow a single reading that falls."""

    __slots__ = ("_falls", "_last_wh", "_rolled_wh")

    def __init__(self) -> None:
        self._last_wh: float | None = None
        self._rolled_wh = 0.0
        self._falls = 0

    def take(self, raw_wh: float) -> tuple[float | None, bool]:
        """Take a reading as it is on the wire.

        Returns:
            The register in Wh, or None where the reading fell and is not believed yet; and whether it fell for good.
        """
        last_wh, fell = self._last_wh, False
        if last_wh is not None and raw_wh < last_wh:
            if last_wh - raw_wh > REGISTER_MODULUS_WH / 2:
                self._rolled_wh += REGISTER_MODULUS_WH
            else:
                self._falls += 1
                if self._falls < BELIEVED_AFTER:
                    return None, False
                fell = True
        self._falls = 0
        self._last_wh = raw_wh
        return self._rolled_wh + raw_wh, fell


class LinkClosed(Exception):
    """The link was closed while somebody waited."""


class Waiters:
    """Those who wait for the readings to become something."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Return once ``condition`` holds. Raises TimeoutError, LinkClosed, and what ``condition`` itself raises."""
        if condition():
            return
        entry = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await entry[1]
        finally:
            self._waiting.remove(entry)

    def wake(self) -> None:
        """The readings changed."""
        for condition, future in self._waiting:
            if future.done():
                continue
            try:
                holds = condition()
            except Exception as error:  # noqa: BLE001 - it belongs to the one who waits, not to the frame that came
                future.set_exception(error)
            else:
                if holds:
                    future.set_result(None)

    def close(self) -> None:
        """Nothing will change any more."""
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(LinkClosed)
