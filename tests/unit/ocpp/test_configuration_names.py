"""Names of configuration keys, in both versions."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.ocpp.configuration_names import is_secret, variable_name, variable_of, why_not_to_be_set
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.versions import OcppVersion

VARIABLES: dict[str, dict[str, Any]] = {
    "OCPPCommCtrlr.HeartbeatInterval": {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "HeartbeatInterval"},
    },
    "EVSE@1.Power": {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}},
    "Connector@1.2[left].Type[new]": {
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}, "instance": "left"},
        "variable": {"name": "Type", "instance": "new"},
    },
}


@pytest.mark.parametrize("key", VARIABLES)
def test_a_key_names_a_component_and_its_variable_and_these_name_the_key(key: str) -> None:
    named = variable_of(key)
    assert named == VARIABLES[key]
    assert variable_name(named) == key
    check_request(OcppVersion.V201, "SetVariables", {"setVariableData": [{**named, "attributeValue": "1"}]})


@pytest.mark.parametrize("key", ["", "HeartbeatInterval", ".x", "x.", "A.B.C", "A@x.B", "A[.B", "A" * 51 + ".B"])
def test_what_names_no_variable_is_none(key: str) -> None:
    assert variable_of(key) is None


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("AuthorizationKey", True),
        ("authorizationkey", True),
        ("SecurityCtrlr.BasicAuthPassword", True),
        ("SecurityCtrlr.basicauthpassword[1]", True),
        ("AuthorizationKeyLength", False),
        ("SecurityCtrlr.Identity", False),
    ],
)
def test_a_password_is_known_by_its_name(key: str, secret: bool) -> None:
    assert is_secret(key) is secret
    assert (why_not_to_be_set(key, "0123456789abcdef", None) is not None) is secret


@pytest.mark.parametrize(
    ("key", "value", "version", "why_not"),
    [
        ("HeartbeatInterval", "33", OcppVersion.V16, None),
        ("HeartbeatInterval", "33", None, None),
        ("HeartbeatInterval", "33", OcppVersion.V201, "names no variable of OCPP 2.0.1"),
        ("K" * 51, "1", OcppVersion.V16, "has 51 characters"),
        ("C" * 50 + ".V", "1", None, None),
        ("C" * 60, "1", None, "has 60 characters"),
        ("", "1", OcppVersion.V16, "has 0 characters"),
        ("Key", "v" * 501, OcppVersion.V16, "500"),
        ("A.B", "v" * 501, OcppVersion.V201, None),
        ("A.B", "v" * 1001, None, "1000"),
    ],
)
def test_a_key_that_no_station_of_the_version_can_be_set_is_told_why(
    key: str, value: str, version: OcppVersion | None, why_not: str | None
) -> None:
    told = why_not_to_be_set(key, value, version)
    assert told is None if why_not is None else why_not in str(told)
