"""What an idle outlet does about its charger: be in FAULT while that is, and have it charge for nobody."""

from __future__ import annotations

from evcharging.apps.ev_cp_e.effects import Effect, Moment, Note, StopOrder
from evcharging.apps.ev_cp_e.phases import RUNNING
from evcharging.apps.ev_cp_e.standing import Standing
from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import ChargerState
from evcharging.domain.end_reasons import EndReason
from evcharging.domain.states import ChargePointState

__all__ = ["ChargerWatch"]


class ChargerWatch:
    """Watches one charger between sessions.

    Args:
        charger: the latest readings.
        standing: the charge point's state.
        effects: where orders are appended.
    """

    def __init__(self, charger: ChargerReadings, standing: Standing, effects: list[Effect]) -> None:
        self._charger = charger
        self._standing = standing
        self._effects = effects
        self._stray = False

    @property
    def fault(self) -> EndReason:
        """What the charger's fault is called."""
        return EndReason.of_fault(self._charger.fault_code)

    def follow(self, now: Moment) -> None:
        """Go where the charger has gone. Call it while the charger is heard and no session is its reason."""
        if self._charger.state is ChargerState.FAULTED:
            self._standing.fail(now, self.fault, detail=f"the charger reports {self.fault}")
            return
        stray, self._stray = self._stray, self._charger.state in RUNNING
        if self._stray and not stray:  # the link repeats the order until it has been obeyed
            self._effects.append(StopOrder())
            self._effects.append(Note("The charger charges without a session and is stopped", warning=True))

    def heal(self, now: Moment) -> None:
        """Leave FAULT when the charger has none. Only on a reading of the register: the next session begins with it."""
        faulted = self._charger.state is ChargerState.FAULTED
        if self._standing.state is ChargePointState.FAULT and not faulted:
            self._standing.heal(now)
