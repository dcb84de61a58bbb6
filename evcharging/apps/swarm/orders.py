"""What the CSMS has set at a station, as a worker says it on the log and the next one takes it up.

Each status of a station says all of it, so it is made once a change: of a local list that is the dear part, and the
list is packed, as it may have thousands of entries and goes out every few seconds. No clock, no input or output.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog

from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import NO_LIST, LocalList
from evcharging.messages.network import SwarmLocalList, SwarmReservation, SwarmStandingOrders
from evcharging.ocpp.station.interfaces import HeldReservation, StandingOrders

__all__ = ["PACKED_AT_MOST", "OrdersSaid", "orders_of", "said_of"]

log = structlog.get_logger()

PACKED_AT_MOST: Final = 640 * 1024
"""Characters of a packed list: the record with the rest of the status stays below the 900 kB that the bus takes."""
UNPACKED_AT_MOST: Final = 8 * 1024 * 1024


class OrdersSaid:
    """What is said of the orders of a worker's stations, made anew only where they have changed."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[StandingOrders, SwarmStandingOrders]] = {}

    def of(self, station_id: str, orders: StandingOrders) -> SwarmStandingOrders:
        """What is to be said of ``orders``, which are the station's now."""
        known = self._said.get(station_id)
        if known is None or known[0] != orders:
            known = self._said[station_id] = orders, said_of(orders)
            if orders.local_list is not NO_LIST and known[1].local_list is None:
                entries = len(orders.local_list.entries)
                log.warning("a local list is too long for the log", station_id=station_id, entries=entries)
        return known[1]

    def forget(self, station_id: str) -> None:
        """The station is no longer this worker's."""
        self._said.pop(station_id, None)


def said_of(orders: StandingOrders) -> SwarmStandingOrders:
    """What is said of ``orders``; a list that is too long for a record is left out, as if none had been sent."""
    return SwarmStandingOrders(
        configuration=dict(orders.configuration) or None,
        local_list=_packed(orders.local_list),
        inoperative=tuple(sorted(orders.inoperative)) or None,
        reservations=tuple(map(_reservation, orders.reservations)) or None,
        firmware_version=orders.firmware_version,
    )


def orders_of(said: SwarmStandingOrders | None) -> StandingOrders | None:
    """What was said, for a station to take up; a list that cannot be read is none."""
    if said is None:
        return None
    return StandingOrders(
        configuration=said.configuration or {},
        local_list=NO_LIST if said.local_list is None else _unpacked(said.local_list),
        inoperative=frozenset(said.inoperative or ()),
        reservations=tuple(
            HeldReservation(
                one.connector_id, one.reservation_id, one.id_tag, one.parent_id_tag, one.expires_at.timestamp()
            )
            for one in said.reservations or ()
        ),
        firmware_version=said.firmware_version,
    )


def _reservation(held: HeldReservation) -> SwarmReservation:
    return SwarmReservation(
        reservation_id=held.reservation_id,
        connector_id=held.connector_id,
        id_tag=held.id_tag,
        parent_id_tag=held.parent_id_tag,
        expires_at=datetime.fromtimestamp(held.expires_at_s, UTC),
    )


def _packed(local_list: LocalList) -> SwarmLocalList | None:
    if not local_list.entries:
        return None
    entries = [(id_tag, *info) for id_tag, info in local_list.entries.items()]
    packed = base64.b64encode(zlib.compress(orjson.dumps(entries))).decode("ascii")
    if len(packed) > PACKED_AT_MOST:
        return None
    return SwarmLocalList(version=local_list.version, packed=packed)


def _unpacked(said: SwarmLocalList) -> LocalList:
    try:
        inflating = zlib.decompressobj()
        body = inflating.decompress(base64.b64decode(said.packed, validate=True), UNPACKED_AT_MOST)
        entries: Any = orjson.loads(body)
        return LocalList(
            said.version,
            {
                str(id_tag): IdTagInfo(AuthStatus(status), expires_at_s, parent_id_tag)
                for id_tag, status, expires_at_s, parent_id_tag in entries
            },
        )
    except (binascii.Error, zlib.error, ValueError, TypeError) as error:
        log.warning("a local list on the log cannot be read; the station has none", reason=repr(error))
        return NO_LIST
