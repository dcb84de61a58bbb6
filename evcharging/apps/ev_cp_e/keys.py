"""Keys in the engine's terminal: what happens at the cable, by hand, and an end to it all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from evcharging.apps.ev_cp_e.command_desk import Refused
from evcharging.apps.ev_cp_e.unit import Unit
from evcharging.can.frames import InjectKind
from evcharging.domain.charger import FaultCode

__all__ = ["LEGEND", "EngineKeys"]

log = structlog.get_logger()

LEGEND: Final = "keys: u unplug, p plug in, f fault, c clear, q quit; a number and Enter choose the charge point"

_INJECTIONS: Final = {
    "u": (InjectKind.UNPLUG, FaultCode.NONE),
    "p": (InjectKind.PLUG, FaultCode.NONE),
    "f": (InjectKind.FAULT, FaultCode.GROUND_FAULT),
    "c": (InjectKind.CLEAR, FaultCode.NONE),
}


class EngineKeys:
    """What each key does. They act on one charge point, the first until a number chooses another.

    Args:
        units: the charge points by id, in order, none before they are open; a number counts from 1, Enter ends it.
        quit_: called for ``q``.
    """

    def __init__(self, units: Mapping[str, Unit], quit_: Callable[[], None]) -> None:
        self._units = units
        self._quit = quit_
        self._chosen = 0
        self._digits = ""

    @property
    def chosen(self) -> Unit | None:
        """The charge point that the keys act on; None before there is any."""
        units = list(self._units.values())
        return units[self._chosen] if units else None

    def press(self, key: str) -> None:
        """Do what ``key`` stands for; any other does nothing."""
        if key.isdecimal():
            self._digits = (self._digits + key)[-4:]
            if len(self._units) < 10:  # one digit says it all
                self._choose()
        elif key in "\r\n":
            self._choose()
        elif key == "q":
            self._quit()
        elif key in _INJECTIONS and (unit := self.chosen) is not None:
            try:
                unit.inject(*_INJECTIONS[key])
            except Refused as refused:
                log.warning(refused.refusal.description, who=f"CP_E:{unit.cp_id}")

    def _choose(self) -> None:
        digits, self._digits = self._digits, ""
        if not digits:
            return
        number = int(digits)
        if 1 <= number <= len(self._units):
            self._chosen = number - 1
            log.info("the keys act on", cp_id=list(self._units)[self._chosen])
        else:
            log.warning("there is no such charge point", number=number, expected=f"1 to {len(self._units)}")
