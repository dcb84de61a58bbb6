"""What Central refuses, arranged by what the caller should do.

::

    CentralError
    ├── NotFound             look for what there is
    │   ├── UnknownChargePoint
    │   └── UnknownSession
    ├── StateForbids         wait, or change the state first
    └── InvalidPricing       send other values

`evcharging.store.database.DatabaseUnavailable` passes through: try again later.
"""

from __future__ import annotations

from evcharging.domain.states import ChargePointState

__all__ = ["CentralError", "InvalidPricing", "NotFound", "StateForbids", "UnknownChargePoint", "UnknownSession"]


class CentralError(Exception):
    """The base of everything Central refuses."""


class NotFound(CentralError):
    """There is nothing of that name."""


class UnknownChargePoint(NotFound):
    """No charge point of that id was ever registered or heard of."""

    def __init__(self, cp_id: str) -> None:
        super().__init__(f"no charge point {cp_id!r} is known; GET /cp lists those there are")
        self.cp_id = cp_id


class UnknownSession(NotFound):
    """No session of that id."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r}; GET /api/v1/sessions lists those there are")
        self.session_id = session_id


class StateForbids(CentralError):
    """The charge point's state does not allow what was asked."""

    def __init__(self, cp_id: str, state: ChargePointState, wanted: str, *, why: str = "") -> None:
        super().__init__(f"{cp_id} is {state.value}: cannot {wanted}{f' ({why})' if why else ''}")
        self.cp_id = cp_id
        self.state = state
        self.wanted = wanted


class InvalidPricing(CentralError):
    """A price or a currency that cannot be charged."""
