"""What the CSMS has set at a station and a charger keeps without power: read for whoever runs it next, and put back.

Configuration and the local list are in force from the beginning, see the wires and the station; what depends on what
runs, such as a connector that is out of service once its transaction has ended, follows when that is known again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.domain.authorization_store import NO_LIST
from evcharging.ocpp.station.interfaces import StandingOrders

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["orders_of", "put_back"]


def orders_of(station: Station) -> StandingOrders | None:
    """What the CSMS has set at the station; None where that is nothing."""
    configuration, withdrawn = station.configured, station.availability.withdrawn
    local_list, reservations = station.authorization.local_list, station.reservations.held()
    updated = station.firmware_version != station.settings.firmware_version
    if not (configuration or withdrawn or reservations or updated or local_list is not NO_LIST):
        return None
    firmware_version = station.firmware_version if updated else None
    return StandingOrders(configuration, local_list, withdrawn, reservations, firmware_version)


def put_back(station: Station) -> None:
    """Put out of service and reserve what was so before; transactions that go on must do so already."""
    orders = station.settings.orders
    if orders is not None:
        station.availability.withdraw_again(orders.inoperative)
        station.reservations.hold_again(orders.reservations)
