"""Why a transaction ended: from the station's word for it to the reason on the session's record.

The words are those of 1.6 (Reason, section 7.36) and 2.0.1 (ReasonEnumType, section 3.67), which do not contradict
each other.
"""

from __future__ import annotations

from typing import Final

from evcharging.domain.end_reasons import EndReason

__all__ = ["DEFAULT_REASON", "end_reason"]

DEFAULT_REASON: Final = "Local"
"""What a stop without a reason means (1.6, section 6.49)."""

OURS: Final = ("Remote", "Other", None)
"""Words under which a station reports a stop that we asked for; some say none."""

_REASONS: Final = {
    "DeAuthorized": EndReason.DEAUTHORIZED,
    "EmergencyStop": EndReason.EMERGENCY_STOP,
    "EnergyLimitReached": EndReason.TARGET_REACHED,
    "EVDisconnected": EndReason.UNPLUGGED,
    "GroundFault": EndReason.GROUND_FAULT,
    "HardReset": EndReason.RESET,
    "ImmediateReset": EndReason.RESET,
    "Local": EndReason.LOCAL_STOP,
    "LocalOutOfCredit": EndReason.POLICY_STOP,
    "MasterPass": EndReason.OPERATOR_STOP,
    "Other": EndReason.CHARGER_FAULT,
    "OvercurrentFault": EndReason.CHARGER_FAULT,
    "PowerLoss": EndReason.POWER_LOSS,
    "PowerQuality": EndReason.CHARGER_FAULT,
    "Reboot": EndReason.RESET,
    "Remote": EndReason.OPERATOR_STOP,
    "SOCLimitReached": EndReason.BATTERY_FULL,
    "SoftReset": EndReason.RESET,
    "StoppedByEV": EndReason.BATTERY_FULL,
    "TimeLimitReached": EndReason.TIME_ELAPSED,
    "Timeout": EndReason.UNPLUGGED,
    "UnlockCommand": EndReason.OPERATOR_STOP,
}


def end_reason(told: str | None, *, requested: str | None = None, noted: EndReason | None = None) -> str:
    """The reason for the record. What we asked the stop for counts where the station's word does not contradict it.

    ``noted`` is what one of our own stations says beside the standard's word, where that is the default.
    """
    if requested is not None and told in OURS:
        return requested
    if noted is not None and told in (None, DEFAULT_REASON):
        return noted.value
    return _REASONS.get(told or DEFAULT_REASON, EndReason.CHARGER_FAULT).value
