"""Meter readings to numbered intervals: taken without waiting, stored many at a time, then told on the bus.

A reading moves its transaction's register in memory. Each `flush` makes one interval of every transaction that was
read, from where the database says that it stands, whichever gateway metered before; it is published once it is stored.
So a kill between the two loses nothing: the last interval is published again by whoever holds the station next, and a
reading that was not stored is in the station's next one, since registers only grow. Energy is never negative: a
register that goes backwards moves nothing and is alerted of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from prometheus_client import Counter

from evcharging.apps.ocpp_gateway.announcements import Announcements
from evcharging.apps.ocpp_gateway.charge_points import ChargePoint, OpenTransaction
from evcharging.apps.ocpp_gateway.readings import Reading
from evcharging.apps.ocpp_gateway.writes import Work
from evcharging.messages.charge_points import Severity
from evcharging.messages.envelope import Event
from evcharging.store.gateway import transactions as store
from evcharging.store.gateway.transactions import IntervalRow, Standing, TransactionRow

__all__ = ["Metering"]

READINGS = Counter("evcharging_gateway_readings_total", "Meter readings by what became of them", ["result"])
COUNTED, OF_NO_SESSION, OF_NO_TRANSACTION = (
    READINGS.labels(result) for result in ("counted", "no_transaction", "unknown_transaction")
)
INTERVALS = Counter("evcharging_gateway_intervals_total", "Metered intervals published")

UNCLAIMED_AT_MOST: Final = 16
"""Transactions of one station whose readings may come before the database was asked for them."""
ABSURD_POWER_W: Final = 1_500_000
"""No connector of today delivers more; a register that rises faster has jumped."""
JUMP_ALLOWED_WH: Final = Decimal(1000)
STOP_AGAIN_S: Final = 30.0
FLUSHED_AT_ONCE: Final = 200
"""Transactions; the others come next. While many are told on the bus at once no station is answered."""


class Metering:
    """The meters of one gateway's stations.

    Args:
        send: puts an event on the bus; called in order, never waits.
        congested: whether so much waits for the bus that no intervals should be made.
        monotonic: seconds.
        on_target: is told of a transaction that has reached its energy, again after a while if it goes on.
    """

    def __init__(
        self,
        announcements: Announcements,
        *,
        send: Callable[[Event[Any]], None],
        congested: Callable[[], bool],
        monotonic: Callable[[], float],
        on_target: Callable[[ChargePoint, OpenTransaction], None],
    ) -> None:
        self._announcements = announcements
        self._send = send
        self._congested = congested
        self._monotonic = monotonic
        self._on_target = on_target
        self._dirty: dict[str, tuple[ChargePoint, OpenTransaction]] = {}
        self._counted = 0
        """Readings since the last flush: the metric's own lock at each of them would cost as much as the reading."""

    @property
    def due(self) -> bool:
        """Whether `flush` has something to do, and the bus can take it."""
        return bool(self._dirty) and not self._congested()

    @property
    def flushes(self) -> int:
        """How many times `flush` is to be done for everything that was read so far to be stored; at least 1."""
        return max(-(-len(self._dirty) // FLUSHED_AT_ONCE), 1)

    def take(
        self, point: ChargePoint, readings: Iterable[Reading], *, connector_id: int, transaction_id: str | None = None
    ) -> None:
        """Take what a station measured, oldest first. A reading of no open transaction is only counted.

        A station may leave the transaction out; then it is the one on the connector.
        """
        if transaction_id is not None:
            transaction = point.open.get(transaction_id)
        else:
            transaction = point.transaction_at(connector_id)
        for reading in readings:
            if transaction is not None:
                self._read(point, transaction, reading)
            elif not point.loaded:
                self._keep(point, transaction_id or connector_id, reading)
            else:
                (OF_NO_TRANSACTION if transaction_id is not None else OF_NO_SESSION).inc()

    def claim(self, point: ChargePoint) -> None:
        """Count what came before the station's transactions were read from the database."""
        unclaimed, point.unclaimed = point.unclaimed, {}
        for whose, reading in unclaimed.items():
            transaction = point.transaction_at(whose) if isinstance(whose, int) else point.open.get(whose)
            if transaction is not None:
                self._read(point, transaction, reading)

    async def flush(self, work: Work) -> None:
        """An effect: one interval for each of the transactions that were read longest ago; see `flushes`."""
        COUNTED.inc(self._counted)
        self._counted = 0
        oldest = islice(self._dirty.items(), FLUSHED_AT_ONCE)
        taken = {session_id: (point, t, t.reads) for session_id, (point, t) in oldest}
        standings = await self._standings(work, [t for _, t, _ in taken.values()])
        rows: list[IntervalRow] = []
        told: list[tuple[ChargePoint, OpenTransaction, IntervalRow]] = []
        over: list[tuple[ChargePoint, OpenTransaction]] = []
        for session_id, (point, transaction, _) in taken.items():
            standing = standings.get(session_id)
            if standing is None:
                over.append((point, transaction))  # ended meanwhile, here or at another gateway
                continue
            row = _next_interval(standing, transaction, latest=work.now)
            rows.append(row)
            told.append((point, transaction, row))
        await store.save_intervals(work.transaction, rows)

        def stored() -> None:
            for session_id, (point, transaction, reads) in taken.items():
                self._dirty.pop(session_id, None)
                if transaction.reads != reads:
                    self._dirty[session_id] = (point, transaction)  # behind those that have not had their turn
            for point, transaction in over:
                self._dirty.pop(transaction.session_id, None)
                if point.open.get(transaction.transaction_id) is transaction:
                    del point.open[transaction.transaction_id]
            for point, transaction, row in told:
                self._publish(point, transaction, row)
            INTERVALS.inc(len(told))

        work.after_commit(stored)

    async def _standings(self, work: Work, transactions: list[OpenTransaction]) -> dict[str, Standing]:
        """Where open transactions stand: as memory has it, unless another gateway has metered since."""
        seqs = await store.last_seqs(work.transaction, [t.session_id for t in transactions])
        behind = [t.session_id for t in transactions if seqs.get(t.session_id, t.last_seq) != t.last_seq]
        standings = await store.standings(work.transaction, behind) if behind else {}
        for t in transactions:
            if t.session_id in seqs and t.session_id not in standings:
                standings[t.session_id] = Standing(
                    t.session_id, t.last_seq, t.meter_start_wh, t.stored_wh, t.stored_until, t.started_at, None
                )
        return standings

    def publish_again(self, row: TransactionRow, transaction: OpenTransaction) -> None:
        """Publish the last interval of a transaction as it was stored; whoever has it already leaves it at that."""
        if row.last_seq == 0 or row.interval_start is None or row.interval_end is None or row.interval_wh is None:
            return
        interval = IntervalRow(
            row.session_id,
            row.last_seq,
            row.meter_start_wh,
            row.register_wh,
            row.interval_wh,
            row.interval_start,
            row.interval_end,
        )
        self._send(self._announcements.telemetry(transaction, interval))

    def _read(self, point: ChargePoint, transaction: OpenTransaction, reading: Reading) -> None:
        self._counted += 1
        if reading.power_kw is not None:
            transaction.power_kw = reading.power_kw
        if reading.amps is not None:
            transaction.amps = reading.amps
        if reading.volts is not None:
            transaction.volts = reading.volts
        if reading.soc is not None:
            transaction.soc = reading.soc
        if reading.temperature_c is not None:
            transaction.temperature_c = reading.temperature_c
        if reading.register_wh is not None:
            self._move(transaction, reading.register_wh, reading)
        if transaction.read_at is None or reading.at > transaction.read_at:
            transaction.read_at = reading.at
        transaction.doubted_until_s = None
        transaction.reads += 1
        self._dirty[transaction.session_id] = (point, transaction)

    def _move(self, transaction: OpenTransaction, register_wh: Decimal, reading: Reading) -> None:
        before_wh = transaction.register_wh
        if before_wh is None:
            transaction.meter_start_wh = transaction.register_wh = register_wh
            return
        if register_wh < before_wh:
            self._alert(transaction, "register_backwards", f"from {before_wh} Wh to {register_wh} Wh")
            return
        seconds = (reading.at - (transaction.read_at or transaction.started_at)).total_seconds()
        risen_wh = register_wh - before_wh
        if risen_wh > JUMP_ALLOWED_WH and float(risen_wh) * 3600 > ABSURD_POWER_W * max(seconds, 1.0):
            self._alert(transaction, "register_jumped", f"by {risen_wh} Wh in {seconds:.0f} s")
        transaction.register_wh = register_wh

    def _publish(self, point: ChargePoint, transaction: OpenTransaction, row: IntervalRow) -> None:
        transaction.last_seq = row.last_seq
        transaction.stored_wh, transaction.stored_until = row.register_wh, row.interval_end
        transaction.meter_start_wh = row.meter_start_wh
        told = self._announcements.telemetry(transaction, row)
        transaction.drawn_kw = told.message.kw
        self._send(told)
        if transaction.target_wh is None or transaction.energy_wh < transaction.target_wh:
            return
        now_s = self._monotonic()
        if transaction.stop_asked_s is None or now_s - transaction.stop_asked_s >= STOP_AGAIN_S:
            transaction.stop_asked_s = now_s
            self._on_target(point, transaction)

    def _alert(self, transaction: OpenTransaction, kind: str, what: str) -> None:
        """Once for each transaction and kind: a meter that is wrong is wrong all the time."""
        if kind in transaction.alerted:
            return
        transaction.alerted.add(kind)
        detail = f"the register of transaction {transaction.transaction_id} went {what}"
        cause = f"{transaction.session_id}:{kind}"
        self._send(self._announcements.alert(transaction.cp_id, kind, detail, severity=Severity.WARNING, cause=cause))

    def _keep(self, point: ChargePoint, whose: str | int, reading: Reading) -> None:
        known = point.unclaimed.get(whose)
        if known is not None:
            known.merge(reading)
        elif len(point.unclaimed) < UNCLAIMED_AT_MOST:
            point.unclaimed[whose] = reading


def _next_interval(standing: Standing, transaction: OpenTransaction, *, latest: Any) -> IntervalRow:
    start = standing.interval_end or standing.started_at or latest
    end = max(start, min(transaction.read_at or start, latest + CLOCKS_APART))
    meter_start_wh = standing.meter_start_wh if standing.meter_start_wh is not None else transaction.meter_start_wh
    base_wh = standing.register_wh if standing.register_wh is not None else meter_start_wh
    register_wh = transaction.register_wh
    if register_wh is None or (base_wh is not None and register_wh < base_wh):
        register_wh = base_wh
    energy_wh = Decimal(0) if register_wh is None or base_wh is None else register_wh - base_wh
    return IntervalRow(standing.session_id, standing.last_seq + 1, meter_start_wh, register_wh, energy_wh, start, end)


CLOCKS_APART: Final = timedelta(minutes=5)
"""A station's clock may run ahead of ours by so much; what it says beyond that is not believed."""
