"""Sessions begun, ended and let go from afar in OCPP 2.0.1, and where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charging_profile_wire import profile_from_v201
from evcharging.domain.charging_schedules import ChargingProfile, ProfileRejected, Purpose
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.v201.device_model import ONLY_CONNECTOR

if TYPE_CHECKING:
    from evcharging.ocpp.station.connector import Connector
    from evcharging.ocpp.station.station import Station

__all__ = ["Remote", "rejected"]

MOST_TOKEN_TYPES: Final = 200


class Remote:
    """What a CSMS does to the sessions of one station. `token_types` has those of tokens it named."""

    __slots__ = ("_station", "token_types")

    def __init__(self, station: Station) -> None:
        self._station = station
        self.token_types: dict[str, str] = {}

    def start(self, payload: Payload) -> Payload:
        """RequestStartTransaction: begin a session, or wait for its vehicle."""
        station = self._station
        id_tag, evse_id = payload["idToken"]["idToken"], payload.get("evseId")
        if not station.registration.accepted or station.rebooting.under_way:
            return rejected("CSNotAccepted", "the station is not in operation")
        if evse_id is not None and station.connector(evse_id) is None:
            return rejected("UnknownEvse", f"EVSE {evse_id}")
        connector = station.arrivals.choose(id_tag, evse_id)
        barred = "no EVSE is free for it" if connector is None else station.arrivals.barred_by_policy()
        if connector is None or barred is not None:
            return rejected("TxInProgress" if connector is None else "NotEnabled", barred or "")
        profile = None
        if "chargingProfile" in payload:
            try:
                profile = profile_from_v201(payload["chargingProfile"])
                station.power.check_for_start(connector, profile)
            except ProfileRejected as error:
                return rejected(error.reason.value, str(error))
            if profile.purpose is not Purpose.TX or profile.transaction_id is not None:
                return rejected("InvalidProfile", "expected a TxProfile without a transactionId")
        self._remember_type(payload["idToken"])
        group = payload.get("groupIdToken", {}).get("idToken")
        station.spawn(self._begin(connector, id_tag, group, payload["remoteStartId"], profile))
        return {"status": "Accepted"}

    def stop(self, payload: Payload) -> Payload:
        """RequestStopTransaction."""
        connector = self._running(payload["transactionId"])
        if connector is None:
            return rejected("UnknownTxId", payload["transactionId"])
        self._station.charging.end(connector, "Remote")
        return {"status": "Accepted"}

    def unlock(self, payload: Payload) -> Payload:
        """UnlockConnector; never while a transaction runs there."""
        connector = self._station.connector(payload["evseId"])
        if connector is None or payload["connectorId"] != ONLY_CONNECTOR:
            return {"status": "UnknownConnector"}
        if connector.transaction is not None:
            return {"status": "OngoingAuthorizedTransaction"}
        welded = connector.read().fault is FaultCode.CONTACTOR_WELDED
        return {"status": "UnlockFailed" if welded else "Unlocked"}

    def transaction_status(self, payload: Payload) -> Payload:
        """GetTransactionStatus."""
        transaction_id = payload.get("transactionId")
        outbox = self._station.outbox
        if transaction_id is None:
            return {"messagesInQueue": outbox.kept > 0}
        return {
            "ongoingIndicator": self._running(transaction_id) is not None,
            "messagesInQueue": any(outbox.keeps(transaction_id, kind) for kind in Kind),
        }

    def _running(self, transaction_id: str) -> Connector | None:
        for connector in self._station.connectors:
            if connector.transaction is not None and connector.transaction.record.local_id == transaction_id:
                return connector
        return None

    def _remember_type(self, token: Payload) -> None:
        while len(self.token_types) >= MOST_TOKEN_TYPES:
            del self.token_types[next(iter(self.token_types))]
        self.token_types[token["idToken"].lower()] = token["type"]

    async def _begin(
        self,
        connector: Connector,
        id_tag: str,
        group: str | None,
        remote_start_id: int,
        profile: ChargingProfile | None,
    ) -> None:
        station = self._station
        info = await station.authorizing.to_start(id_tag, remote=True)
        if info is None:
            return
        parent = info.parent_id_tag or group
        if station.arrivals.allowed(connector, id_tag, parent):
            station.arrivals.expect(connector, id_tag, parent, remote_start_id=remote_start_id, profile=profile)


def rejected(reason: str, text: str) -> Payload:
    """A refusal with its reason: ``reason`` is one of the standard's codes (part 2, appendix 5)."""
    return {"status": "Rejected", "statusInfo": {"reasonCode": reason, "additionalInfo": text[:512] or reason}}
