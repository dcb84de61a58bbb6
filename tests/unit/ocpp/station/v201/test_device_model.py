"""GetVariables, SetVariables and base reports of a 2.0.1 station."""

from __future__ import annotations

import pytest

from evcharging.ocpp.errors import CallFailed
from evcharging.ocpp.station.v201.variables import MOST_ITEMS, VARIABLES
from tests.support.station_v201 import Csms201, csms_of, living_201, variable


async def got(csms: Csms201, *asked):
    return (await csms.call("GetVariables", {"getVariableData": list(asked)}))["getVariableResult"]


async def put(csms: Csms201, *asked):
    return (await csms.call("SetVariables", {"setVariableData": list(asked)}))["setVariableResult"]


async def test_variables_are_read_in_the_case_they_are_asked_in():
    async with living_201() as world:
        [one, other] = await got(
            csms_of(world),
            variable("OCPPCommCtrlr", "HeartbeatInterval", attributeType="Actual"),
            variable("ocppcommctrlr", "MESSAGETIMEOUT", instance="default"),
        )
        assert one["attributeStatus"] == "Accepted"
        assert one["attributeValue"] == "300"
        assert one["attributeType"] == "Actual"
        assert other["attributeValue"] == "5"
        assert other["variable"] == {"name": "MESSAGETIMEOUT", "instance": "default"}


async def test_what_is_not_there_is_told_by_its_kind():
    async with living_201() as world:
        results = await got(
            csms_of(world),
            variable("CoffeeCtrlr", "Beans"),
            variable("TxCtrlr", "Beans"),
            variable("TxCtrlr", "EVConnectionTimeOut", attributeType="MaxSet"),
            variable("SecurityCtrlr", "BasicAuthPassword"),
            variable("OCPPCommCtrlr", "MessageTimeout"),
            variable("EVSE", "Available", evse={"id": 9}),
        )
        assert [one["attributeStatus"] for one in results] == [
            "UnknownComponent",
            "UnknownVariable",
            "NotSupportedAttributeType",
            "Rejected",
            "UnknownVariable",
            "UnknownComponent",
        ]
        assert results[3]["attributeStatusInfo"]["reasonCode"] == "WriteOnly"
        assert all("attributeValue" not in one for one in results)


async def test_what_is_written_acts():
    async with living_201() as world:
        csms = csms_of(world)
        [answer] = await put(csms, variable("OCPPCommCtrlr", "HeartbeatInterval", attributeValue="20"))
        assert answer["attributeStatus"] == "Accepted"
        await world.clock.advance(41)
        assert len(csms.of("Heartbeat")) == 2
        await put(csms, variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="5"))
        await world.charge()
        await world.clock.advance(11)
        assert [one["triggerReason"] for one in csms.events()].count("MeterValuePeriodic") == 2


@pytest.mark.parametrize(
    ("component", "name", "value", "status", "reason"),
    [
        ("SecurityCtrlr", "Identity", "x", "Rejected", "ReadOnly"),
        ("OCPPCommCtrlr", "HeartbeatInterval", "often", "Rejected", "InvalidValue"),
        ("OCPPCommCtrlr", "HeartbeatInterval", "-1", "Rejected", "InvalidValue"),
        ("AuthCtrlr", "LocalPreAuthorize", "maybe", "Rejected", "InvalidValue"),
        ("SampledDataCtrlr", "TxUpdatedMeasurands", "Coffee", "Rejected", "InvalidValue"),
        ("SecurityCtrlr", "BasicAuthPassword", "short", "Rejected", "InvalidValue"),
        ("CoffeeCtrlr", "Beans", "1", "UnknownComponent", None),
    ],
)
async def test_what_cannot_be_written_says_why(component, name, value, status, reason):
    async with living_201() as world:
        [answer] = await put(csms_of(world), variable(component, name, attributeValue=value))
        assert answer["attributeStatus"] == status
        assert answer.get("attributeStatusInfo", {}).get("reasonCode") == reason


async def test_a_new_password_is_used_for_the_next_connection():
    async with living_201(password="first-password-16") as world:
        csms = csms_of(world)
        await put(csms, variable("SecurityCtrlr", "BasicAuthPassword", attributeValue="second-password-16"))
        world.station.drop()
        await world.clock.advance(120)
        first, second = (opening.headers["Authorization"] for opening in csms.openings)
        assert first != second


async def test_every_variable_that_can_be_written_takes_what_it_says():
    async with living_201() as world:
        for one in VARIABLES:
            if one.mutability != "ReadWrite":
                continue
            assert one.read is not None
            value = one.read(world.station)
            named = {"instance": one.instance} if one.instance else {}
            [answer] = await put(csms_of(world), variable(one.component, one.name, attributeValue=value or "", **named))
            assert answer["attributeStatus"] == "Accepted", one.label


async def test_the_components_of_an_evse_tell_how_it_stands():
    async with living_201(connectors=2) as world:
        csms = csms_of(world)
        await world.charge(connector_id=2)
        answers = await got(
            csms,
            variable("EVSE", "AvailabilityState", evse={"id": 1}),
            variable("EVSE", "AvailabilityState", evse={"id": 2}),
            variable("Connector", "ConnectorType", evse={"id": 2, "connectorId": 1}),
            variable("EVSE", "Power", evse={"id": 2}),
            variable("ChargingStation", "AvailabilityState"),
        )
        assert [one["attributeValue"] for one in answers] == ["Available", "Occupied", "sType2", "7360.0", "Available"]


async def test_too_many_at_once_are_refused():
    async with living_201() as world:
        world.csms.problems = []
        with pytest.raises(CallFailed, match="OccurrenceConstraintViolation"):
            await got(csms_of(world), *[variable("TxCtrlr", "TxStartPoint")] * (MOST_ITEMS + 1))


@pytest.mark.parametrize("base", ["FullInventory", "ConfigurationInventory", "SummaryInventory"])
async def test_base_reports_come_in_parts_after_the_answer(base):
    async with living_201(connectors=2) as world:
        csms = csms_of(world)
        assert (await csms.call("GetBaseReport", {"requestId": 4, "reportBase": base}))["status"] == "Accepted"
        await world.settle()
        parts = csms.of("NotifyReport")
        assert [one["seqNo"] for one in parts] == list(range(len(parts)))
        assert [one["tbc"] for one in parts] == [True] * (len(parts) - 1) + [False]
        assert {one["requestId"] for one in parts} == {4}
        data = [item for part in parts for item in part["reportData"]]
        mutabilities = {item["variableAttribute"][0]["mutability"] for item in data}
        names = {item["variable"]["name"] for item in data}
        if base == "ConfigurationInventory":
            assert mutabilities == {"ReadWrite", "WriteOnly"}
        if base == "SummaryInventory":
            assert names == {"AvailabilityState", "Available"}
        if base == "FullInventory":
            assert len(data) > len(VARIABLES)
        secrets = [item for item in data if item["variable"]["name"] == "BasicAuthPassword"]
        assert all("value" not in item["variableAttribute"][0] for item in secrets)
