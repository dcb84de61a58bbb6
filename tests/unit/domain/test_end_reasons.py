import pytest

from evcharging.domain.charger_state import FaultCode
from evcharging.domain.end_reasons import EndReason, SessionStatus


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        (
            SessionStatus.COMPLETED,
            {
                "target_reached",
                "time_elapsed",
                "battery_full",
                "unplugged",
                "local_stop",
                "price_too_high",
                "policy_stop",
                "operator_stop",
                "shutdown",
            },
        ),
        (SessionStatus.CANCELLED, {"driver_cancel"}),
        (
            SessionStatus.FAILED,
            {
                "ground_fault",
                "over_temperature",
                "contactor_welded",
                "communication_loss",
                "charger_fault",
                "engine_lost",
                "charger_silent",
                "start_timeout",
                "power_loss",
                "reset",
                "emergency_stop",
                "deauthorized",
            },
        ),
        (SessionStatus.ACTIVE, set()),
    ],
)
def test_every_reason_gives_one_status(status, reasons):
    assert {reason.value for reason in EndReason if reason.status is status} == reasons


@pytest.mark.parametrize("code", list(FaultCode))
def test_a_fault_fails_the_session_under_its_own_name(code):
    reason = EndReason.of_fault(code)
    assert reason.status is SessionStatus.FAILED
    assert reason.value == ("charger_fault" if code is FaultCode.NONE else code.value.lower())
