"""What a station takes for a charging profile and what it turns down: by its own limits, and by the standard."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from evcharging.domain.charging_schedules import ChargingProfile, ProfileReason, ProfileRejected, Purpose, RateUnit

WHOLE_STATION: Final = 0
"""The connector (EVSE in 2.0.1) that stands for all of them."""


@dataclass(frozen=True, slots=True)
class ProfileRules:
    """What a station takes: the four smart-charging keys of its configuration.

    Attributes:
        max_stack_level: ChargeProfileMaxStackLevel.
        max_periods: ChargingScheduleMaxPeriods, in one schedule.
        max_installed: MaxChargingProfilesInstalled.
        rate_units: ChargingScheduleAllowedChargingRateUnit (Current is A, Power is W).
    """

    max_stack_level: int = 10
    max_periods: int = 48
    max_installed: int = 20
    rate_units: frozenset[RateUnit] = frozenset(RateUnit)


DEFAULT_RULES: Final = ProfileRules()


class ActiveTransaction(NamedTuple):
    """A transaction that runs: its id as the CSMS knows it (None while it does not know it yet) and its beginning."""

    transaction_id: int | str | None
    start_s: float


def check_profile(
    connector_id: int, profile: ChargingProfile, rules: ProfileRules, transaction: ActiveTransaction | None
) -> None:
    """Return if `profile` may be installed at `connector_id`, where `transaction` runs. Raises ProfileRejected."""
    if not 0 <= profile.stack_level <= rules.max_stack_level:
        raise ProfileRejected(
            ProfileReason.INVALID_STACK_LEVEL,
            f"stackLevel must be 0 to {rules.max_stack_level}, got {profile.stack_level}",
        )
    if len(profile.schedule.periods) > rules.max_periods:
        raise ProfileRejected(
            ProfileReason.INVALID_SCHEDULE,
            f"a schedule has at most {rules.max_periods} periods, got {len(profile.schedule.periods)}",
        )
    if profile.schedule.unit not in rules.rate_units:
        raise ProfileRejected(
            ProfileReason.UNSUPPORTED_RATE_UNIT, f"limits in {profile.schedule.unit.value} are not taken here"
        )
    if profile.purpose is Purpose.STATION_MAX and connector_id != WHOLE_STATION:
        raise ProfileRejected(
            ProfileReason.INVALID_PROFILE, f"the station's own profile is set at 0, not at {connector_id}"
        )
    if profile.purpose is Purpose.TX:
        _check_transaction(connector_id, profile, transaction)


def overlap(one: ChargingProfile, other: ChargingProfile) -> bool:
    """Return whether two profiles are valid at the same time at some time."""
    return not (
        (one.valid_to_s is not None and other.valid_from_s is not None and one.valid_to_s <= other.valid_from_s)
        or (other.valid_to_s is not None and one.valid_from_s is not None and other.valid_to_s <= one.valid_from_s)
    )


def _check_transaction(connector_id: int, profile: ChargingProfile, transaction: ActiveTransaction | None) -> None:
    if connector_id == WHOLE_STATION:
        raise ProfileRejected(ProfileReason.INVALID_PROFILE, "a TxProfile is set at a connector, not at 0")
    if transaction is None:
        raise ProfileRejected(ProfileReason.TX_NOT_FOUND, f"no transaction runs at {connector_id}")
    if profile.transaction_id is not None and profile.transaction_id != transaction.transaction_id:
        raise ProfileRejected(
            ProfileReason.TX_NOT_FOUND,
            f"transaction {transaction.transaction_id} runs at {connector_id}, not {profile.transaction_id}",
        )
