"""What becomes of transaction messages once the CSMS has answered them, or after the station gave up on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcharging.domain.authorization import decide_after_start
from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.interfaces import TransactionRecord
from evcharging.ocpp.station.outbox import Entry, Kind
from evcharging.ocpp.station.wire import NOTHING_SAID

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class Delivery:
    """Follows the transaction messages of one station to their end."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def answered(self, entry: Entry, answer: Payload) -> None:
        """Take the answer to a transaction message."""
        station, local_id = self._station, entry["local_id"]
        said = station.wire.read_transaction(entry["action"], answer)
        if said is NOTHING_SAID:
            return
        record = station.records.get(local_id)
        if said.transaction_id is not None:
            self._number(local_id, said.transaction_id)
        if record is None:
            return
        if said.info is not None:
            station.authorization.remember(record.id_tag, said.info)
        if entry["kind"] == Kind.BEGIN and said.info is not None:
            record.parent_id_tag = record.parent_id_tag or said.info.parent_id_tag
            outcome = decide_after_start(said.info, rules=station.parameters.authorization)
            if outcome is not None:
                station.charging.not_accepted(record, outcome, said.info)
        elif entry["kind"] == Kind.END:
            record.delivered = True
            self._settle(record)

    def given_up(self, entry: Entry, reason: str) -> None:
        """A transaction message was refused once too often.

        Where that was a beginning, the CSMS will never name the transaction: its meter values are worth nothing, but
        its end is still told.
        """
        station, local_id = self._station, entry["local_id"]
        station.log(wording.message_dropped(entry["action"], reason))
        station.listener.message_dropped(station.settings.station_id, entry["action"], reason)
        unknown_id = station.wire.unknown_transaction_id
        if entry["kind"] == Kind.BEGIN and unknown_id is not None:
            self._number(local_id, unknown_id)
            station.outbox.forget_meters(local_id)
        elif entry["kind"] == Kind.END and local_id in station.records:
            self._settle(station.records[local_id])

    def _number(self, local_id: str, transaction_id: int | str) -> None:
        """A transaction has its name at the CSMS: tell the record and the messages that wait."""
        station = self._station
        if local_id in station.records:
            station.records[local_id].transaction_id = transaction_id
        station.outbox.change(local_id, lambda payload: station.wire.follow(payload, transaction_id))

    def _settle(self, record: TransactionRecord) -> None:
        del self._station.records[record.local_id]
        self._station.listener.transaction_settled(record)
