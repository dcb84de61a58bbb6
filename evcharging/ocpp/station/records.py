"""What is known of a station at one moment: transactions, orders and snapshots; plain values, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from evcharging.domain.authorization_store import NO_LIST, LocalList
from evcharging.domain.charging_profiles import Installed
from evcharging.domain.vehicle import VehicleSpec


@dataclass(slots=True)
class TransactionRecord:
    """One transaction as its station knows it; also what is needed to go on with it in another process.

    Attributes:
        local_id: Made by the station, unique within it; the transaction's name until the CSMS has given one.
        transaction_id: What the CSMS calls it; None until it has answered. In 2.0.1 always the same as `local_id`.
        connector_id: From 1.
        meter_start_wh, meter_wh: The register in whole Wh at the start, and at the end or last sample.
        started_at_s, ended_at_s: Unix seconds; `ended_at_s` is None while it runs.
        reason: The standard's stop reason, once it ended.
        delivered: Whether the CSMS has answered its end.
        remote_start_id: The request that began it, where there was one (2.0.1).
        next_event: The number of its next TransactionEvent (2.0.1).
    """

    station_id: str
    connector_id: int
    local_id: str
    id_tag: str
    started_at_s: float
    meter_start_wh: int
    meter_wh: int
    transaction_id: int | str | None = None
    parent_id_tag: str | None = None
    reservation_id: int | None = None
    ended_at_s: float | None = None
    reason: str | None = None
    began_offline: bool = False
    delivered: bool = False
    remote_start_id: int | None = None
    next_event: int = 0

    @property
    def energy_wh(self) -> int:
        """Energy of the transaction so far, in whole Wh: exactly the difference of the two registers."""
        return self.meter_wh - self.meter_start_wh


class ConnectorState(StrEnum):
    """The state walk of a connector, in the words of 1.6; 2.0.1 folds it into its own five."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


@dataclass(frozen=True, slots=True)
class StillThere:
    """What is at a connector with a transaction, beyond its record: with it another process can go on.

    Attributes:
        vehicle: As it arrived; `soc` is what its battery holds now, as a fraction.
        leaves_at_s: When its driver ends the session, in Unix seconds; None where that is not settled.
        allowance_wh: Register at which power is cut, the CSMS not having accepted the card; None for no such limit.
        stop_at_allowance: Whether the transaction also ends there.
    """

    vehicle: VehicleSpec
    soc: float
    leaves_at_s: float | None = None
    allowance_wh: float | None = None
    stop_at_allowance: bool = False


class HeldReservation(NamedTuple):
    """A reservation that holds until `expires_at_s` (Unix seconds); connector 0 stands for any one."""

    connector_id: int
    reservation_id: int
    id_tag: str
    parent_id_tag: str | None
    expires_at_s: float


@dataclass(frozen=True, slots=True)
class StandingOrders:
    """What the CSMS has set and a charger keeps without power; charging profiles are told apart from these.

    Attributes:
        configuration: What it changed, by the version's own names. Never a password.
        local_list: The local authorization list.
        inoperative: Connectors that it put out of service, or will be once nothing charges; 0 is the whole station.
        reservations: Those that hold.
        firmware_version: What it had installed; None where that is what the station was made with.
    """

    configuration: Mapping[str, str] = field(default_factory=dict)
    local_list: LocalList = NO_LIST
    inoperative: frozenset[int] = frozenset()
    reservations: tuple[HeldReservation, ...] = ()
    firmware_version: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorSnapshot:
    """One connector at one moment. `kw` is what flows, `register_wh` its meter."""

    connector_id: int
    state: ConnectorState
    kw: float
    register_wh: float
    soc: float | None
    limit_amps: float
    transaction: TransactionRecord | None
    still_there: StillThere | None = None


@dataclass(frozen=True, slots=True)
class StationSnapshot:
    """One station at one moment.

    Attributes:
        connected: Whether it has a socket; `registered` whether its boot was accepted on it.
        kw: All connectors together.
        session_kwh: Energy of the transactions that run now.
        delivered_kwh: Energy of all its transactions since it began, those that run included.
        register_wh: The registers of all connectors together.
        queued: Transaction messages still to be delivered.
        policy: The last decision of the policy engine and its reason, "" before the first.
        charging_profiles: What the CSMS has installed.
        orders: What else it has set; None where it never set anything, as for most stations.
    """

    station_id: str
    running: bool
    connected: bool
    registered: bool
    profile: str
    kw: float
    session_kwh: float
    delivered_kwh: float
    register_wh: float
    sessions: int
    queued: int
    reconnects: int
    policy: str
    connectors: tuple[ConnectorSnapshot, ...]
    charging_profiles: tuple[Installed, ...] = ()
    orders: StandingOrders | None = None
