"""Transactions that another process left open: this one ends them honestly, with the last register and PowerLoss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station.interfaces import TransactionRecord
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.wire import Context, Sample

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

POWER_LOSS: Final = "PowerLoss"


def resume(station: Station) -> None:
    """Queue the end of every transaction in `settings.resume`, and its beginning where the CSMS may not know it.

    The same beginning with the same contents is the same transaction to a CSMS that goes by them.
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
        end_now(station, record)


def end_now(station: Station, record: TransactionRecord) -> None:
    """Queue the end of a transaction nobody ended, with the register it was last seen at."""
    connector = station.connectors[record.connector_id - 1]
    record.ended_at_s = station.clock.now_s() if record.ended_at_s is None else record.ended_at_s
    record.reason = record.reason or POWER_LOSS
    sample = Sample(record.ended_at_s, Context.END, record.meter_wh, connector.reading)
    station.outbox.keep(station.wire.ended(record, [sample], None), local_id=record.local_id, kind=Kind.END)
    station.listener.transaction_ended(record)
