"""TriggerMessage of OCPP 2.0.1: what the CSMS wants to be told now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.v201.device_model import ONLY_CONNECTOR, STATUS_WORDS
from evcharging.ocpp.station.v201.meter_values import meter_value, text_time
from evcharging.ocpp.station.v201.remote import rejected
from evcharging.ocpp.station.wire import Context, Request

if TYPE_CHECKING:
    from evcharging.ocpp.station.connector import Connector
    from evcharging.ocpp.station.station import Station

__all__ = ["trigger"]


def trigger(station: Station, payload: Payload) -> Payload:
    """Answer TriggerMessage, and have what it asks for follow."""
    wanted, evse = payload["requestedMessage"], payload.get("evse")
    act = _TRIGGERS.get(wanted)
    if act is None:
        return {"status": "NotImplemented"}
    connectors = station.connectors
    if evse is not None:
        named = station.connector(evse["id"])
        if named is None or evse.get("connectorId", ONLY_CONNECTOR) != ONLY_CONNECTOR:
            return rejected("UnknownEvse", f"EVSE {evse['id']}")
        connectors = [named]
    if wanted == "StatusNotification" and (evse is None or "connectorId" not in evse):
        return rejected("MissingParam", "StatusNotification is asked for by EVSE and connector (F06.FR.12)")
    if wanted == "TransactionEvent" and all(connector.transaction is None for connector in connectors):
        return rejected("TxNotFound", "no transaction runs there")
    if wanted == "BootNotification" and station.registration.accepted:
        return rejected("NotEnabled", "its last boot was accepted (F06.FR.17)")
    asyncio.get_running_loop().call_soon(act, station, connectors)
    return {"status": "Accepted"}


def _boot(station: Station, _: list[Connector]) -> None:
    station.spawn(station.registration.boot_again())


def _heartbeat(station: Station, _: list[Connector]) -> None:
    station.outbox.post(station.wire.heartbeat())


def _log(station: Station, _: list[Connector]) -> None:
    station.maintenance.tell_diagnostics()


def _firmware(station: Station, _: list[Connector]) -> None:
    station.maintenance.tell_firmware()


def _meter_values(station: Station, connectors: list[Connector]) -> None:
    """MeterValues, in a transaction too: they were asked for by that name."""
    for connector in connectors:
        sample = station.metering.sample(connector, Context.TRIGGER)
        value = meter_value(sample, station.parameters.aligned)
        if value is not None:
            station.outbox.post(Request("MeterValues", {"evseId": connector.number, "meterValue": [value]}))


def _status(station: Station, connectors: list[Connector]) -> None:
    for connector in connectors:
        payload = {
            "timestamp": text_time(station.clock.now_s()),
            "connectorStatus": STATUS_WORDS.get(connector.state, "Occupied"),
            "evseId": connector.number,
            "connectorId": ONLY_CONNECTOR,
        }
        station.outbox.post(Request("StatusNotification", payload))


def _transaction(station: Station, connectors: list[Connector]) -> None:
    for connector in connectors:
        if connector.transaction is not None:
            station.metering.trigger(connector)


_TRIGGERS: Final[Mapping[str, Callable[[Station, list[Connector]], None]]] = {
    "BootNotification": _boot,
    "FirmwareStatusNotification": _firmware,
    "Heartbeat": _heartbeat,
    "LogStatusNotification": _log,
    "MeterValues": _meter_values,
    "StatusNotification": _status,
    "TransactionEvent": _transaction,
}
