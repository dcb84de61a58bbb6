"""Central's orders in 1.6: what goes over the wire holds the standard's schemas."""

from __future__ import annotations

import json

import pytest

from evcharging.apps.ocpp_gateway.dialect import Ask, status_refusal
from evcharging.apps.ocpp_gateway.dialect_v16 import DialectV16
from evcharging.ocpp.schemas import actions, check_request
from evcharging.ocpp.versions import OcppVersion

DIALECT = DialectV16()
ASKS = [
    DIALECT.start(id_tag="T", connector_id=2, remote_start_id=1),
    DIALECT.start(id_tag="T", connector_id=None, remote_start_id=1),
    DIALECT.stop("17"),
    DIALECT.serve(0, operative=False),
    DIALECT.serve(1, operative=True),
    DIALECT.limit(0, 32.04),
    DIALECT.limit(1, 0, stack_level=8),
    DIALECT.highest_level(),
    DIALECT.read_keys(["One", "Two"]),
    DIALECT.set_key("One", "1"),
    DIALECT.inject(1, "unplug", {}),
]


@pytest.mark.parametrize("ask", ASKS, ids=[f"{n}-{ask.action}" for n, ask in enumerate(ASKS)])
def test_every_order_is_a_valid_request(ask: Ask) -> None:
    check_request(OcppVersion.V16, ask.action, ask.payload)


def test_what_a_csms_initiates_and_what_a_station_does_make_the_28_operations() -> None:
    theirs = {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
    assert len(DIALECT.actions | theirs) == 28
    assert DIALECT.actions | theirs <= actions(OcppVersion.V16)


def test_a_limit_replaces_itself_and_is_of_the_whole_station_for_connector_0() -> None:
    whole, one = (DIALECT.limit(c, 16).payload["csChargingProfiles"] for c in (0, 1))
    assert (whole["chargingProfilePurpose"], one["chargingProfilePurpose"]) == (
        "ChargePointMaxProfile",
        "TxDefaultProfile",
    )
    assert whole["chargingProfileId"] != one["chargingProfileId"]
    assert DIALECT.limit(1, 6).payload["csChargingProfiles"]["chargingProfileId"] == one["chargingProfileId"]


def test_an_injected_event_carries_what_our_stations_read() -> None:
    payload = DIALECT.inject(2, "fault", {"code": "ground_fault"}).payload
    assert json.loads(payload["data"]) == {"connector_id": 2, "kind": "fault", "code": "ground_fault"}


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("Accepted", None), ("Scheduled", None), ("RebootRequired", None), ("Rejected", "Rejected"), ("Failed", "Failed")],
)
def test_a_promise_is_a_yes(status: str, refusal: str | None) -> None:
    assert status_refusal({"status": status}) == refusal


def test_values_are_those_of_keys_that_have_one() -> None:
    one = {"key": "One", "readonly": False, "value": "1"}
    told = DIALECT.values_told({"configurationKey": [one, {"key": "Two", "readonly": True}], "unknownKey": ["Three"]})
    assert told == {"One": "1"}
    assert DIALECT.values_told({}) == {}
    assert DIALECT.set_told({"status": "NotSupported"}) == "NotSupported"
