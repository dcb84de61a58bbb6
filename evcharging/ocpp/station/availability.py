"""Whether connectors are in service: by the CSMS, for good, and while the station looks after itself."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

from evcharging.ocpp.station.connector import Connector
from evcharging.ocpp.station.interfaces import ConnectorState
from evcharging.ocpp.station.status_line import StatusLine

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class AvailabilityOutcome(StrEnum):
    """The standard's answers to ChangeAvailability."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    SCHEDULED = "Scheduled"


class Availability:
    """What is in service at one station; it lasts over reboots. `line` is the station as a whole, connector 0.

    `withdrawn` are the connectors that the CSMS wants out of service, whether they are already; 0 is the whole station.
    """

    __slots__ = ("_closing", "_emptied", "_station", "line", "withdrawn")

    def __init__(self, station: Station) -> None:
        self._station = station
        self._emptied: asyncio.Future[None] | None = None
        self._closing = False
        self.line = StatusLine(station, 0)
        self.withdrawn: frozenset[int] = frozenset()

    def change(self, connector_id: int, *, operative: bool) -> AvailabilityOutcome:
        """Put a connector, or with 0 all, in or out of service; what charges is out once its transaction has ended."""
        outcome = self._apply(connector_id, operative=operative)
        if outcome is not AvailabilityOutcome.REJECTED:
            named = frozenset([connector_id] if connector_id else range(len(self._station.connectors) + 1))
            self.withdrawn = self.withdrawn - named if operative else self.withdrawn | named
        return outcome

    def withdraw_again(self, withdrawn: frozenset[int]) -> None:
        """Put out of service what the CSMS wanted out before the station was made anew."""
        station = self._station
        known = [one for one in station.connectors if one.number in withdrawn]
        self.withdrawn = frozenset(one.number for one in known) | (withdrawn & {0})
        for one in known:
            _change(one, False)
            one.show()
        if 0 in withdrawn:
            self._closing = any(one.closing for one in known)
            if not self._closing:
                self.line.show(ConnectorState.UNAVAILABLE)

    async def empty(self) -> list[Connector]:
        """Take every connector out of service and return those that were in it, once nothing charges any more."""
        station = self._station
        taken = [one for one in station.connectors if one.operative and not one.closing]
        self._apply(0, operative=False)
        while any(one.transaction is not None for one in station.connectors):
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied
        return taken

    def session_over(self) -> None:
        """A transaction has ended: the station goes out of service if it was the last one it waited for."""
        if self._closing and not any(one.transaction is not None for one in self._station.connectors):
            self._closing = False
            self.line.show(ConnectorState.UNAVAILABLE)
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def restore(self, connectors: list[Connector]) -> None:
        """Put connectors back in service, but for what the CSMS wants out."""
        for one in connectors:
            if one.number not in self.withdrawn:
                self._apply(one.number, operative=True)
        self._closing = False
        if 0 not in self.withdrawn:
            self.line.show(ConnectorState.AVAILABLE)

    def _apply(self, connector_id: int, *, operative: bool) -> AvailabilityOutcome:
        station = self._station
        connector = station.connector(connector_id)
        if connector is None and connector_id != 0:
            return AvailabilityOutcome.REJECTED
        connectors = station.connectors if connector is None else [connector]
        outcomes = [_change(one, operative) for one in connectors]
        scheduled = AvailabilityOutcome.SCHEDULED in outcomes
        if connector_id == 0:
            self._closing = scheduled
            if not scheduled:  # a station that still charges is not out of service yet
                self.line.show(ConnectorState.AVAILABLE if operative else ConnectorState.UNAVAILABLE)
        for one in connectors:
            one.refresh()
        return AvailabilityOutcome.SCHEDULED if scheduled else AvailabilityOutcome.ACCEPTED


def _change(connector: Connector, operative: bool) -> AvailabilityOutcome:
    if operative:
        connector.operative = True
        connector.closing = False
    elif connector.transaction is not None:
        connector.closing = True
        return AvailabilityOutcome.SCHEDULED
    else:
        connector.operative = False
        connector.forget_expected()
    return AvailabilityOutcome.ACCEPTED
