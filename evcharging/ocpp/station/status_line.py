"""What the CSMS has been told of one connector's state, or of the station's own: each true change once.

A state that does not last `minimum_status_s` is never told. Without a connection nothing is told; what has changed by
the time there is one again is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.ocpp.errors import OcppError
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.interfaces import ConnectorState, Timer
from evcharging.ocpp.station.wire import Condition

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class StatusLine:
    """The state of connector `number` as it is and as it was told; 0 is the station as a whole."""

    __slots__ = ("_since_s", "_station", "_timer", "_told", "condition", "number", "state")

    def __init__(self, station: Station, number: int) -> None:
        self._station = station
        self._timer: Timer | None = None
        self._told: tuple[ConnectorState, Condition] | None = None
        self._since_s = 0.0
        self.number = number
        self.state = ConnectorState.AVAILABLE
        self.condition = Condition.NONE

    def show(self, state: ConnectorState, condition: Condition = Condition.NONE) -> bool:
        """Take a state; return whether it is another one than before."""
        if state is self.state and condition is self.condition:
            return False
        if state is not self.state and self.number:
            self._station.log(wording.connector_changed(self.number, state))
        self.state = state
        self.condition = condition
        self._since_s = self._station.clock.now_s()
        minimum_s = self._station.parameters.minimum_status_s
        if minimum_s > 0:
            self._cancel()
            self._timer = self._station.clock.call_later(minimum_s, self._lasted)
        else:
            self.tell()
        return True

    def tell(self, *, again: bool = False) -> None:
        """Tell the state if it was not told, or `again` in any case."""
        if again:
            self._told = None
        if self._told == (self.state, self.condition) or not self._station.online:
            return
        at_s = self._since_s or self._station.clock.now_s()
        request = self._station.wire.status(self.number, self.state, self.condition, at_s)
        self._told = (self.state, self.condition)
        if request is not None:
            self._station.outbox.post(request, self._answered)

    def forget(self) -> None:
        """The CSMS knows nothing any more."""
        self._told = None
        self._cancel()

    def _lasted(self) -> None:
        self._timer = None
        self.tell()

    def _answered(self, answer: Payload | OcppError) -> None:
        """Tell it again after the next connection where it did not arrive."""
        if isinstance(answer, OcppError):
            self._told = None

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
