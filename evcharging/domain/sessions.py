"""The account of one charging session: energy and money as the sum of its metered intervals, each counted once.

Intervals may come twice, late or out of order; whatever the order, the same set of them gives the same figures to the
last digit. A number that has not come is visible as missing, and the register shows the energy it must have had. The
ledger prices with what it is given and rounds nothing; it never reads a clock and never decides when a session ends.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Self

from evcharging.domain.end_reasons import EndReason, SessionStatus
from evcharging.domain.energy import ENERGY_RESOLUTION_WH, WH_PER_KWH, exact_wh
from evcharging.domain.money import Currency, round_money
from evcharging.domain.sequence import Admission, SequenceLog
from evcharging.domain.tariff import Price, require_aware

FIRST_SEQ: Final = 1
"""Number of a session's first interval."""

_SPLIT_TOLERANCE_WH: Final = 2 * ENERGY_RESOLUTION_WH


class InvalidInterval(ValueError):
    """Raised for an interval that contradicts itself."""


class CurrencyMismatch(ValueError):
    """Raised for a price in another currency than the session's."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of metering. Make it with `of`, which checks it.

    Attributes:
        seq: Its number within the session, from 1 on without holes.
        start, end: Aware times.
        register_wh: The charger's register at its end.
        energy_wh: What the register rose by; the sum of `solar_wh` and `grid_wh`.
        solar_wh, grid_wh: The same energy by source.
    """

    seq: int
    start: datetime
    end: datetime
    register_wh: Decimal
    energy_wh: Decimal
    solar_wh: Decimal
    grid_wh: Decimal

    @classmethod
    def of(
        cls,
        *,
        seq: int,
        start: datetime,
        end: datetime,
        register_wh: Decimal | float | str,
        energy_wh: Decimal | float | str,
        solar_wh: Decimal | float | str = 0,
        grid_wh: Decimal | float | str | None = None,
    ) -> Self:
        """Make an interval from plain numbers; grid energy is what the sun did not give, and need not be said.

        The meter is the truth: a `grid_wh` that is off by 2 mWh or less, as rounding leaves it, is set right.
        Raises InvalidInterval, InvalidEnergy.
        """
        energy, solar = exact_wh(energy_wh), exact_wh(solar_wh)
        rest = energy - solar
        register = exact_wh(register_wh)
        stated = rest if grid_wh is None else exact_wh(grid_wh)
        require_aware(start)
        require_aware(end)
        if seq < FIRST_SEQ:
            raise InvalidInterval(f"interval numbers begin with {FIRST_SEQ}, got {seq}")
        if end < start:
            raise InvalidInterval(f"interval {seq} ends at {end.isoformat()}, before its start {start.isoformat()}")
        if abs(stated - rest) > _SPLIT_TOLERANCE_WH or solar - energy > _SPLIT_TOLERANCE_WH:
            raise InvalidInterval(f"interval {seq} has {solar} Wh solar and {stated} Wh grid of {energy} Wh in all")
        if register < energy:
            raise InvalidInterval(
                f"interval {seq} delivered {energy} Wh, more than the register of {register} Wh holds"
            )
        solar = min(solar, energy)
        return cls(seq, start, end, register, energy, solar, energy - solar)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an interval: new, new with a gap before it, or known; and whether the session was over by then."""

    admission: Admission
    amendment: bool

    @property
    def counted(self) -> bool:
        """Whether it changed the sums."""
        return self.admission is not Admission.DUPLICATE


@dataclass(frozen=True, slots=True)
class LedgerState:
    """All that a ledger is, for its owner to store and to go on from after a restart."""

    currency: Currency
    energy_wh: Decimal = Decimal(0)
    solar_wh: Decimal = Decimal(0)
    grid_wh: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    last_seq: int = FIRST_SEQ - 1
    missing: tuple[range, ...] = ()
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None
    reason: EndReason | None = None
    ended_at: datetime | None = None


class SessionLedger:
    """The running account of one session in one currency.

    Args:
        state: Where to go on from; `LedgerState(currency)` for a new session.

    Attributes:
        energy_wh, solar_wh, grid_wh: Exact sums in Wh.
        cost: Exact sum in major units, unrounded.
        meter_start_wh, meter_stop_wh: Lowest and highest register seen, None before the first interval.
        reason, ended_at: How and when it ended, None while it runs.
    """

    def __init__(self, state: LedgerState) -> None:
        self.currency: Final = state.currency
        self.energy_wh = state.energy_wh
        self.solar_wh = state.solar_wh
        self.grid_wh = state.grid_wh
        self.cost = state.cost
        self.meter_start_wh = state.meter_start_wh
        self.meter_stop_wh = state.meter_stop_wh
        self.reason = state.reason
        self.ended_at = state.ended_at
        self._sequence = SequenceLog(FIRST_SEQ, last=state.last_seq, missing=state.missing)

    def apply(self, interval: Interval, price: Price) -> Applied:
        """Count an interval at the price in force at its start, unless its number is known; also after the end.

        The first content that came under a number stands. Raises CurrencyMismatch.
        """
        if price.currency != self.currency:
            raise CurrencyMismatch(f"this session is in {self.currency.code}, got a price in {price.currency.code}")
        applied = Applied(self._sequence.admit(interval.seq), amendment=self.reason is not None)
        if applied.counted:
            self.energy_wh += interval.energy_wh
            self.solar_wh += interval.solar_wh
            self.grid_wh += interval.grid_wh
            self.cost += price.cost(solar_wh=interval.solar_wh, grid_wh=interval.grid_wh)
            self._see_register(interval.register_wh - interval.energy_wh, interval.register_wh)
        return applied

    def close(self, reason: EndReason, at: datetime) -> bool:
        """End the session and return True; one that has ended stays as it is, and the answer is False."""
        require_aware(at)
        if self.reason is not None:
            return False
        self.reason = reason
        self.ended_at = at
        return True

    @property
    def status(self) -> SessionStatus:
        """ACTIVE, or what its reason makes of it."""
        return SessionStatus.ACTIVE if self.reason is None else self.reason.status

    @property
    def kwh(self) -> Decimal:
        """Energy in kWh, exact."""
        return self.energy_wh / WH_PER_KWH

    @property
    def billed_cost(self) -> Decimal:
        """Cost rounded to the currency's minor unit: the figure to show and to charge."""
        return round_money(self.cost, self.currency)

    @property
    def last_seq(self) -> int:
        """The highest interval number that has come, 0 before the first."""
        return self._sequence.last

    @property
    def missing(self) -> tuple[range, ...]:
        """Ranges of interval numbers that have not come though a higher one has."""
        return self._sequence.missing

    @property
    def unaccounted_wh(self) -> Decimal:
        """What the register rose by beyond the intervals counted: the energy of missing ones, else 0.

        Below zero, or above it with nothing missing, the intervals contradict the register.
        """
        if self.meter_start_wh is None or self.meter_stop_wh is None:
            return Decimal(0)
        return self.meter_stop_wh - self.meter_start_wh - self.energy_wh

    def state(self) -> LedgerState:
        """Return all there is to store."""
        return LedgerState(
            currency=self.currency,
            energy_wh=self.energy_wh,
            solar_wh=self.solar_wh,
            grid_wh=self.grid_wh,
            cost=self.cost,
            last_seq=self.last_seq,
            missing=self.missing,
            meter_start_wh=self.meter_start_wh,
            meter_stop_wh=self.meter_stop_wh,
            reason=self.reason,
            ended_at=self.ended_at,
        )

    def _see_register(self, at_start_wh: Decimal, at_end_wh: Decimal) -> None:
        if self.meter_start_wh is None or at_start_wh < self.meter_start_wh:
            self.meter_start_wh = at_start_wh
        if self.meter_stop_wh is None or at_end_wh > self.meter_stop_wh:
            self.meter_stop_wh = at_end_wh
