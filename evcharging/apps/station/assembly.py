"""What a station is made of, from its settings: behaviour, TLS, queue, faults. What does not serve is a UsageError."""

from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLContext

from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.station.can_charger import CanCharger
from evcharging.apps.station.memory import BadMemory, StationMemory
from evcharging.apps.station.settings import BY_HAND, StationAppSettings
from evcharging.apps.station.terminal import Terminal
from evcharging.domain.behaviour import BehaviourProfile, ProfileError, UnknownProfile, profile_named
from evcharging.ocpp.client_tls import BadTlsFile, client_tls
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.fault_kinds import FaultPlan
from evcharging.ocpp.station.faults import FaultyFrames
from evcharging.ocpp.station.interfaces import (
    EVENTS_UNTOLD_AT_MOST,
    ChargerFactory,
    QueueStore,
    StationSettings,
    TransactionRecord,
)
from evcharging.ocpp.station.queue_file import QueueFile, QueueFileError
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.websocket_client import dial

__all__ = [
    "left_open",
    "make_station",
    "memory_of",
    "profile_of",
    "queue_of",
    "registers_of",
    "station_settings",
    "tls_of",
]


def make_station(
    settings: StationSettings,
    *,
    clock: LoopClock,
    environment: SharedEnvironment,
    listener: Terminal,
    chargers: ChargerFactory,
) -> Station:
    """The station. Raises UsageError for configuration that it does not have."""
    try:
        return Station(settings, clock=clock, environment=environment, listener=listener, dial=dial, chargers=chargers)
    except ValueError as error:
        raise UsageError(f"--configuration {error}") from None


def station_settings(
    settings: StationAppSettings,
    profile: BehaviourProfile | None,
    tls: SSLContext | None,
    queue: QueueStore | None,
    clock: LoopClock,
    terminal: Terminal,
    left: Sequence[TransactionRecord],
) -> StationSettings:
    """What the core is told."""
    plan = FaultPlan.parse(settings.faults)
    faults = FaultyFrames(
        plan,
        version=settings.ocpp_version,
        seed=settings.seed,
        call_later=clock.call_later,
        on_fault=lambda kind: terminal.fault(settings.id, kind),
        on_judgement=lambda judgement: terminal.judged(settings.id, judgement),
    )
    return StationSettings(
        station_id=settings.id,
        csms_url=settings.csms_url,
        version=settings.ocpp_version,
        connectors=settings.connectors,
        spec=settings.spec,
        profile=profile,
        password=None if settings.password is None else settings.password.get_secret_value(),
        ssl_context=tls,
        seed=settings.seed,
        configuration=settings.configured,
        queue=queue,
        resume=left,
        faults=faults if plan.rates else None,
        vehicles_come=profile is not None,
        watch_interval_s=1.0,
    )


def profile_of(settings: StationAppSettings) -> BehaviourProfile | None:
    """How it lives, None: by hand. Raises UsageError."""
    if settings.profile == BY_HAND:
        return None
    try:
        return profile_named(load_profiles(settings.profiles_dir), settings.profile)
    except (ProfileError, UnknownProfile) as error:
        raise UsageError(f"--profile {settings.profile}: {error}") from None


def tls_of(settings: StationAppSettings) -> SSLContext | None:
    """Its TLS, None without. Raises UsageError."""
    if not settings.csms_url.startswith("wss:"):
        if settings.ca or settings.client_cert or settings.client_key:
            raise UsageError(f"--ca, --client-cert and --client-key are for wss://; got --csms-url {settings.csms_url}")
        return None
    try:
        return client_tls(ca_file=settings.ca, cert_file=settings.client_cert, key_file=settings.client_key)
    except BadTlsFile as error:
        raise UsageError(f"--ca, --client-cert or --client-key: {error}") from None


def queue_of(settings: StationAppSettings) -> QueueStore | None:
    """Where its messages wait, None: in memory. Raises UsageError."""
    if settings.queue_file is None:
        return None
    try:
        return QueueFile(settings.queue_file, sync=True)
    except QueueFileError as error:
        raise UsageError(f"--queue-file {error}") from None
    except OSError as error:
        raise UsageError(f"--queue-file {settings.queue_file}: cannot be used ({error.strerror})") from None


def memory_of(settings: StationAppSettings) -> StationMemory | None:
    """Beside the queue file, what has to be known again together with it. Raises UsageError."""
    if settings.queue_file is None:
        return None
    try:
        return StationMemory(settings.queue_file.with_name(settings.queue_file.name + ".open"), settings.id)
    except BadMemory as error:
        raise UsageError(f"--queue-file: {error}") from None


def registers_of(memory: StationMemory | None, connectors: int) -> list[float]:
    """What the meters of chargers of this process begin with."""
    known = () if memory is None else memory.registers_wh
    return [known[number] if number < len(known) else 0.0 for number in range(connectors)]


def left_open(memory: StationMemory, chargers: Sequence[CanCharger]) -> tuple[TransactionRecord, ...]:
    """The transactions that a kill left open, with the energy until the charger stopped."""
    for record in memory.transactions:
        if record.ended_at_s is None and record.connector_id <= len(chargers):
            register_wh = chargers[record.connector_id - 1].advance(0.0).register_wh
            record.meter_wh = max(record.meter_wh, int(register_wh))
            record.next_event += EVENTS_UNTOLD_AT_MOST if record.next_event else 0
    return memory.transactions
