"""The charging profiles installed at one station: which may be, which one counts, and what they come to together.

At any time and connector the limit is the least of the station's own profile and the transaction's, where TxProfile
goes before TxDefaultProfile, a connector's before the station-wide one (connector 0), and a higher stack level before a
lower one. A profile counts only while its schedule says something, so a lower one steps in when it ends.

In 2.0.1 a connector here is an EVSE. This module sets no timer and no current; see charging_schedules for the types.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from evcharging.domain.charging_profile_rules import (
    DEFAULT_RULES,
    WHOLE_STATION,
    ActiveTransaction,
    ProfileRules,
    check_profile,
    overlap,
)
from evcharging.domain.charging_schedules import (
    WEEK_S,
    ChargingProfile,
    Kind,
    Period,
    ProfileReason,
    ProfileRejected,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
    Supply,
)

__all__ = [
    "MAX_COMPOSITE_S",
    "ActiveTransaction",
    "ChargingProfile",
    "ChargingProfiles",
    "Installed",
    "Kind",
    "Period",
    "ProfileReason",
    "ProfileRejected",
    "ProfileRules",
    "Purpose",
    "RateUnit",
    "Recurrency",
    "Schedule",
    "Supply",
]

MAX_COMPOSITE_S: Final = WEEK_S
"""A composite schedule is cut to this length; the standard lets a station answer with less than was asked."""


class Installed(NamedTuple):
    """A profile and the connector it was set for, 0 for the whole station."""

    connector_id: int
    profile: ChargingProfile


class _Limit(NamedTuple):
    amps: float
    phases: int | None
    min_amps: float | None


class ChargingProfiles:
    """The profiles installed at one station. Connectors are 1 and up, 0 is the whole station.

    Args:
        rules: What the station takes.
        installed: What it had before.
    """

    __slots__ = ("_installed", "rules")

    def __init__(self, rules: ProfileRules = DEFAULT_RULES, installed: Iterable[Installed] = ()) -> None:
        self.rules = rules
        self._installed: tuple[Installed, ...] = tuple(installed)

    @property
    def installed(self) -> tuple[Installed, ...]:
        """Every profile installed, in the order they came."""
        return self._installed

    def install(
        self,
        connector_id: int,
        profile: ChargingProfile,
        *,
        now_s: float,
        transaction: ActiveTransaction | None = None,
        replace_same_level: bool = True,
    ) -> None:
        """Take a profile, or leave everything as it was and say why not.

        It takes the place of the one with its id and, with `replace_same_level` (1.6), of the one with its connector,
        purpose and stack level; without (2.0.1) such a one is a duplicate if their validities overlap.

        Args:
            connector_id: The connector, 0 for the whole station.
            profile: The profile.
            now_s: The time; profiles expired by then make room.
            transaction: What runs at that connector; a TxProfile needs it.
            replace_same_level: See above.

        Raises:
            ProfileRejected: the station's rules or the standard's forbid it.
        """
        check_profile(connector_id, profile, self.rules, transaction)
        kept = []
        for installed in self._installed:
            old = installed.profile
            if old.profile_id == profile.profile_id or old.expired(now_s):
                continue
            if (installed.connector_id, old.purpose, old.stack_level) == (
                connector_id,
                profile.purpose,
                profile.stack_level,
            ):
                if replace_same_level:
                    continue
                if overlap(old, profile):
                    raise ProfileRejected(
                        ProfileReason.DUPLICATE_PROFILE,
                        f"profile {old.profile_id} has that purpose and stack level there; clear it or use its id",
                    )
            kept.append(installed)
        if len(kept) >= self.rules.max_installed:
            raise ProfileRejected(
                ProfileReason.OUT_OF_STORAGE, f"at most {self.rules.max_installed} profiles can be installed; clear one"
            )
        self._installed = (*kept, Installed(connector_id, profile))

    def clear(
        self,
        *,
        profile_id: int | None = None,
        connector_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Remove the profiles that match every filter given, all without one, and return how many there were."""
        kept = tuple(
            installed
            for installed in self._installed
            if (profile_id is not None and installed.profile.profile_id != profile_id)
            or (connector_id is not None and installed.connector_id != connector_id)
            or (purpose is not None and installed.profile.purpose is not purpose)
            or (stack_level is not None and installed.profile.stack_level != stack_level)
        )
        cleared = len(self._installed) - len(kept)
        self._installed = kept
        return cleared

    def end_transaction(self, connector_id: int) -> None:
        """Forget the TxProfiles of a connector: they end with their transaction."""
        if self._installed:
            self.clear(connector_id=connector_id, purpose=Purpose.TX)

    def limit_amps_at(
        self, at_s: float, connector_id: int, *, supply: Supply, transaction_start_s: float | None
    ) -> float | None:
        """Return the limit in A per phase at a time, None where no profile says anything.

        Args:
            at_s: The time.
            connector_id: The connector; 0 asks for the station's own limit.
            supply: What limits in W are converted with.
            transaction_start_s: When the connector's transaction began; None without one, then only the station's
                profile counts.
        """
        if not self._installed:
            return None
        limit = self._limit_at(at_s, connector_id, supply, transaction_start_s)
        return None if limit is None else limit.amps

    def next_change_s(self, after_s: float, connector_id: int, *, transaction_start_s: float | None) -> float | None:
        """Return the earliest time after `after_s` at which a connector's limit may change; None if never."""
        changes = (
            profile.next_change_s(after_s, transaction_start_s)
            for installed_at, profile in self._installed
            if installed_at in {WHOLE_STATION, connector_id}
        )
        return min((change for change in changes if change is not None), default=None)

    def composite(
        self,
        connector_id: int,
        *,
        start_s: float,
        duration_s: float,
        supply: Supply,
        rated_amps: float,
        transaction_start_s: float | None = None,
        unit: RateUnit | None = None,
    ) -> Schedule:
        """Return what may be charged from `start_s` on: the answer to GetCompositeSchedule.

        Where no profile says anything, and above the rating, it is the rating. Without a transaction it tells what one
        that begins at `start_s` would get.

        Args:
            connector_id: The connector; 0 for the station's own limit.
            start_s: The beginning; periods count from it.
            duration_s: How long; cut to `MAX_COMPOSITE_S`.
            supply: What A and W are converted with.
            rated_amps: What the hardware can do, per phase.
            transaction_start_s: When the connector's transaction began.
            unit: The unit wanted; A if the station allows it, else W.
        """
        if unit is None:
            unit = RateUnit.AMPS if RateUnit.AMPS in self.rules.rate_units else RateUnit.WATTS
        begun_s = start_s if transaction_start_s is None else transaction_start_s
        end_s = start_s + min(duration_s, MAX_COMPOSITE_S)
        periods: list[Period] = []
        least_rates: list[float] = []
        at_s: float | None = start_s
        while at_s is not None and (at_s < end_s or not periods):
            limit = self._limit_at(at_s, connector_id, supply, begun_s)
            amps = rated_amps if limit is None else min(limit.amps, rated_amps)
            phases = None if limit is None else limit.phases
            if limit is not None and limit.min_amps is not None:
                least_rates.append(limit.min_amps if unit is RateUnit.AMPS else supply.watts(limit.min_amps, phases))
            rate = amps if unit is RateUnit.AMPS else supply.watts(amps, phases)
            if not periods or (periods[-1].limit, periods[-1].phases) != (rate, phases):
                periods.append(Period(at_s - start_s, rate, phases))
            at_s = self.next_change_s(at_s, connector_id, transaction_start_s=begun_s)
        return Schedule(
            unit=unit,
            periods=tuple(periods),
            duration_s=end_s - start_s,
            start_at_s=start_s,
            min_rate=max(least_rates, default=None),
        )

    def _limit_at(
        self, at_s: float, connector_id: int, supply: Supply, transaction_start_s: float | None
    ) -> _Limit | None:
        caps = [self._highest(Purpose.STATION_MAX, WHOLE_STATION, at_s, supply, transaction_start_s)]
        if connector_id != WHOLE_STATION and transaction_start_s is not None:
            caps.append(
                self._highest(Purpose.TX, connector_id, at_s, supply, transaction_start_s)
                or self._highest(Purpose.TX_DEFAULT, connector_id, at_s, supply, transaction_start_s)
                or self._highest(Purpose.TX_DEFAULT, WHOLE_STATION, at_s, supply, transaction_start_s)
            )
        return min((cap for cap in caps if cap is not None), key=lambda cap: cap.amps, default=None)

    def _highest(
        self, purpose: Purpose, connector_id: int, at_s: float, supply: Supply, transaction_start_s: float | None
    ) -> _Limit | None:
        best = None
        best_level = -1
        for profile, period in self._active(purpose, connector_id, at_s, transaction_start_s):
            if profile.stack_level > best_level:
                best, best_level = (profile.schedule, period), profile.stack_level
        if best is None:
            return None
        schedule, period = best
        least = schedule.min_rate
        return _Limit(
            amps=supply.amps(period.limit, schedule.unit, period.phases),
            phases=period.phases,
            min_amps=None if least is None else supply.amps(least, schedule.unit, period.phases),
        )

    def _active(
        self, purpose: Purpose, connector_id: int, at_s: float, transaction_start_s: float | None
    ) -> Iterator[tuple[ChargingProfile, Period]]:
        for installed_at, profile in self._installed:
            if installed_at == connector_id and profile.purpose is purpose:
                period = profile.period_at(at_s, transaction_start_s)
                if period is not None:
                    yield profile, period
