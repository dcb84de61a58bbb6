"""The stations of a load run as their settings: ids in order, one seed each, one wire each. It starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from ssl import SSLContext

from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.network_faults import FrameFaults, NetworkFaults
from evcharging.apps.load_run.station_wire import StationWire
from evcharging.apps.load_run.wire_tap import WireTap
from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.domain.levels import L2_THREE_PHASE, ChargerSpec
from evcharging.ocpp.station.faults import FaultPlan, FaultyFrames, Judgement
from evcharging.ocpp.station.interfaces import StationClock, StationSettings
from evcharging.ocpp.versions import OcppVersion

__all__ = ["Fleet", "FleetPlan", "with_intervals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What the stations of one group have in common.

    Attributes:
        csms_url: Without a station's id.
        id_prefix, first_number: `PY-SIM-` and 1 make `PY-SIM-0001`, `PY-SIM-0002`, ...
        profile: How they live; None leaves them to drivers.
        password: For Basic authentication, the same for all.
        source_address_for: The address to dial from.
        protocol: Faults of the protocol, None for none.
        network: Faults of the network, None for none.
        comes_back_s: How long a station that ends without a connection tries to come back with what it has kept.
        configuration: Values of configuration keys over the defaults.
        vehicles_come: Whether vehicles come by themselves, see `StationSettings`.
    """

    csms_url: str
    id_prefix: str
    first_number: int
    version: OcppVersion
    connectors: int
    profile: BehaviourProfile | None
    seed: int
    password: str | None = field(default=None, repr=False)
    ssl_context: SSLContext | None = field(default=None, repr=False)
    source_address_for: Callable[[str], str | None] | None = None
    spec: ChargerSpec = L2_THREE_PHASE
    call_timeout_s: float = 30.0
    comes_back_s: float = 30.0
    protocol: FaultPlan | None = None
    network: NetworkFaults | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    vehicles_come: bool = True


class Fleet:
    """Makes the settings of stations, by their rank from 0.

    Args:
        plan: What they have in common.
        clock: For what delays frames.
        ledger: Where their wires note acknowledgements.
        on_judgement: Told how the CSMS took each protocol fault.
    """

    def __init__(
        self,
        plan: FleetPlan,
        *,
        clock: StationClock,
        ledger: Ledger,
        on_judgement: Callable[[Judgement], None] | None = None,
    ) -> None:
        self.plan = plan
        self._clock = clock
        self._ledger = ledger
        self._on_judgement = on_judgement

    def station_id(self, rank: int) -> str:
        """The id of a station."""
        return f"{self.plan.id_prefix}{self.plan.first_number + rank:04d}"

    def settings(self, rank: int) -> StationSettings:
        """The settings of a station; the same rank and seed give the same station."""
        plan = self.plan
        station_id = self.station_id(rank)
        return StationSettings(
            station_id=station_id,
            csms_url=plan.csms_url,
            version=plan.version,
            connectors=plan.connectors,
            spec=plan.spec,
            profile=plan.profile,
            password=plan.password,
            ssl_context=plan.ssl_context,
            source_address=None if plan.source_address_for is None else plan.source_address_for(plan.csms_url),
            seed=plan.seed,
            configuration=plan.configuration,
            vehicles_come=plan.vehicles_come,
            call_timeout_s=plan.call_timeout_s,
            comes_back_s=plan.comes_back_s,
            faults=self._wire(station_id),
        )

    def _wire(self, station_id: str) -> StationWire:
        plan = self.plan
        protocol = None
        if plan.protocol is not None:
            protocol = FaultyFrames(
                plan.protocol,
                version=plan.version,
                seed=Random(f"{plan.seed}/{station_id}/protocol").getrandbits(64),
                call_later=self._clock.call_later,
                on_judgement=self._on_judgement,
            )
        return StationWire(
            WireTap(station_id, self._ledger),
            protocol=protocol,
            out=self._network(station_id, "out"),
            back=self._network(station_id, "back"),
        )

    def _network(self, station_id: str, direction: str) -> FrameFaults | None:
        if self.plan.network is None:
            return None
        generator = Random(f"{self.plan.seed}/{station_id}/{direction}")
        return FrameFaults(self.plan.network, clock=self._clock, generator=generator)


def with_intervals(
    profile: BehaviourProfile, *, meter_interval_s: float | None, heartbeat_interval_s: float | None
) -> BehaviourProfile:
    """The profile with other intervals; the power of its sessions stays, so a step carries more or less energy."""
    if meter_interval_s is not None:
        longer = meter_interval_s / profile.meter_interval_s
        step_wh = profile.energy_step_wh
        profile = replace(
            profile,
            meter_interval_s=meter_interval_s,
            energy_step_wh=Range(step_wh.least * longer, step_wh.most * longer),
        )
    return profile if heartbeat_interval_s is None else replace(profile, heartbeat_interval_s=heartbeat_interval_s)
