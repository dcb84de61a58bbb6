"""Makes the plan of a run from its settings: profiles and certificates read, faults parsed, names checked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ssl import SSLContext

from evcharging.apps.load_run.drivers import Drivers
from evcharging.apps.load_run.fleet import FleetPlan, with_intervals
from evcharging.apps.load_run.outcome import PROTOCOL_FAULTS
from evcharging.apps.load_run.quantities import told_duration
from evcharging.apps.load_run.run import RunPlan
from evcharging.apps.load_run.settings import LoadRunSettings
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.errors import UsageError
from evcharging.domain.behaviour import BehaviourProfile, ProfileError, UnknownProfile, profile_named
from evcharging.ocpp.client_tls import BadTlsFile, client_tls
from evcharging.ocpp.station.dialing import SourceAddresses
from evcharging.ocpp.versions import OcppVersion

__all__ = ["plan_of"]

_BACKGROUND_PREFIX = "BG-"


def plan_of(settings: LoadRunSettings) -> RunPlan:
    """Return the plan.

    Raises:
        UsageError: a profile, a certificate, a shape, a threshold or a fault cannot be used; one line that names it.
    """
    profile, background_profile = _profiles(settings)
    addresses = SourceAddresses()
    shape = settings.stages
    measured = FleetPlan(
        csms_url=settings.csms_url,
        id_prefix=settings.id_prefix,
        first_number=settings.first_number,
        version=OcppVersion(settings.version),
        connectors=settings.connectors,
        profile=profile,
        seed=settings.seed,
        password=None if settings.password is None else settings.password.get_secret_value(),
        ssl_context=_tls(settings),
        source_address_for=addresses.address_for,
        call_timeout_s=settings.call_timeout,
        comes_back_s=settings.settle,
        protocol=settings.protocol_faults,
        network=settings.network_faults,
    )
    drivers = None
    if settings.drivers:
        measured = replace(measured, profile=replace(profile, sessions=False), vehicles_come=False)
        drivers = partial(
            Drivers,
            stations=shape.most_stations,
            connectors=settings.connectors,
            mixture=settings.drivers,
            per_connector=settings.drivers_per_station,
            start_hour=settings.start_hour,
            scale=settings.time_scale,
            id_tags=profile.id_tags,
            seed=settings.seed,
        )
    background = replace(
        measured,
        id_prefix=_BACKGROUND_PREFIX + settings.id_prefix,
        profile=background_profile,
        vehicles_come=True,
        protocol=None,
        network=None,
    )
    return RunPlan(
        title=f"{shape.most_stations:,} stations, {shape.name}",
        told=_told(settings),
        shape=shape,
        measured=measured,
        thresholds=tuple(settings.thresholds),
        heartbeat_interval_s=settings.heartbeat_interval,
        background=background if settings.background else None,
        background_count=settings.background,
        drivers=drivers,
        settle_s=settings.settle,
        stop_within_s=settings.call_timeout + 10.0,
    )


def _profiles(settings: LoadRunSettings) -> tuple[BehaviourProfile, BehaviourProfile]:
    try:
        profiles = load_profiles(settings.profiles_dir)
        found = [profile_named(profiles, name) for name in (settings.profile, settings.background_profile)]
    except ProfileError as error:
        raise UsageError(f"--profiles-dir: {error}") from None
    except UnknownProfile as error:
        flag = "--profile" if error.name == settings.profile else "--background-profile"
        raise UsageError(f"{flag}: {error}") from None
    own, background = (
        with_intervals(
            profile, meter_interval_s=settings.meter_interval, heartbeat_interval_s=settings.heartbeat_interval
        )
        for profile in found
    )
    return own, background


def _tls(settings: LoadRunSettings) -> SSLContext | None:
    if not settings.csms_url.startswith("wss://"):
        if settings.ca or settings.client_cert or settings.client_key:
            raise UsageError(f"--ca, --client-cert, --client-key: they are for wss://, not for {settings.csms_url}")
        return None
    try:
        return client_tls(ca_file=settings.ca, cert_file=settings.client_cert, key_file=settings.client_key)
    except BadTlsFile as error:
        raise UsageError(f"--ca, --client-cert, --client-key: {error}") from None


def _told(settings: LoadRunSettings) -> dict[str, str]:
    """What was asked for; whether there is a password, never which."""
    shape = settings.stages
    told = {
        "CSMS": settings.csms_url,
        "stations": f"{shape.most_stations:,}, {settings.connectors} connector(s) each",
        "shape": f"{shape.name}, {told_duration(shape.duration_s)}",
        "profile": settings.profile,
        "seed": str(settings.seed),
        "password": "given" if settings.password is not None else "none",
        "call timeout": told_duration(settings.call_timeout),
    }
    optional = {
        "drivers": settings.drivers
        and f"{settings.drivers}, {settings.drivers_per_station:g} a day for each connector",
        "background": settings.background and f"{settings.background:,} stations, {settings.background_profile}",
        "meter interval": settings.meter_interval and told_duration(settings.meter_interval),
        "heartbeat interval": settings.heartbeat_interval and told_duration(settings.heartbeat_interval),
        "network": settings.network,
        PROTOCOL_FAULTS: settings.faults,
    }
    return told | {name: str(value) for name, value in optional.items() if value}
