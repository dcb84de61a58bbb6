"""Why a session ended, and whether that makes it completed, failed or cancelled. One reason, one status."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from evcharging.domain.charger_state import FaultCode


class SessionStatus(StrEnum):
    """What a session's record says about it."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class EndReason(StrEnum):
    """Why a session ended, as records and messages spell it."""

    TARGET_REACHED = "target_reached"
    """The energy asked for, or the cap on it."""
    TIME_ELAPSED = "time_elapsed"
    """The time a session lasts is over (the demo's 10 s)."""
    BATTERY_FULL = "battery_full"
    UNPLUGGED = "unplugged"
    LOCAL_STOP = "local_stop"
    """The driver ended it at the charger."""
    PRICE_TOO_HIGH = "price_too_high"
    """The price rose above what the station charges at."""
    POLICY_STOP = "policy_stop"
    """The hour, or what else the station's own policy goes by."""
    OPERATOR_STOP = "operator_stop"
    SHUTDOWN = "shutdown"
    """The engine was stopped in good order; the energy until then stands."""

    DRIVER_CANCEL = "driver_cancel"

    GROUND_FAULT = "ground_fault"
    OVER_TEMPERATURE = "over_temperature"
    CONTACTOR_WELDED = "contactor_welded"
    COMMUNICATION_LOSS = "communication_loss"
    CHARGER_FAULT = "charger_fault"
    """A fault that the charger does not name more closely."""
    ENGINE_LOST = "engine_lost"
    CHARGER_SILENT = "charger_silent"
    START_TIMEOUT = "start_timeout"
    POWER_LOSS = "power_loss"
    RESET = "reset"
    EMERGENCY_STOP = "emergency_stop"
    DEAUTHORIZED = "deauthorized"

    @property
    def status(self) -> SessionStatus:
        """The status of a session that ended so."""
        return _STATUS[self]

    @classmethod
    def of_fault(cls, code: FaultCode) -> "EndReason":
        """Return the reason for a session cut by a fault; NONE, a fault already gone, is CHARGER_FAULT."""
        return cls.CHARGER_FAULT if code is FaultCode.NONE else cls(code.value.lower())


_COMPLETED: Final = (
    EndReason.TARGET_REACHED,
    EndReason.TIME_ELAPSED,
    EndReason.BATTERY_FULL,
    EndReason.UNPLUGGED,
    EndReason.LOCAL_STOP,
    EndReason.PRICE_TOO_HIGH,
    EndReason.POLICY_STOP,
    EndReason.OPERATOR_STOP,
    EndReason.SHUTDOWN,
)

_STATUS: Final[Mapping[EndReason, SessionStatus]] = {
    **dict.fromkeys(EndReason, SessionStatus.FAILED),
    **dict.fromkeys(_COMPLETED, SessionStatus.COMPLETED),
    EndReason.DRIVER_CANCEL: SessionStatus.CANCELLED,
}
