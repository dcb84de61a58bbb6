"""What concerns a whole site, the swarm, tokens and raw OCPP frames."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from evcharging.domain.charging_profiles import ChargingProfile
from evcharging.domain.vehicle import Taper
from evcharging.messages.base import CpId, Message, UtcTime

__all__ = [
    "AuthToken",
    "OcppConfig",
    "OcppFrame",
    "SiteSignal",
    "StationVersion",
    "SwarmChargingProfile",
    "SwarmDesired",
    "SwarmHandover",
    "SwarmLocalList",
    "SwarmLog",
    "SwarmPolicy",
    "SwarmReservation",
    "SwarmStandingOrders",
    "SwarmState",
    "SwarmStatus",
    "SwarmTransaction",
    "SwarmVehicle",
    "TokenStatus",
]


class SiteSignal(Message):
    """Price, sun and limits that hold at a site from now on."""

    site_id: str = Field(min_length=1)
    price_per_kwh: float = Field(ge=0)
    solar_price_per_kwh: float | None = Field(default=None, ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    solar_kw: float | None = Field(default=None, ge=0)
    grid_limit_kw: float | None = Field(default=None, ge=0)
    carbon_g_per_kwh: float | None = Field(default=None, ge=0)
    simulated_time: UtcTime | None = None
    time_scale: float | None = Field(default=None, gt=0)


StationVersion: TypeAlias = Literal["1.6", "2.0.1"]
"""The versions of OCPP that a simulated station speaks."""


class SwarmDesired(Message):
    """What a simulated station is meant to be doing.

    ``csms_url`` is without the station's id. Without it, and without ``ocpp_version``, those of the worker hold.
    """

    station_id: CpId
    running: bool
    profile: str = "default"
    csms_url: str | None = None
    ocpp_version: StationVersion | None = None


class SwarmState(StrEnum):
    """What a simulated station is at, in the words that MQTT telemetry has for a charge point.

    ``stopped`` is a station that its worker does not run; every word but that and ``offline`` says that its CSMS has it
    on a socket.
    """

    STOPPED = "stopped"
    OFFLINE = "offline"
    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    FINISHING = "finishing"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class SwarmPolicy(BaseModel):
    """A station's last decision whether to charge, as the policy engine answered it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: str = Field(min_length=1, examples=["wait"])
    reason: str = Field(examples=["Price too high (24.50 > 20.00)"])


class SwarmVehicle(BaseModel):
    """The vehicle of a transaction that runs, with what its battery holds now (``soc``, a fraction)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    capacity_kwh: float = Field(gt=0)
    onboard_kw: float = Field(gt=0)
    dc_peak_kw: float = Field(gt=0)
    taper: Taper = Taper.TWO_STAGE
    soc: float = Field(ge=0, le=1)


class SwarmTransaction(BaseModel):
    """An open transaction, or one whose end is not delivered yet, as the next worker needs it to go on.

    Registers are of its connector, in whole Wh: at its beginning, and at its end or last sample. Without a ``vehicle``
    nobody can go on with it. ``leaves_at`` is when the driver ends it, where that is settled; at the register
    ``allowance_wh`` power is cut, the CSMS not having accepted the card.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    local_id: str = Field(min_length=1)
    connector_id: int = Field(ge=1)
    id_tag: str
    started_at: UtcTime
    meter_start_wh: int = Field(ge=0)
    meter_wh: int = Field(ge=0)
    transaction_id: int | str | None = None
    parent_id_tag: str | None = None
    reservation_id: int | None = None
    ended_at: UtcTime | None = None
    reason: str | None = None
    began_offline: bool = False
    remote_start_id: int | None = None
    next_event: int = Field(0, ge=0)
    vehicle: SwarmVehicle | None = None
    leaves_at: UtcTime | None = None
    allowance_wh: float | None = None
    stop_at_allowance: bool = False


class SwarmChargingProfile(BaseModel):
    """A charging profile that the CSMS installed, and the connector it is for; 0 is the whole station."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    connector_id: int = Field(ge=0)
    profile: ChargingProfile


class SwarmReservation(BaseModel):
    """A reservation that the CSMS made, and the connector it is for; 0 is any one of the station's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reservation_id: int
    connector_id: int = Field(ge=0)
    id_tag: str
    parent_id_tag: str | None = None
    expires_at: UtcTime


class SwarmLocalList(BaseModel):
    """A local authorization list; ``packed`` are its entries as JSON, deflated, in base64: each status carries them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = Field(ge=1)
    packed: str


class SwarmStandingOrders(BaseModel):
    """What the CSMS has set and a charger keeps without power, beside charging profiles; never a password.

    ``configuration`` is what it changed, by the names of the status's version. ``inoperative`` are connectors that it
    put out of service, or that will be when their transaction has ended; 0 is the whole station.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    configuration: dict[str, str] | None = None
    local_list: SwarmLocalList | None = None
    inoperative: tuple[int, ...] | None = None
    reservations: tuple[SwarmReservation, ...] | None = None
    firmware_version: str | None = None


class SwarmHandover(BaseModel):
    """What a worker leaves to whoever runs the station after it.

    ``term`` grows with each owner: of two statuses the one with the higher term counts, whichever came later.
    ``holder`` is one life of one worker; ``released`` says that it has let go, so that nobody has to wait for it.
    ``registers_wh`` are by connector, from 1 on. ``queue`` are transaction messages that the CSMS has not answered, as
    the station keeps them, spelt by ``ocpp_version``; of meter values only the newest. ``charging_profiles`` are those
    the CSMS installed, ``orders`` what else it has set; none for most stations.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    term: int = Field(ge=0)
    holder: str = Field(min_length=1)
    released: bool = False
    registers_wh: tuple[float, ...] = ()
    transactions: tuple[SwarmTransaction, ...] = ()
    queue: tuple[dict[str, Any], ...] = ()
    charging_profiles: tuple[SwarmChargingProfile, ...] = ()
    orders: SwarmStandingOrders | None = None
    ocpp_version: str = "1.6"


class SwarmStatus(Message):
    """What a simulated station does: said at each change, and while it charges every few seconds.

    ``kw`` is drawn now and ``kwh`` is the energy of the transaction that is open (or was the last), each summed over
    the connectors; ``register_wh`` is the station's meter, which only grows. ``transaction_id`` is of the lowest
    connector that has one. ``holds_s`` is how long this may be taken for the present: its worker says it again before
    that, and a station not heard of for longer is out of reach; none: it holds until the next. ``handover`` is for
    workers alone.
    """

    station_id: CpId
    state: SwarmState
    profile: str
    kw: float = Field(default=0.0, ge=0)
    kwh: float = Field(default=0.0, ge=0)
    register_wh: float = Field(default=0.0, ge=0)
    transaction_id: int | str | None = None
    policy: SwarmPolicy | None = None
    worker: str | None = None
    holds_s: float | None = Field(default=None, gt=0)
    handover: SwarmHandover | None = None


class SwarmLog(Message):
    """One line of a simulated station's log."""

    station_id: CpId
    line: str


class TokenStatus(StrEnum):
    """OCPP's AuthorizationStatus."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


class AuthToken(Message):
    """An idTag, what it may do and whose it is. ``deleted`` takes it out of every gateway's memory."""

    id_tag: str = Field(min_length=1, max_length=20)
    status: TokenStatus
    expires_at: UtcTime | None = None
    parent_id_tag: str | None = Field(default=None, max_length=20)
    driver_id: str | None = Field(default=None, max_length=64)
    deleted: bool = False


class OcppConfig(Message):
    """A station's registration: credentials (hashed), security profile, boot answer, configuration.

    ``old_password_holds``: the station was given its password over OCPP just now; the one before holds too, until the
    station has come with this one, and an hour at most. ``deleted``: there is none (any more). ``held_by_engine``: an
    engine runs the charge point of that id, so that no station may connect under it, registered or not.
    """

    cp_id: CpId
    password_hash: str | None = Field(default=None, repr=False)
    old_password_holds: bool = False
    security_profile: int = Field(default=0, ge=0, le=3)
    boot_status: Literal["Accepted", "Pending", "Rejected"] = "Accepted"
    heartbeat_interval_s: int | None = Field(default=None, ge=1)
    configuration: dict[str, str] | None = None
    deleted: bool = False
    held_by_engine: bool = False


class OcppFrame(Message):
    """One frame on a station's socket, as it was; ``frame`` is what its JSON said, which may be null."""

    cp_id: CpId
    direction: Literal["in", "out"]
    message_type: int | None = None
    action: str | None = None
    message_id: str | None = None
    frame: Any = None
