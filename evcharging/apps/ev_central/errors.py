"""What Central refuses, arranged by what the caller should do.

::

    CentralError
    ├── NotFound             look for what there is
    │   ├── UnknownChargePoint
    │   ├── UnknownSession
    │   └── UnknownStation
    ├── StateForbids         wait, or change the state first
    ├── IdTaken              choose another id
    ├── InvalidPricing       send other values
    └── TooManyStations      ask for fewer, or raise the bound

`evcharging.store.database.DatabaseUnavailable` passes through: try again later.
"""

from __future__ import annotations

from evcharging.domain.states import ChargePointState

__all__ = [
    "CentralError",
    "IdTaken",
    "InvalidPricing",
    "NotFound",
    "StateForbids",
    "TooManyStations",
    "UnknownChargePoint",
    "UnknownSession",
    "UnknownStation",
]


CONNECT_FIRST = "its engine has to be started, or its station has to connect to the gateway, first"


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


class UnknownStation(NotFound):
    """No simulated station of that id was ever started, nor heard of."""

    def __init__(self, station_id: str) -> None:
        super().__init__(f"no station {station_id!r}; GET /stations lists those there are")
        self.station_id = station_id


class StateForbids(CentralError):
    """The charge point's state does not allow what was asked."""

    def __init__(self, cp_id: str, state: ChargePointState, wanted: str, *, why: str = "") -> None:
        remedy = "" if state is not ChargePointState.DISCONNECTED else f"; {CONNECT_FIRST}"
        super().__init__(f"{cp_id} is {state.value}: cannot {wanted}{f' ({why})' if why else ''}{remedy}")
        self.cp_id = cp_id
        self.state = state
        self.wanted = wanted


class IdTaken(CentralError):
    """The id of a charge point that an engine runs: a station of that name would speak over it."""

    def __init__(self, cp_id: str) -> None:
        super().__init__(
            f"{cp_id} is a charge point that an engine runs; give the station another id, or end its engine first"
        )
        self.cp_id = cp_id


class InvalidPricing(CentralError):
    """A price or a currency that cannot be charged."""


class TooManyStations(CentralError):
    """More simulated stations than this swarm is allowed to have."""

    def __init__(self, wanted: int, most: int) -> None:
        super().__init__(
            f"{wanted} stations are more than the {most} that may run; ask for fewer, "
            "or raise --swarm-most-stations (CENTRAL_SWARM_MOST_STATIONS)"
        )
        self.wanted = wanted
        self.most = most
