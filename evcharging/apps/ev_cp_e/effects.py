"""What goes in and out of the core of a charge point: the time it is told, and what it asks its shell to do.

The core (`charge_point`) returns these values and does none of it itself; the shell (`unit`) carries them out in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from evcharging.can.frames import InjectKind
from evcharging.domain.charger import FaultCode
from evcharging.messages.envelope import Event

__all__ = ["Effect", "InjectOrder", "LimitOrder", "Moment", "Note", "Publish", "StartOrder", "StopOrder"]


class Moment(NamedTuple):
    """One moment on two clocks: the wall's, for what is written down, and a monotonic one in s, for what lasts."""

    wall: datetime
    s: float


@dataclass(frozen=True, slots=True)
class StartOrder:
    """Have the charger charge (0x200)."""


@dataclass(frozen=True, slots=True)
class StopOrder:
    """Have the charger end the session (0x201)."""


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """Set the current on offer, in A per phase (0x210)."""

    limit_amps: float


@dataclass(frozen=True, slots=True)
class InjectOrder:
    """Have something happen at the cable or in the hardware (0x2F0)."""

    kind: InjectKind
    fault_code: FaultCode


@dataclass(frozen=True, slots=True)
class Publish:
    """Put an event on the bus. Its ``traceparent`` is that of its cause; the shell makes a child of it.

    ``again`` says that it was published before, under the same id: it is told again, and nothing has happened.
    """

    event: Event[Any]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    text: str
    warning: bool = False


Effect = StartOrder | StopOrder | LimitOrder | InjectOrder | Publish | Note
