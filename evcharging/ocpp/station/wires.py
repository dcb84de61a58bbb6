"""Which wire a station speaks: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station.v16.wire import WireV16
from evcharging.ocpp.station.v201.wire import WireV201
from evcharging.ocpp.versions import OcppVersion

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station
    from evcharging.ocpp.station.wire import Wire

WIRES: Final[dict[OcppVersion, Callable[[Station], Wire]]] = {
    OcppVersion.V16: WireV16,
    OcppVersion.V201: WireV201,
}
"""Makes the wire of a station, by version."""


def wire_for(station: Station) -> Wire:
    """Return a station's wire. Raises ValueError for a version that stations do not speak."""
    version = station.settings.version
    try:
        make = WIRES[version]
    except KeyError:
        raise ValueError(f"stations speak OCPP {', '.join(WIRES)}, not {version}") from None
    return make(station)
