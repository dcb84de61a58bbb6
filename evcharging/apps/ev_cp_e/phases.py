"""The phases of an outlet, how long each may last, and what is waited for meanwhile.

Phases, each left by what its line says::

    BOOTING     the charger is heard, or is not within `BOOT_WAIT_S`
    IDLE        a session is begun
    STARTING    the charger says that it charges, or does not within `START_WAIT_S`
    SUPPLYING   time, energy, an order, the charger, a fault
    ENDING      the charger has opened its contactor and said its register after that, or does not within `END_WAIT_S`
    GONE        never
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.session import MeteredSession
from evcharging.domain.charger import ChargerState

__all__ = [
    "BOOT_WAIT_S",
    "END_WAIT_S",
    "RUNNING",
    "START_WAIT_S",
    "Answer",
    "Ending",
    "Phase",
    "Refusal",
    "Starting",
]

BOOT_WAIT_S: Final = 5.0
START_WAIT_S: Final = 2.0
START_AGAIN_S: Final = 0.5
"""A start that was lost on the way is ordered again."""
END_WAIT_S: Final = 3.0
LOOK_AGAIN_S: Final = 0.25

RUNNING: Final = frozenset({ChargerState.CHARGING, ChargerState.SUSPENDED})
"""States in which the charger has a session."""


class Phase(Enum):
    """See the module."""

    BOOTING = 1
    IDLE = 2
    STARTING = 3
    SUPPLYING = 4
    ENDING = 5
    GONE = 6


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done: a code for programs, words for people."""

    code: str
    description: str


Answer = Callable[[Moment, Refusal | None], None]
"""Told once that a session flows (None), or why it does not."""


class _Wait:
    """A deadline that counts when it is found passed a second time: what waited to be read is read by then."""

    def __init__(self, now: Moment, wait_s: float) -> None:
        self.deadline_s = now.s + wait_s
        self._doubted = False

    def ran_out(self, now: Moment) -> bool:
        """Whether the wait is over in vain. Who comes late to the second look was held up again, and has a third."""
        if now.s < self.deadline_s:
            return False
        if self._doubted and now.s - self.deadline_s < LOOK_AGAIN_S:
            return True
        self._doubted = True
        self.deadline_s = now.s + LOOK_AGAIN_S
        return False


class Starting(_Wait):
    """A start that was ordered: its session, and whom to tell."""

    def __init__(self, now: Moment, session: MeteredSession, answer: Answer, *, resumed: bool) -> None:
        super().__init__(now, START_WAIT_S)
        self.session = session
        self.answer = answer
        self.resumed = resumed
        self._again_s = now.s + START_AGAIN_S

    @property
    def due_s(self) -> float:
        """When to look again."""
        return min(self.deadline_s, self._again_s)

    def to_be_repeated(self, now: Moment) -> bool:
        """Whether the order is due once more."""
        if now.s < self._again_s:
            return False
        self._again_s = now.s + START_AGAIN_S
        return True


class Ending(_Wait):
    """A session that is over but for its last reading: why, and what follows.

    Attributes:
        reason: why it ends.
        fault: whether the outlet is in FAULT after it.
        contactor_open: whether the charger has said so; its next reading of the register is then the final one.
        then: called when the end is said.
    """

    def __init__(
        self,
        now: Moment,
        reason: str,
        *,
        fault: bool = False,
        contactor_open: bool = False,
        then: Callable[[Moment], None] | None = None,
    ) -> None:
        super().__init__(now, END_WAIT_S)
        self.reason = reason
        self.fault = fault
        self.contactor_open = contactor_open
        self.then = then
