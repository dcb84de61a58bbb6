"""Sessions begun, ended and let go from afar: RemoteStartTransaction, RemoteStopTransaction, UnlockConnector."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charging_profile_wire import profile_from_v16
from evcharging.domain.charging_schedules import ChargingProfile, ProfileRejected, Purpose
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.connector import Connector

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

_ACCEPTED: Final[Payload] = {"status": "Accepted"}
_REJECTED: Final[Payload] = {"status": "Rejected"}


class Remote:
    """What a CSMS does to the sessions of one station."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def start(self, payload: Payload) -> Payload | Awaitable[Payload]:
        """Begin a session, or wait for its vehicle; with AuthorizeRemoteTxRequests the card is asked about after."""
        station = self._station
        id_tag, connector_id = payload["idTag"], payload.get("connectorId")
        connector = station.arrivals.choose(id_tag, connector_id)
        if connector is None or not station.registration.accepted or station.rebooting.under_way or station.stopping:
            return _REJECTED
        if station.arrivals.barred_by_policy() is not None:
            return _REJECTED
        profile = None
        if "chargingProfile" in payload:
            try:
                profile = profile_from_v16(payload["chargingProfile"])
                station.power.check_for_start(connector, profile)
            except ProfileRejected:
                return _REJECTED
            if profile.purpose is not Purpose.TX or profile.transaction_id is not None:
                return _REJECTED
        station.spawn(self._begin(connector, id_tag, profile))
        return _ACCEPTED

    def stop(self, payload: Payload) -> Payload:
        """End a transaction that runs here."""
        for connector in self._station.connectors:
            running = connector.transaction
            if running is not None and running.record.transaction_id == payload["transactionId"]:
                self._station.charging.end(connector, "Remote")
                return _ACCEPTED
        return _REJECTED

    def unlock(self, payload: Payload) -> Payload:
        """Unlock a connector; a transaction there ends first."""
        connector = self._station.connector(payload["connectorId"])
        if connector is None:
            return {"status": "NotSupported"}
        if connector.read().fault is FaultCode.CONTACTOR_WELDED:
            return {"status": "UnlockFailed"}
        self._station.charging.end(connector, "UnlockCommand")
        self._station.arrivals.unlock(connector)
        return {"status": "Unlocked"}

    async def _begin(self, connector: Connector, id_tag: str, profile: ChargingProfile | None) -> None:
        station = self._station
        info = await station.authorizing.to_start(id_tag, remote=True)
        if info is None or not station.arrivals.allowed(connector, id_tag, info.parent_id_tag):
            return
        station.arrivals.expect(connector, id_tag, info.parent_id_tag, profile=profile)
