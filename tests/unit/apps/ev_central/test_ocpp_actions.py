from __future__ import annotations

import pytest

from evcharging.apps.ev_central.ocpp_actions import FROM_CHARGE_POINTS, initiated_by_central
from evcharging.ocpp.schemas import actions
from evcharging.ocpp.versions import OcppVersion

CORE_16 = {
    "CancelReservation", "ChangeAvailability", "ChangeConfiguration", "ClearCache", "ClearChargingProfile",
    "DataTransfer", "GetCompositeSchedule", "GetConfiguration", "GetDiagnostics", "GetLocalListVersion",
    "RemoteStartTransaction", "RemoteStopTransaction", "ReserveNow", "Reset", "SendLocalList", "SetChargingProfile",
    "TriggerMessage", "UnlockConnector", "UpdateFirmware",
}  # fmt: skip
"""OCPP 1.6 edition 2, chapter 5."""


def test_all_nineteen_operations_of_1_6_that_a_central_system_initiates_can_be_asked() -> None:
    assert initiated_by_central(OcppVersion.V16) >= CORE_16


@pytest.mark.parametrize("version", OcppVersion)
def test_what_charge_points_initiate_cannot_be_asked_of_them_but_for_data_transfer(version: OcppVersion) -> None:
    asked = initiated_by_central(version)
    assert not asked & FROM_CHARGE_POINTS[version]
    assert "DataTransfer" in asked
    assert asked <= actions(version)


def test_2_0_1_has_its_own_words() -> None:
    asked = initiated_by_central(OcppVersion.V201)
    assert {"RequestStartTransaction", "RequestStopTransaction", "GetVariables", "SetVariables"} <= asked
    assert "RemoteStartTransaction" not in asked
