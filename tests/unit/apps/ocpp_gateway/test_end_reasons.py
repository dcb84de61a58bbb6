"""The station's word for an end, and ours."""

from __future__ import annotations

import pytest

from evcharging.apps.ocpp_gateway.end_reasons import end_reason


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, "local_stop"),
        ("Local", "local_stop"),
        ("EVDisconnected", "unplugged"),
        ("PowerLoss", "power_loss"),
        ("HardReset", "reset"),
        ("DeAuthorized", "deauthorized"),
        ("EmergencyStop", "emergency_stop"),
        ("UnlockCommand", "operator_stop"),
        ("Remote", "operator_stop"),
        ("Other", "charger_fault"),
        ("EnergyLimitReached", "target_reached"),
        ("ANewWord", "charger_fault"),
    ],
)
def test_the_standards_words_have_reasons_of_records(told: str | None, reason: str) -> None:
    assert end_reason(told) == reason


@pytest.mark.parametrize("told", ["Remote", "Other", None])
def test_a_stop_that_we_asked_for_has_our_reason(told: str | None) -> None:
    assert end_reason(told, requested="target_reached") == "target_reached"


def test_a_stations_own_reason_counts_over_what_we_asked_for() -> None:
    assert end_reason("EVDisconnected", requested="target_reached") == "unplugged"
