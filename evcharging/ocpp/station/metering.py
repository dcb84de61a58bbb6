"""Meter values: in a transaction at an interval, of every connector by the clock, and when the CSMS asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station.connector import Connector, Transaction
from evcharging.ocpp.station.interfaces import Timer
from evcharging.ocpp.station.outbox import Kind
from evcharging.ocpp.station.wire import Context, Sample

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

_METER: Final = Kind.METER
MOST_SAMPLES: Final = 500
"""Samples kept for the end of a transaction; over it every other one is dropped, never the first."""


class Metering:
    """The meters of one station's connectors."""

    __slots__ = ("_aligned", "_station")

    def __init__(self, station: Station) -> None:
        self._station = station
        self._aligned: Timer | None = None

    def sample(self, connector: Connector, context: Context) -> Sample:
        """Read a meter now; a transaction's register moves with it."""
        now_s = self._station.clock.now_s()
        reading = connector.read_at(now_s)
        register_wh = int(reading.register_wh)
        if connector.transaction is not None:
            connector.transaction.record.meter_wh = register_wh
        return Sample(now_s, context, register_wh, reading)

    def begin(self, connector: Connector, transaction: Transaction) -> None:
        """Sample a transaction at the interval from now on."""
        interval_s = self._station.parameters.sample_interval_s
        if transaction.sampling is not None:
            transaction.sampling.cancel()
            transaction.sampling = None
        if interval_s > 0:
            transaction.sampling = self._station.clock.call_later(interval_s, lambda: self._periodic(connector))

    def reset_sampling(self) -> None:
        """Take up a changed sample interval."""
        for connector in self._station.connectors:
            if connector.transaction is not None:
                self.begin(connector, connector.transaction)

    def reset_aligned(self) -> None:
        """Take up a changed clock-aligned interval: counted from midnight, UTC."""
        if self._aligned is not None:
            self._aligned.cancel()
            self._aligned = None
        interval_s = self._station.parameters.aligned_interval_s
        if interval_s > 0:
            now_s = self._station.clock.now_s()
            midnight_s = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            since_s = now_s - midnight_s.timestamp()
            delay_s = interval_s - since_s % interval_s
            self._aligned = self._station.clock.call_later(delay_s, self._by_clock)

    def keep(self, transaction: Transaction, sample: Sample) -> None:
        """Keep a sample for the message of the transaction's end."""
        parameters = self._station.parameters
        wanted = parameters.ended_aligned if sample.context is Context.CLOCK else parameters.ended_sampled
        if not wanted:
            return
        transaction.samples.append(sample)
        if len(transaction.samples) > MOST_SAMPLES:
            del transaction.samples[1::2]

    def send(self, connector: Connector, sample: Sample) -> None:
        """Tell a sample: kept until answered if it is of a transaction, else now or never."""
        station, transaction = self._station, connector.transaction
        if transaction is None:
            request = station.wire.metered(connector.number, None, sample)
            if request is not None:
                station.outbox.post(request)
            return
        record = transaction.record
        request = station.wire.metered(connector.number, record, sample)
        if request is not None:
            station.outbox.keep(request, local_id=record.local_id, kind=_METER)

    def trigger(self, connector: Connector) -> None:
        """Tell the meter now: the CSMS asked for it."""
        self.send(connector, self.sample(connector, Context.TRIGGER))

    def close(self) -> None:
        """End the timers."""
        if self._aligned is not None:
            self._aligned.cancel()
            self._aligned = None

    def _periodic(self, connector: Connector) -> None:
        transaction = connector.transaction
        if transaction is None:
            return
        transaction.sampling = self._station.clock.call_later(
            self._station.parameters.sample_interval_s, lambda: self._periodic(connector)
        )
        sample = self.sample(connector, Context.PERIODIC)
        self.keep(transaction, sample)
        self.send(connector, sample)
        self._station.charging.observe(connector)
        if connector.transaction is transaction:
            self._station.charging.watch(connector, transaction)  # it was looked at just now
        self._station.listener.changed(self._station.settings.station_id)

    def _by_clock(self) -> None:
        self.reset_aligned()
        for connector in self._station.connectors:
            sample = self.sample(connector, Context.CLOCK)
            if connector.transaction is not None:
                self.keep(connector.transaction, sample)
            self.send(connector, sample)
