"""The words that the station's core and the versions of OCPP have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from evcharging.ocpp.schemas import check_request, check_response
from evcharging.ocpp.station.v16.wire import WireV16
from evcharging.ocpp.station.v201.wire import WireV201
from evcharging.ocpp.station.wire import Context, RegistrationStatus, Wire
from evcharging.ocpp.versions import OcppVersion

VERSIONS = [OcppVersion.V16, OcppVersion.V201]
AT = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("status", RegistrationStatus)
def test_what_a_boot_is_answered_with_is_spelt_alike_in_both_versions(
    version: OcppVersion, status: RegistrationStatus
) -> None:
    check_response(version, "BootNotification", {"status": status.value, "interval": 10, "currentTime": AT})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("context", Context)
def test_why_a_meter_was_read_is_spelt_alike_in_both_versions(version: OcppVersion, context: Context) -> None:
    value: Any = "1" if version is OcppVersion.V16 else 1.0
    connector = {"connectorId": 1} if version is OcppVersion.V16 else {"evseId": 1}
    sampled: Mapping[str, Any] = {"value": value, "context": context.value}
    check_request(version, "MeterValues", {**connector, "meterValue": [{"timestamp": AT, "sampledValue": [sampled]}]})


@pytest.mark.parametrize("wire", [WireV16, WireV201])
def test_each_version_does_all_that_the_core_asks_of_one(wire: type[Wire]) -> None:
    wanted = {name for name in vars(Wire) if not name.startswith("_")}
    assert wanted <= set(dir(wire))
    assert len(wanted) > 15
