"""What charge points say of themselves, and what is said of them: status, telemetry, health, alerts."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evcharging.domain.states import ChargePointState
from evcharging.messages.base import ConnectorId, CpId, Message, UtcTime

__all__ = [
    "SPEAKERS",
    "Alert",
    "ConnectorDetail",
    "Health",
    "Severity",
    "Status",
    "StatusDetail",
    "StatusSource",
    "Telemetry",
    "holder_of",
]

LONGEST_ID_TAG = 255
"""OCPP 1.6 stops at 20, 2.0.1 at 36, 2.1 at 255."""


class StatusSource(StrEnum):
    """Who says so."""

    ENGINE = "engine"
    OCPP = "ocpp"
    MQTT = "mqtt"
    CENTRAL = "central"


SPEAKERS = (StatusSource.ENGINE, StatusSource.OCPP)
"""Those that speak for a charge point themselves."""


def holder_of(source: str | None, state: ChargePointState) -> StatusSource | None:
    """Who has a charge point's id, by who spoke of it last and its state: an engine or a station; None: it is free.

    Who has it keeps it until it is DISCONNECTED, and nobody else speaks for that charge point meanwhile.
    """
    if state is ChargePointState.DISCONNECTED:
        return None
    return next((holder for holder in SPEAKERS if holder == source), None)


class ConnectorDetail(BaseModel):
    """How one connector stands at the moment of a status; 0 is the whole charge point.

    ``session_id`` is the session whose transaction is open on it, also while the charge point is out of reach;
    ``ocpp_status`` is the station's own word where it says more than ``state`` (``Reserved``, ``SuspendedEV``); of a
    connector that is ``Reserved``, ``id_tag`` is whom it is kept for, where that is known.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    connector_id: ConnectorId
    state: ChargePointState
    session_id: str | None = None
    ocpp_status: str | None = None
    id_tag: str | None = Field(default=None, max_length=LONGEST_ID_TAG)
    driver_id: str | None = None


class StatusDetail(BaseModel):
    """What a status carries beyond the state.

    A status that ends a session names the session's last interval and both register readings, so that the reader knows
    when it has seen every interval and can see a gap. ``administrative_stop`` says that STOPPED is to be returned to.

    A status of source ``ocpp`` carries more:

    - ``connectors``: every connector that was ever reported, 0 included, as each stands now. The topic is compacted by
      charge point, so the last record has to say everything. What the list says of a connector is its present state,
      also for the status's own ``connector_id``: where a transaction is delivered late, ``state`` and ``session_id`` of
      the status tell of the past and the list of now.
    - Of a session, at its beginning and at its end: ``id_tag`` as the station gave it, ``driver_id`` where it is known,
      ``transaction_id`` on the wire, ``started_at`` and (at the end) ``ended_at`` by the station's clock, which may lie
      long before ``ts``.
    - ``ocpp_version`` (``1.6``, ``2.0.1``, ``2.1``) and ``ocpp_status``, the connector's status in the standard's word.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    text: str | None = None
    last_seq: int | None = Field(default=None, ge=0)
    register_start_wh: float | None = Field(default=None, ge=0)
    register_end_wh: float | None = Field(default=None, ge=0)
    administrative_stop: bool | None = None
    fault_code: str | None = None
    id_tag: str | None = Field(default=None, max_length=LONGEST_ID_TAG)
    driver_id: str | None = None
    transaction_id: int | str | None = None
    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None
    ocpp_version: str | None = None
    ocpp_status: str | None = None
    connectors: tuple[ConnectorDetail, ...] | None = None


class Status(Message):
    """A state change of one connector (0: the whole charge point)."""

    cp_id: CpId
    connector_id: ConnectorId = 0
    state: ChargePointState
    previous_state: ChargePointState | None = None
    reason: str | None = None
    session_id: str | None = None
    source: StatusSource
    detail: StatusDetail | None = None

    @field_validator("detail", mode="before")
    @classmethod
    def _text_is_a_detail(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class Telemetry(Message):
    """One metered interval of a session.

    ``seq`` counts the session's intervals from 1 without gaps; ``register_wh`` is the charger's monotonic register at
    ``interval_end``; ``energy_wh`` is what flowed in the interval and equals ``solar_wh + grid_wh``. ``kwh`` and
    ``euros`` are running totals for display: Central prices the intervals itself. ``source`` says that a station behind
    the gateway metered it: its sessions may begin without Central, so an interval of one that Central does not know yet
    begins its record. ``id_tag`` is who began it, at the latest on the first interval.
    """

    cp_id: CpId
    connector_id: ConnectorId = 1
    session_id: str = Field(min_length=1)
    driver_id: str | None = None
    id_tag: str | None = Field(default=None, max_length=LONGEST_ID_TAG)
    source: StatusSource | None = None
    seq: int = Field(ge=1)
    interval_start: UtcTime
    interval_end: UtcTime
    register_wh: float = Field(ge=0)
    energy_wh: float = Field(ge=0)
    solar_wh: float = Field(default=0.0, ge=0)
    grid_wh: float = Field(default=0.0, ge=0)
    kw: float = Field(ge=0)
    kwh: float = Field(ge=0)
    euros: float = Field(ge=0)
    soc: float | None = Field(default=None, ge=0, le=1)
    amps: float | None = Field(default=None, ge=0)
    volts: float | None = Field(default=None, ge=0)
    temperature_c: float | None = None

    def body_id(self) -> str:
        """One id per interval of a session."""
        return f"{self.session_id}:{self.seq}"


class Health(Message):
    """What a monitor saw of a charge point at its last probe."""

    cp_id: CpId
    healthy: bool
    detail: str | None = None
    latency_ms: float | None = Field(default=None, ge=0)
    monitor_id: str | None = None


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Message):
    """Something an operator should look at."""

    alert_id: str = Field(min_length=1)
    cp_id: CpId
    kind: str
    severity: Severity
    detail: str | None = None
    detector: str | None = None
    started_at: UtcTime
    ended_at: UtcTime | None = None
    source: Literal["engine", "ocpp", "central"] | None = None

    def body_id(self) -> str:
        """The alert's own id."""
        return self.alert_id
