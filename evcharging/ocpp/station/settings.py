"""What makes one station. Made once, shared by nobody, never changed: what changes is in `parameters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TYPE_CHECKING

from evcharging.domain.behaviour import BehaviourProfile
from evcharging.domain.charging_profiles import Installed
from evcharging.domain.levels import L2, ChargerSpec
from evcharging.ocpp.station.records import StandingOrders, StillThere, TransactionRecord
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.ocpp.station.interfaces import QueueStore, SendFilter


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
        still_there: Of those, by local id, what lets them go on; the others end with PowerLoss.
        charging_profiles: What the CSMS had installed before.
        orders: What else it had set.
        queue: Where transaction messages wait; None keeps them in memory.
        maintenance_step_s: How long each step of a firmware update or an upload takes, in s.
        reboot_s: How long the station is gone when it reboots, in s.
        faults: What disturbs its frames on purpose; None leaves them alone.
        validate: Whether its calls and the answers to them are held to the standard's schemas.
        comes_back_s: Told to stop without a connection: how long it tries to come back with what it has kept, in s,
            each time it loses one; 0 ends it at once.
        boot_on_reconnect: Whether it boots on every connection; the standard wants it after a reboot only.
        vehicles_come: With a profile: whether a vehicle comes where a card or a remote start was accepted, and leaves
            when its session is over.
    """

    station_id: str
    csms_url: str
    version: OcppVersion = OcppVersion.V16
    connectors: int = 1
    spec: ChargerSpec = L2
    profile: BehaviourProfile | None = None
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
    still_there: Mapping[str, StillThere] = field(default_factory=dict)
    charging_profiles: Sequence[Installed] = ()
    orders: StandingOrders | None = None
    queue: QueueStore | None = None
    faults: SendFilter | None = None
    validate: bool = True
    comes_back_s: float = 0.0
    boot_on_reconnect: bool = False
    vehicles_come: bool = True
