"""Reboots: asked for by the CSMS, softly or hard, or needed after an update. Transactions end first, with the reason.

A reset comes through if every outlet's contactor can be opened; with one welded it is tried again as often as the
configuration says, and then told as failed.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

from evcharging.domain.charger_state import FaultCode
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.interfaces import ConnectorState
from evcharging.ocpp.station.wire import Condition

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class ResetKind(StrEnum):
    """How a reset is asked for."""

    SOFT = "Soft"
    HARD = "Hard"


_REASONS = {ResetKind.SOFT: "SoftReset", ResetKind.HARD: "HardReset"}


class Rebooting:
    """The reboots of one station."""

    __slots__ = ("_station", "_task")

    def __init__(self, station: Station) -> None:
        self._station = station
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a reset was begun and is not over."""
        return self._task is not None and not self._task.done()

    def reset(self, kind: ResetKind) -> None:
        """Begin a reset; a second one while it is under way changes nothing."""
        if not self.under_way:
            self._task = self._station.spawn(self._reset(kind))

    async def _reset(self, kind: ResetKind) -> None:
        station = self._station
        await asyncio.sleep(0)  # the answer to the call that asked for it goes first
        station.charging.end_all(_REASONS[kind])
        for connector in station.connectors:
            connector.forget_expected()
        if kind is ResetKind.SOFT:
            await station.outbox.drained()
        attempts = 0
        while not self._comes_through():
            attempts += 1
            if attempts > station.parameters.reset_retries:
                station.log(wording.reset_failed(attempts))
                station.availability.line.show(ConnectorState.FAULTED, Condition.RESET_FAILED)
                return
            await station.clock.sleep(station.settings.reboot_s)
        await station.reboot("RemoteReset")

    def _comes_through(self) -> bool:
        return all(one.read().fault is not FaultCode.CONTACTOR_WELDED for one in self._station.connectors)
