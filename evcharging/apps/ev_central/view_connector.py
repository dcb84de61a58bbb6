"""What is known of one connector of a charge point: the last word on it, and the last of each source."""

from __future__ import annotations

from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import ConnectorDetail, Status, StatusSource

__all__ = ["ConnectorPicture"]


class ConnectorPicture:
    """One connector; 0 stands for the whole charge point."""

    __slots__ = ("last", "said", "state")

    def __init__(self, state: ChargePointState) -> None:
        self.state = state
        self.last: Status | None = None
        self.said: dict[StatusSource, Status] = {}

    def say(self, status: Status) -> None:
        """Take the last word on it."""
        self.said[status.source] = status
        self.last = status
        self.state = status.state

    @property
    def is_faulted_by_central(self) -> bool:
        """Whether a monitor's word stands, which a station's list of its connectors does not take back."""
        told = None if self.last is None else (self.last.source, self.last.state)
        return told == (StatusSource.CENTRAL, ChargePointState.FAULT)

    def is_as(self, entry: ConnectorDetail) -> bool:
        """Whether the last word on it is what a station's list says."""
        return self.last is not None and (self.last.state, self.last.session_id) == (entry.state, entry.session_id)
