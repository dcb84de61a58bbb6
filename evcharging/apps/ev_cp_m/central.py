"""Central as a monitor sees it, over HTTP or TCP.

Errors, by what the monitor should do::

    CentralRefusal
    ├── CentralAway      not there, or not able now: keep the state, try again, register again
    ├── NotRegistered    it does not know the charge point: register
    └── Refused          it will not take this, whenever: an operator has to mend a setting
"""

from __future__ import annotations

from typing import Protocol

from evcharging.messages.control import HealthReport, Registration

__all__ = ["Central", "CentralAway", "CentralRefusal", "NotRegistered", "Refused"]


class CentralRefusal(Exception):
    """The base of what can become of a call to Central."""


class CentralAway(CentralRefusal):
    """Central is not there, or says that it cannot now."""


class NotRegistered(CentralRefusal):
    """Central does not know the charge point (any more)."""


class Refused(CentralRefusal):
    """Central understood and refuses: a wrong token, a value out of range, or something else listens there."""


class Central(Protocol):
    """Where registrations and reports go. Both calls may be repeated; a repeat changes nothing."""

    async def register(self, registration: Registration) -> bool | None:
        """Return whether the charge point was new to Central, None where it does not say.

        Raises:
            CentralAway: see there.
            Refused: see there.
        """
        ...

    async def report(self, cp_id: str, report: HealthReport) -> None:
        """Deliver what is held of a charge point.

        Raises:
            CentralAway: see there.
            NotRegistered: see there.
            Refused: see there.
        """
        ...
