"""A station at one moment, for whoever shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station.interfaces import ConnectorSnapshot, StationSnapshot, StillThere
from evcharging.ocpp.station.standing_orders import orders_of

if TYPE_CHECKING:
    from evcharging.ocpp.station.connector import Connector
    from evcharging.ocpp.station.station import Station

_PER_KILO: Final = 1000.0


def snapshot_of(station: Station) -> StationSnapshot:
    """Return the station as its meters were last read; nothing moves by looking."""
    connectors = tuple(_connector(connector) for connector in station.connectors)
    session_wh = sum(one.transaction.energy_wh for one in connectors if one.transaction is not None)
    decision = None if station.life is None else station.life.decision
    profile = station.settings.profile
    return StationSnapshot(
        station_id=station.settings.station_id,
        running=station.running,
        connected=station.link.connected,
        registered=station.online,
        profile="" if profile is None else profile.name,
        kw=sum(one.kw for one in connectors),
        session_kwh=session_wh / _PER_KILO,
        delivered_kwh=(station.charging.delivered_wh + session_wh) / _PER_KILO,
        register_wh=sum(one.register_wh for one in connectors),
        sessions=station.charging.sessions,
        queued=station.outbox.kept,
        reconnects=max(0, station.link.reconnects),
        policy="" if decision is None else f"{decision.action.value}: {decision.reason}",
        connectors=connectors,
        charging_profiles=station.profiles.installed,
        orders=orders_of(station),
    )


def _connector(connector: Connector) -> ConnectorSnapshot:
    reading = connector.reading
    return ConnectorSnapshot(
        connector_id=connector.number,
        state=connector.state,
        kw=reading.power_w / _PER_KILO,
        register_wh=reading.register_wh,
        soc=reading.soc,
        limit_amps=reading.limit_amps,
        transaction=None if connector.transaction is None else connector.transaction.record,
        still_there=_still_there(connector),
    )


def _still_there(connector: Connector) -> StillThere | None:
    transaction, vehicle, soc = connector.transaction, connector.vehicle, connector.reading.soc
    if transaction is None or vehicle is None or soc is None:
        return None
    return StillThere(vehicle, soc, transaction.leaves_at_s, transaction.allowance_wh, transaction.stop_at_allowance)
