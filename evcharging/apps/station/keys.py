"""Keys in a station's terminal: what a driver, a card, a broken cable or a network does, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from evcharging.domain.charger_state import ChargerError, FaultCode
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.interfaces import StationControl

__all__ = ["LEGEND", "StationKeys"]

LEGEND: Final = (
    "keys: p plug in, u unplug, t present the card, f fault, c clear, e emergency button, d drop the connection,"
    " s state, 1 to 9 choose the connector, q end"
)


class StationKeys:
    """What each key does, at the connector chosen last.

    Args:
        station: whom they act on.
        connectors: how many it has.
        id_tag: the card.
        vehicle: what comes with p.
        spawn: runs what takes a while.
        say: takes a line for the terminal.
        show: prints the state.
        end: ends the program.
    """

    def __init__(
        self,
        station: StationControl,
        *,
        connectors: int,
        id_tag: str,
        vehicle: VehicleSpec,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        say: Callable[[str], None],
        show: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        self.chosen = 1
        """The connector that keys act on."""
        self._station = station
        self._connectors = connectors
        self._id_tag = id_tag
        self._vehicle = vehicle
        self._spawn = spawn
        self._say = say
        self._end = end
        self._keys: dict[str, Callable[[], object]] = {
            "p": lambda: station.plug_in(self.chosen, vehicle),
            "u": lambda: station.unplug(self.chosen),
            "t": lambda: spawn(self._present()),
            "f": lambda: station.inject_fault(self.chosen, FaultCode.GROUND_FAULT),
            "c": lambda: station.clear_fault(self.chosen),
            "e": lambda: station.emergency_stop(self.chosen),
            "d": station.drop,
            "s": show,
            "q": end,
        }

    def press(self, key: str) -> None:
        """Do what ``key`` stands for; what cannot be done is said, any other key does nothing."""
        if key.isdigit() and 1 <= int(key) <= self._connectors:
            self.chosen = int(key)
            self._say(f"the keys act on connector {key}")
            return
        act = self._keys.get(key)
        if act is None:
            return
        try:
            act()
        except ChargerError as error:
            self._say(f"not done: {error}")

    async def _present(self) -> None:
        try:
            accepted = await self._station.present(self._id_tag, self.chosen)
        except ChargerError as error:
            self._say(f"not done: {error}")
            return
        if not accepted:
            self._say(f"the card {self._id_tag} was not accepted at connector {self.chosen}")
