"""What an OCPP station is given and what it tells: its charger, clock, surroundings, listener, settings and records.

Everything here is a seam: the station core runs behind it, hosts and load runs stand in front of it. Nothing here does
anything, and nothing here knows a version of OCPP. The station itself is `evcharging.ocpp.station.station.Station`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, Protocol

from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.domain.levels import L2, ChargerSpec
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.domain.behaviour import BehaviourProfile

LOG_LINES_KEPT: Final = 50
"""Log lines a station keeps in memory, newest last."""


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Forget the call; after it was made this changes nothing."""


class StationClock(Protocol):
    """The time a station lives by: the wall clock, or one that is moved by hand or runs faster."""

    def now_s(self) -> float:
        """Return the time in Unix seconds."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds of this clock from now."""

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds of this clock."""


class Environment(Protocol):
    """What the surroundings of a station are now; read at every decision, never kept by the station."""

    @property
    def price(self) -> float:
        """Price of a kWh in `currency`."""

    @property
    def currency(self) -> str:
        """ISO 4217 code."""

    @property
    def hour(self) -> int:
        """Hour of the day, 0 to 23, by the site's clock."""

    @property
    def grid_load(self) -> float | None:
        """Load of the grid as a fraction, None where unknown."""

    @property
    def carbon_intensity(self) -> float | None:
        """Grams of CO2 a kWh, None where unknown."""

    @property
    def demand_response(self) -> bool | None:
        """Whether the grid asks for less now, None where unknown."""

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` at once after every change; return what ends that."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a charger outlet shows at one moment.

    Attributes:
        register_wh: The energy register; it never falls.
        amps, volts: Per phase.
        power_w: All phases.
        soc: Of the plugged vehicle as a fraction, None without one.
        limit_amps: The set point as it counts.
    """

    register_wh: float
    amps: float
    volts: float
    power_w: float
    soc: float | None
    temperature_c: float
    state: ChargerState
    fault: FaultCode
    limit_amps: float


class StationCharger(Protocol):
    """The power path of one connector. Commands take effect at the time of the last `advance`.

    A command that the charger cannot follow raises `evcharging.domain.charger_state.ChargerError`.
    """

    @property
    def spec(self) -> ChargerSpec:
        """The rating plate."""

    def plug(self, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable."""

    def unplug(self) -> None:
        """Take the cable out; a session that runs is over."""

    def set_limit_amps(self, amps: float) -> None:
        """Set the current on offer per phase."""

    def start(self) -> None:
        """Close the contactor for the plugged vehicle."""

    def stop(self) -> None:
        """Open the contactor; that vehicle's session is over."""

    def advance(self, now_s: float) -> Reading:
        """Bring the charger to `now_s` (Unix seconds, never earlier than the last) and read it."""

    def inject_fault(self, code: FaultCode) -> None:
        """Let the outlet fail with `code`."""

    def clear_fault(self) -> bool:
        """End an injected fault; return whether none is left."""

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` when the state changes by itself; a model that only moves in `advance` ignores it."""

    def close(self) -> None:
        """Let go of the hardware, if any; the station has ended."""


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
class ConnectorSnapshot:
    """One connector at one moment. `kw` is what flows, `register_wh` its meter."""

    connector_id: int
    state: ConnectorState
    kw: float
    register_wh: float
    soc: float | None
    limit_amps: float
    transaction: TransactionRecord | None


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


class StationListener(Protocol):
    """What a host hears from its stations; one listener serves all, so each call names the station. All cheap."""

    def log(self, station_id: str, line: str) -> None:
        """One log line, `[HH:MM:SS] message`."""

    def called(self, station_id: str, action: str, seconds: float | None, outcome: str) -> None:
        """A call ended: `outcome` is "ok", "timeout", "lost", "invalid" (answer), "unsendable" or the error code."""

    def connected(self, station_id: str) -> None:
        """Its socket is open."""

    def disconnected(self, station_id: str, reason: str) -> None:
        """Its socket is gone, or could not be opened."""

    def registered(self, station_id: str, status: str, seconds: float) -> None:
        """Its boot was answered with `status`, `seconds` after the socket opened."""

    def transaction_began(self, record: TransactionRecord) -> None:
        """Power may flow; the CSMS has perhaps not answered yet."""

    def transaction_ended(self, record: TransactionRecord) -> None:
        """It is over; `record.delivered` is still False."""

    def transaction_settled(self, record: TransactionRecord) -> None:
        """The CSMS answered its end (`delivered`), or the station gave up on it after all its attempts."""

    def message_dropped(self, station_id: str, action: str, reason: str) -> None:
        """A transaction message was given up after all its attempts."""

    def changed(self, station_id: str) -> None:
        """Its snapshot is another one now: a state, a sample, a policy decision."""


class QueueStore(Protocol):
    """Where transaction messages wait. Entries are JSON objects; the station calls this in order, one at a time."""

    def load(self) -> list[dict[str, Any]]:
        """Return what was kept, oldest first."""

    def append(self, entry: dict[str, Any]) -> None:
        """Keep `entry` behind the others. The same object is changed by the station until it is removed."""

    def update(self, entry: dict[str, Any]) -> None:
        """Keep the new contents of an entry appended before (same `key`)."""

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget an entry appended before (same `key`)."""

    def close(self) -> None:
        """Let go of the medium, keeping what is on it."""


class ClientSocket(Protocol):
    """An open websocket, station side."""

    @property
    def subprotocol(self) -> str | None:
        """What the CSMS chose."""

    def send(self, data: bytes) -> None:
        """Send one text message."""

    def ping(self) -> None:
        """Send a ping; a peer that is silent for long is dropped by the shell."""

    async def close(self, code: int = 1000) -> None:
        """Close with `code` and wait for the peer, for a short while."""

    def abort(self) -> None:
        """Drop the connection at once."""


class Dial(Protocol):
    """How a station opens its websocket; `evcharging.ocpp.websocket_client.dial`, or a loopback in tests."""

    async def __call__(
        self,
        url: str,
        *,
        subprotocols: Sequence[str],
        headers: Mapping[str, str],
        ssl_context: SSLContext | None,
        source_address: str | None,
        on_text: Callable[[bytes], None],
        on_closed: Callable[[str], None],
        max_frame_bytes: int,
        open_timeout_s: float,
    ) -> ClientSocket:
        """Open `url`, or raise OcppError or OSError. `on_closed` is called once, with the reason."""


class SendFilter(Protocol):
    """What may disturb the frames of a station on purpose (protocol faults); see `evcharging.ocpp.station.faults`."""

    def outgoing(self, data: bytes, send: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """Pass `data` on to `send` as it is, changed, later, twice or never; `drop` cuts the socket."""

    def incoming(self, data: bytes, receive: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """The same for what arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between attempts to connect: doubled each time up to the longest, less a random part up to `jitter`."""

    first_s: float = 1.0
    longest_s: float = 60.0
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSettings:
    """What makes one station.

    Attributes:
        csms_url: Without the station's id, such as `ws://127.0.0.1:9000/ocpp`.
        connectors: How many, numbered from 1.
        spec: Rating plate of each.
        profile: How it lives; None leaves plugging and presenting to the caller.
        password: For Basic authentication (security profiles 1 and 2), user name is the station's id.
        configuration: Values by the version's own key names, over the defaults; read-only ones too.
        grid_step_s: Grid of the charger model in s: what commands and ends of sessions are rounded to.
        watch_interval_s: How often a running session is looked at between meter samples, in s.
        register_wh: What the meters begin with, by connector from 1 on; shorter is filled with 0.
        resume: Transactions that another process left open.
        queue: Where transaction messages wait; None keeps them in memory.
        maintenance_step_s: How long each step of a firmware update or an upload takes, in s.
        reboot_s: How long the station is gone when it reboots, in s.
        faults: What disturbs its frames on purpose; None leaves them alone.
        validate: Whether its calls and the answers to them are held to the standard's schemas.
        boot_on_reconnect: Whether it boots on every connection; the standard wants it after a reboot only.
        vehicles_come: With a profile: whether a vehicle comes where a card or a remote start was accepted, and leaves
            when its session is over.
    """

    station_id: str
    csms_url: str
    version: OcppVersion = OcppVersion.V16
    connectors: int = 1
    spec: ChargerSpec = L2
    profile: "BehaviourProfile | None" = None
    password: str | None = field(default=None, repr=False)
    ssl_context: SSLContext | None = field(default=None, repr=False)
    source_address: str | None = None
    seed: int = 0
    vendor: str = "evcharging"
    model: str = "Simulated"
    serial_number: str | None = None
    firmware_version: str = "1.0.0"
    configuration: Mapping[str, str] = field(default_factory=dict)
    backoff: Backoff = Backoff()
    call_timeout_s: float = 30.0
    open_timeout_s: float = 30.0
    max_frame_bytes: int = 1 << 20
    grid_step_s: float = 0.1
    watch_interval_s: float = 5.0
    maintenance_step_s: float = 2.0
    reboot_s: float = 2.0
    register_wh: Sequence[float] = ()
    resume: Sequence[TransactionRecord] = ()
    queue: QueueStore | None = None
    faults: SendFilter | None = None
    validate: bool = True
    boot_on_reconnect: bool = False
    vehicles_come: bool = True


ChargerFactory = Callable[[int], StationCharger]
"""Makes the charger of a connector by its number."""


class StationControl(Protocol):
    """What a host holds of a station: `evcharging.ocpp.station.station.Station`.

    Made with `Station(settings, *, clock, environment, listener, dial, chargers: ChargerFactory | None = None)`.
    """

    @property
    def logs(self) -> tuple[str, ...]:
        """The last `LOG_LINES_KEPT` log lines, newest last."""

    async def run(self) -> None:
        """Live until stopped. Cancelled, the station is without power: nothing more is sent, its queue store stands."""

    async def stop(self, *, reason: str = "Local") -> None:
        """End transactions with `reason`, deliver what waits if there is a connection, close with 1001, end `run`."""

    def drop(self) -> None:
        """Cut the socket, as a broken network does."""

    def snapshot(self) -> StationSnapshot:
        """Return the station as it is now."""

    def plug_in(self, connector_id: int, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable. Raises ChargerError where one is there."""

    def unplug(self, connector_id: int) -> None:
        """Take the cable out, as the driver does."""

    async def present(self, id_tag: str, connector_id: int | None = None) -> bool:
        """Hold a card to the reader: it starts a session, or stops the one it began; return whether it was accepted."""

    def inject_fault(self, connector_id: int, code: FaultCode) -> None:
        """Let an outlet fail."""

    def clear_fault(self, connector_id: int) -> bool:
        """End an injected fault; return whether none is left."""

    def emergency_stop(self, connector_id: int) -> None:
        """Press the emergency button: the transaction ends with EmergencyStop."""
