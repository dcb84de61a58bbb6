"""Transactions that another process left open: continued where their vehicle is known, else ended with PowerLoss.

One that goes on keeps its id, its register and the state of charge that were known last; to its CSMS the station was
gone for a while. OCPP 1.6 leaves a station free to resume or to end after it was gone (test case TC_032_2_CS).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from evcharging.domain.charger_state import ChargerError
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.connector import Connector, Transaction
from evcharging.ocpp.station.interfaces import StillThere, TransactionRecord
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.wire import Context, Sample

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

POWER_LOSS: Final = "PowerLoss"


def resume(station: Station) -> None:
    """Go on with every transaction in `settings.resume`, or queue its end.

    Its beginning is told again where the CSMS may not know it: the same beginning with the same contents is the same
    transaction to a CSMS that goes by them.
    """
    for record in station.settings.resume:
        connector = station.connector(record.connector_id)
        if connector is None or record.delivered or record.local_id in station.records:
            continue
        station.records[record.local_id] = record
        reading = connector.read()
        if record.transaction_id is None and not station.outbox.keeps(record.local_id, Kind.BEGIN):
            sample = Sample(record.started_at_s, Context.BEGIN, record.meter_start_wh, reading)
            station.outbox.keep(station.wire.began(record, sample), local_id=record.local_id, kind=Kind.BEGIN)
        if station.outbox.keeps(record.local_id, Kind.END):
            continue
        there = station.settings.still_there.get(record.local_id)
        if there is None or record.ended_at_s is not None or not _goes_on(station, connector, record, there):
            end_now(station, record)
    for connector in station.connectors:
        if connector.transaction is None:
            station.profiles.end_transaction(connector.number)


def end_now(station: Station, record: TransactionRecord) -> None:
    """Queue the end of a transaction nobody ended, with the register it was last seen at."""
    connector = station.connectors[record.connector_id - 1]
    record.ended_at_s = station.clock.now_s() if record.ended_at_s is None else record.ended_at_s
    record.reason = record.reason or POWER_LOSS
    sample = Sample(record.ended_at_s, Context.END, record.meter_wh, connector.reading)
    station.outbox.keep(station.wire.ended(record, [sample], None), local_id=record.local_id, kind=Kind.END)
    station.listener.transaction_ended(record)


def _goes_on(station: Station, connector: Connector, record: TransactionRecord, there: StillThere) -> bool:
    """Continue a transaction with the vehicle that is still there; return whether the charger could."""
    if connector.transaction is not None or connector.vehicle is not None:
        return False
    transaction = Transaction(
        record,
        allowance_wh=there.allowance_wh,
        stop_at_allowance=there.stop_at_allowance,
        leaves_at_s=there.leaves_at_s,
    )
    vehicle = replace(there.vehicle, arrival_soc=there.soc)
    connector.transaction = transaction
    try:
        connector.charger.plug(vehicle)
        connector.vehicle = vehicle
        if station.life is not None:
            station.life.begins(connector, transaction)
        station.power.apply(connector)
        connector.charger.start()
    except ChargerError as error:
        connector.transaction = None
        if connector.vehicle is vehicle:
            connector.charger.unplug()
            connector.vehicle = None
        connector.refresh()
        station.log(f"Charging does not go on - {error}")
        return False
    station.log(wording.charging_goes_on(record.energy_wh))
    station.power.apply_all()
    connector.refresh()
    station.metering.begin(connector, transaction)
    station.charging.watch(connector, transaction)
    return True
