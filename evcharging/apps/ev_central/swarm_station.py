"""What is known of one simulated station: what it is meant to do, what it says it does, the end of its log.

Pure: moments are passed in, nothing is published. A word that is older than the last one of the same worker does not
count, nor one of a worker whose term is over; between workers, whose clocks are never compared, the terms decide, and
without them the order of the log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from evcharging.domain.behaviour import BehaviourProfile
from evcharging.messages.network import StationVersion, SwarmDesired, SwarmPolicy, SwarmState, SwarmStatus

__all__ = ["LOG_LINES", "Desired", "LogTail", "PolicyRecord", "StationPicture", "StationRecord"]

LOG_LINES = 50
"""Lines kept in memory a station; the rest is in the history."""
LONGEST_LINE = 500
NOT_ONLINE = (SwarmState.STOPPED, SwarmState.OFFLINE)

Desired = tuple[bool, str, str | None, StationVersion | None]
"""Running or not, profile, URL of its CSMS, version of OCPP (None: the worker's own)."""


class PolicyRecord(TypedDict):
    """A station's last decision whether to charge."""

    action: Annotated[
        str, Field(description="`charge`, `wait` or `pause`; while it charges `continue` or `stop`", examples=["wait"])
    ]
    reason: Annotated[str, Field(examples=["Price too high (24.50 > 20.00)"])]


class StationRecord(TypedDict):
    """A simulated station now. The limits are those of its profile; null: none."""

    station_id: Annotated[str, Field(examples=["PY-SIM-0001"])]
    profile: Annotated[str, Field(examples=["default"])]
    status: Annotated[
        Literal["online", "stopped"], Field(description="`online`: it runs and its CSMS has it on a socket")
    ]
    usage_kw: Annotated[float, Field(description="power now, kW", examples=[7.36])]
    energy_kwh: Annotated[float, Field(description="of the session that runs, or ran last, kWh", examples=[12.5])]
    max_energy_kwh: Annotated[float | None, Field(description="cap on a session's energy, kWh", examples=[30.0])]
    charge_if_price_below: Annotated[float | None, Field(description="it charges at this price at most")]
    allow_peak_hours: Annotated[bool | None, Field(description="whether it charges in peak hours", examples=[True])]
    policy: Annotated[PolicyRecord | None, Field(description="its last decision; null before the first")]


class LogTail:
    """The last lines of a log, in little memory: ten thousand stations keep one each."""

    __slots__ = ("_count", "_text")

    def __init__(self) -> None:
        self._text = b""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, line: str) -> None:
        """Add a line and let the oldest go."""
        if self._count == LOG_LINES:
            self._text = self._text[self._text.index(b"\n") + 1 :]
        else:
            self._count += 1
        one_line = line[:LONGEST_LINE].replace("\n", " ")
        self._text += one_line.encode("utf-8", "replace") + b"\n"

    def lines(self) -> list[str]:
        """The lines, newest last."""
        return self._text.decode().split("\n")[:-1]


class StationPicture:
    """Everything `SwarmView` knows of one station."""

    __slots__ = (
        "_holds_until",
        "_policy",
        "_profile",
        "_said_at",
        "_term",
        "_worker",
        "desired",
        "kw",
        "kwh",
        "log",
        "register_wh",
        "said_desired",
        "state",
        "station_id",
        "text",
    )

    def __init__(self, station_id: str) -> None:
        self.station_id = station_id
        self.desired: Desired | None = None
        self.said_desired: Desired | None = None
        """What the topic says, which a database may know better."""
        self.state: SwarmState | None = None
        self.kw = 0.0
        self.kwh = 0.0
        self.register_wh = 0.0
        self.log: LogTail | None = None
        self.text: bytes | None = None
        """Its record as JSON, while that holds."""
        self._profile = ""
        self._policy: SwarmPolicy | None = None
        self._term = 0
        self._worker: str | None = None
        self._said_at: datetime | None = None
        self._holds_until: datetime | None = None

    @property
    def is_station(self) -> bool:
        """Whether more is known than lines of a log."""
        return self.desired is not None or self.state is not None

    @property
    def profile(self) -> str:
        """What it is meant to behave like."""
        return self.desired[1] if self.desired is not None else self._profile

    @property
    def online(self) -> bool:
        """Whether its CSMS has it on a socket, by its last word."""
        return self.state is not None and self.state not in NOT_ONLINE

    def apply_desired(self, desired: SwarmDesired) -> bool:
        """Take in what it is meant to do. False where that is known."""
        self.said_desired = (desired.running, desired.profile, desired.csms_url, desired.ocpp_version)
        return self.want(self.said_desired)

    @property
    def said_at(self) -> datetime | None:
        """When its worker last spoke of it."""
        return self._said_at

    def want(self, desired: Desired) -> bool:
        """As `apply_desired`, from a database."""
        if desired == self.desired:
            return False
        self.desired = desired
        return True

    def apply_status(self, status: SwarmStatus, received_at: datetime) -> bool:
        """Take in what it does. False where that is late or known."""
        moment = min(status.ts, received_at)
        if self._said_at is not None and status.worker == self._worker and moment < self._said_at:
            return False
        self.expire(received_at)
        term = self._term if status.handover is None else status.handover.term
        if term < self._term and self.online:  # a broker that has lost its topics begins its terms anew
            return False
        self._said_at, self._worker, self._term = moment, status.worker, term
        self._holds_until = None if status.holds_s is None else moment + timedelta(seconds=status.holds_s)
        before = (self.state, self._profile, self.kw, self.kwh, self.register_wh, self._policy)
        self.state, self._profile, self._policy = status.state, status.profile, status.policy
        self.kw, self.kwh, self.register_wh = status.kw, status.kwh, status.register_wh
        return before != (self.state, self._profile, self.kw, self.kwh, self.register_wh, self._policy)

    def expire(self, now: datetime) -> bool:
        """Take it for out of reach once its last word holds no longer. True where that is news."""
        if self._holds_until is None or self._holds_until > now:
            return False
        self._holds_until = None
        was_online = self.online
        if was_online:
            self.state = SwarmState.OFFLINE
        return was_online

    def record(self, profile: BehaviourProfile | None) -> StationRecord:
        """The station as ``GET /stations`` shows it."""
        policy = self._policy
        limits = None if profile is None or not profile.sessions else profile  # one without sessions has none
        return {
            "station_id": self.station_id,
            "profile": self.profile,
            "status": "online" if self.online else "stopped",
            "usage_kw": self.kw if self.online else 0.0,
            "energy_kwh": self.kwh,
            "max_energy_kwh": None if limits is None else limits.max_energy_kwh,
            "charge_if_price_below": None if limits is None else limits.charge_if_price_below,
            "allow_peak_hours": None if limits is None else limits.allow_peak_hours,
            "policy": None if policy is None else {"action": policy.action, "reason": policy.reason},
        }
