"""Charging profiles as OCPP has them, one at a time: what they are made of and what each allows at which time.

Times are Unix seconds. Both wire forms come to these types (see charging_profile_wire); how several profiles stack is
in charging_profiles. Rules and names: OCPP 1.6 edition 2, section 3.13; OCPP 2.0.1 part 2, section K.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S

_ROUNDING_S: Final = 1e-6
"""Unix times as floats are exact to a quarter of this: a period has begun at the very time it is said to begin."""


class ProfileReason(StrEnum):
    """Why a profile is rejected, as OCPP 2.0.1 spells its reason codes."""

    DUPLICATE_PROFILE = "DuplicateProfile"
    INVALID_PROFILE = "InvalidProfile"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_STACK_LEVEL = "InvalidStackLevel"
    OUT_OF_STORAGE = "OutOfStorage"
    TX_NOT_FOUND = "TxNotFound"
    UNSUPPORTED_RATE_UNIT = "UnsupportedRateUnit"


class ProfileRejected(ValueError):
    """Raised for a charging profile that cannot be taken: `reason` for machines, the message for people."""

    def __init__(self, reason: ProfileReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Purpose(StrEnum):
    """What a profile is for. 1.6 spells the first ChargePointMaxProfile."""

    STATION_MAX = "ChargingStationMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class Kind(StrEnum):
    """What the periods of a schedule count from."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrency(StrEnum):
    """How often a recurring schedule begins anew."""

    DAILY = "Daily"
    WEEKLY = "Weekly"

    @property
    def period_s(self) -> float:
        """The time between two beginnings, in s."""
        return DAY_S if self is Recurrency.DAILY else WEEK_S


class RateUnit(StrEnum):
    """The unit of a schedule's limits: A per phase, or W in all phases together."""

    AMPS = "A"
    WATTS = "W"


@dataclass(frozen=True, slots=True)
class Supply:
    """What limits in W are converted with: phase voltage and the number of phases of the outlet (1 for DC)."""

    volts: float
    phases: int

    def amps(self, limit: float, unit: RateUnit, phases: int | None) -> float:
        """Return a limit in A per phase; in W it is spread over the outlet's phases, or over fewer if it says so."""
        return limit if unit is RateUnit.AMPS else limit / (self.volts * self._used(phases))

    def watts(self, amps: float, phases: int | None) -> float:
        """Return the power in W of `amps` in each phase used."""
        return amps * self.volts * self._used(phases)

    def _used(self, phases: int | None) -> int:
        return self.phases if phases is None else min(phases, self.phases)


@dataclass(frozen=True, slots=True)
class Period:
    """A limit from `start_s` after the schedule's beginning until the next period's; `phases` where it is narrowed."""

    start_s: float
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Limits over time.

    Attributes:
        unit: Of every limit in it.
        periods: The first begins at 0, each later than the one before.
        duration_s: After it the schedule allows nothing and forbids nothing; None: the last period goes on.
        start_at_s: Where an absolute or recurring schedule begins; None: with the transaction.
        min_rate: Lowest rate the vehicle can use well, in `unit`; told, not acted on.

    Raises ProfileRejected where the figures make no schedule.
    """

    unit: RateUnit
    periods: tuple[Period, ...]
    duration_s: float | None = None
    start_at_s: float | None = None
    min_rate: float | None = None

    def __post_init__(self) -> None:
        if not self.periods or self.periods[0].start_s != 0:
            raise _invalid("a schedule's first period must start at 0 s")
        last_s = -1.0
        for period in self.periods:
            if period.start_s <= last_s:
                raise _invalid(f"periods must rise in time, got {period.start_s:g} s after {last_s:g} s")
            if not 0.0 <= period.limit < math.inf:
                raise _invalid(f"a limit must be 0 or more, got {period.limit}")
            if period.phases is not None and not 1 <= period.phases <= 3:
                raise _invalid(f"numberPhases must be 1 to 3, got {period.phases}")
            last_s = period.start_s
        if self.duration_s is not None and self.duration_s < 0:
            raise _invalid(f"duration must be 0 s or more, got {self.duration_s:g}")

    def period_at(self, elapsed_s: float) -> Period | None:
        """Return the period in force `elapsed_s` after the beginning, None before it and after the duration."""
        if elapsed_s < 0 or (self.duration_s is not None and elapsed_s >= self.duration_s):
            return None
        found = self.periods[0]
        for period in self.periods:
            if period.start_s > elapsed_s:
                break
            found = period
        return found


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """One profile.

    Attributes:
        profile_id: Its number.
        stack_level: The higher one counts while both are active.
        purpose: What it is for.
        kind: What its schedule counts from.
        schedule: The one that controls power. Of the up to three that 2.0.1 allows, the first.
        recurrency: For RECURRING, how often.
        valid_from_s: From when on it counts; None for always.
        valid_to_s: Until when it counts, itself not included; None for always.
        transaction_id: The transaction it is for (TX), as it was given.

    Raises ProfileRejected for combinations the standard rules out.
    """

    profile_id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: Schedule
    recurrency: Recurrency | None = None
    valid_from_s: float | None = None
    valid_to_s: float | None = None
    transaction_id: int | str | None = None

    def __post_init__(self) -> None:
        if self.kind is Kind.RECURRING and (self.recurrency is None or self.schedule.start_at_s is None):
            raise _invalid("a Recurring profile needs recurrencyKind and startSchedule")
        if self.kind is Kind.RELATIVE and self.purpose is Purpose.STATION_MAX:
            raise ProfileRejected(
                ProfileReason.INVALID_PROFILE, "a profile for the whole station cannot be Relative to a transaction"
            )

    def valid_at(self, at_s: float) -> bool:
        """Return whether `at_s` lies between validFrom and validTo."""
        return (self.valid_from_s is None or self.valid_from_s <= at_s) and not self.expired(at_s)

    def expired(self, at_s: float) -> bool:
        """Return whether it is past validTo for good."""
        return self.valid_to_s is not None and at_s >= self.valid_to_s

    def period_at(self, at_s: float, transaction_start_s: float | None) -> Period | None:
        """Return the period in force at a time, None while the profile says nothing.

        Args:
            at_s: The time.
            transaction_start_s: When the transaction began; None without one.
        """
        if not self.valid_at(at_s):
            return None
        begun_s = self._begun_s(at_s, transaction_start_s)
        return None if begun_s is None else self.schedule.period_at(at_s - begun_s + _ROUNDING_S)

    def next_change_s(self, after_s: float, transaction_start_s: float | None) -> float | None:
        """Return the earliest time after `after_s` at which `period_at` may change; None if never."""
        return min(
            (moment for moment in self._moments_s(after_s, transaction_start_s) if moment > after_s), default=None
        )

    def _begun_s(self, at_s: float, transaction_start_s: float | None) -> float | None:
        """When the run of the schedule that counts at `at_s` began, or first will; None where that is not known."""
        start_s = None if self.kind is Kind.RELATIVE else self.schedule.start_at_s
        if start_s is None:
            return transaction_start_s
        if self.kind is Kind.RECURRING and self.recurrency is not None and at_s > start_s:
            return start_s + (at_s - start_s) // self.recurrency.period_s * self.recurrency.period_s
        return start_s

    def _moments_s(self, after_s: float, transaction_start_s: float | None) -> Iterator[float]:
        yield from (moment for moment in (self.valid_from_s, self.valid_to_s) if moment is not None)
        begun_s = self._begun_s(after_s, transaction_start_s)
        if begun_s is None:
            return
        recurs_s = math.inf
        if self.recurrency is not None and self.kind is Kind.RECURRING:
            recurs_s = self.recurrency.period_s
            yield begun_s + recurs_s
        ends_s = (*(period.start_s for period in self.schedule.periods), self.schedule.duration_s)
        yield from (begun_s + offset_s for offset_s in ends_s if offset_s is not None and offset_s < recurs_s)


def _invalid(message: str) -> ProfileRejected:
    return ProfileRejected(ProfileReason.INVALID_SCHEDULE, message)
