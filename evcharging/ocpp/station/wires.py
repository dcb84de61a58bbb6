"""Which wire a station speaks: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station.v16 import wire as v16
from evcharging.ocpp.station.v201 import wire as v201
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station
    from evcharging.ocpp.station.wire import Wire

WIRES: Final[dict[OcppVersion, Callable[[Station], Wire]]] = {
    OcppVersion.V16: v16.WireV16,
    OcppVersion.V201: v201.WireV201,
}
"""Makes the wire of a station, by version."""
_ACTIONS_SENT: Final = {OcppVersion.V16: v16.ACTIONS_SENT, OcppVersion.V201: v201.ACTIONS_SENT}


def wire_for(station: Station) -> Wire:
    """Return a station's wire. Raises ValueError for a version that stations do not speak."""
    version = station.settings.version
    try:
        make = WIRES[version]
    except KeyError:
        raise ValueError(f"stations speak OCPP {', '.join(WIRES)}, not {version}") from None
    return make(station)


def actions_sent(version: OcppVersion) -> frozenset[str]:
    """Return every action that stations of `version` call; ever, not necessarily in each life."""
    return _ACTIONS_SENT[version]
