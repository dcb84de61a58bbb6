"""TriggerMessage of 2.0.1: what is asked for follows the answer."""

from __future__ import annotations

import pytest

from tests.support.station_v201 import csms_of, living_201

EVSE = {"id": 1, "connectorId": 1}


@pytest.mark.parametrize(
    ("wanted", "evse", "action"),
    [
        ("Heartbeat", None, "Heartbeat"),
        ("StatusNotification", EVSE, "StatusNotification"),
        ("MeterValues", {"id": 1}, "MeterValues"),
        ("LogStatusNotification", None, "LogStatusNotification"),
        ("FirmwareStatusNotification", None, "FirmwareStatusNotification"),
        ("TransactionEvent", {"id": 1}, "TransactionEvent"),
    ],
)
async def test_what_is_asked_for_follows(wanted, evse, action):
    async with living_201() as world:
        csms = csms_of(world)
        if wanted == "TransactionEvent":
            await world.charge()
        before = len(csms.of(action))
        asked = {"requestedMessage": wanted, **({} if evse is None else {"evse": evse})}
        assert (await csms.call("TriggerMessage", asked))["status"] == "Accepted"
        await world.settle()
        assert len(csms.of(action)) == before + 1
        if wanted == "TransactionEvent":
            assert csms.events()[-1]["triggerReason"] == "Trigger"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"requestedMessage": "SignChargingStationCertificate"}, "NotImplemented"),
        ({"requestedMessage": "BootNotification"}, "Rejected"),
        ({"requestedMessage": "StatusNotification"}, "Rejected"),
        ({"requestedMessage": "StatusNotification", "evse": {"id": 1}}, "Rejected"),
        ({"requestedMessage": "MeterValues", "evse": {"id": 3}}, "Rejected"),
        ({"requestedMessage": "MeterValues", "evse": {"id": 1, "connectorId": 2}}, "Rejected"),
        ({"requestedMessage": "TransactionEvent", "evse": {"id": 1}}, "Rejected"),
    ],
)
async def test_what_cannot_follow_is_not_accepted(asked, status):
    async with living_201() as world:
        csms = csms_of(world)
        seen = len(csms.received)
        assert (await csms.call("TriggerMessage", asked))["status"] == status
        await world.settle()
        assert len(csms.received) == seen
