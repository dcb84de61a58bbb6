"""Sessions that a CSMS begins, ends and asks about in 2.0.1."""

from __future__ import annotations

import pytest

from evcharging.domain.charger_state import FaultCode
from tests.support.station_v201 import csms_of, living_201
from tests.support.station_world import VEHICLE

TOKEN = {"idToken": "REMOTE-1", "type": "Central"}
PROFILE = {
    "id": 3,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]}
    ],
}


def start(**more):
    return {"idToken": TOKEN, "remoteStartId": 77, **more}


async def test_TC_F_01_a_remote_start_with_the_vehicle_there_begins_at_once():
    async with living_201() as world:
        csms = csms_of(world)
        world.station.plug_in(1, VEHICLE)
        assert (await csms.call("RequestStartTransaction", start(evseId=1)))["status"] == "Accepted"
        await world.settle()
        started = csms.events("Started")[0]
        assert started["triggerReason"] == "RemoteStart"
        assert started["transactionInfo"]["remoteStartId"] == 77
        assert started["idToken"] == TOKEN


async def test_TC_F_02_a_remote_start_waits_for_its_vehicle():
    async with living_201() as world:
        csms = csms_of(world)
        assert (await csms.call("RequestStartTransaction", start()))["status"] == "Accepted"
        await world.settle()
        assert csms.words()[-1] == "Occupied"
        assert csms.events() == []
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert csms.events("Started")[0]["transactionInfo"]["remoteStartId"] == 77


async def test_a_profile_that_comes_with_the_start_limits_the_session():
    async with living_201() as world:
        csms = csms_of(world)
        world.station.plug_in(1, VEHICLE)
        await csms.call("RequestStartTransaction", start(evseId=1, chargingProfile=PROFILE))
        await world.clock.advance(3)
        assert world.station.snapshot().connectors[0].limit_amps == 10.0


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"evseId": 5}, "UnknownEvse"),
        ({"evseId": 1, "chargingProfile": {**PROFILE, "chargingProfilePurpose": "TxDefaultProfile"}}, "InvalidProfile"),
        ({"evseId": 1, "chargingProfile": {**PROFILE, "stackLevel": 99}}, "InvalidStackLevel"),
    ],
)
async def test_a_start_that_cannot_be_is_rejected_with_its_reason(more, reason):
    async with living_201() as world:
        world.station.plug_in(1, VEHICLE)
        answer = await csms_of(world).call("RequestStartTransaction", start(**more))
        assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", reason)


async def test_a_start_where_all_is_taken_is_rejected():
    async with living_201() as world:
        await world.charge()
        answer = await csms_of(world).call("RequestStartTransaction", start())
        assert answer["statusInfo"]["reasonCode"] == "TxInProgress"


async def test_a_remote_stop_ends_the_transaction_it_names():
    async with living_201() as world:
        csms = csms_of(world)
        await world.charge()
        name = csms.events("Started")[0]["transactionInfo"]["transactionId"]
        unknown = await csms.call("RequestStopTransaction", {"transactionId": "another"})
        assert (unknown["status"], unknown["statusInfo"]["reasonCode"]) == ("Rejected", "UnknownTxId")
        assert (await csms.call("RequestStopTransaction", {"transactionId": name}))["status"] == "Accepted"
        await world.settle()
        ended = csms.events("Ended")[0]
        assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")


async def test_where_a_transaction_stands_is_told():
    async with living_201() as world:
        csms = csms_of(world)
        await world.charge()
        name = csms.events("Started")[0]["transactionInfo"]["transactionId"]
        asked = {"transactionId": name}
        assert await csms.call("GetTransactionStatus", asked) == {"ongoingIndicator": True, "messagesInQueue": False}
        csms.silent.add("TransactionEvent")
        world.station.unplug(1)
        await world.settle()
        assert await csms.call("GetTransactionStatus", asked) == {"ongoingIndicator": False, "messagesInQueue": True}
        assert await csms.call("GetTransactionStatus") == {"messagesInQueue": True}


async def test_a_connector_is_unlocked_only_where_no_transaction_runs():
    async with living_201() as world:
        csms = csms_of(world)
        asked = {"evseId": 1, "connectorId": 1}
        assert (await csms.call("UnlockConnector", asked))["status"] == "Unlocked"
        assert (await csms.call("UnlockConnector", {**asked, "connectorId": 2}))["status"] == "UnknownConnector"
        world.station.inject_fault(1, FaultCode.CONTACTOR_WELDED)
        assert (await csms.call("UnlockConnector", asked))["status"] == "UnlockFailed"
        world.station.clear_fault(1)
        await world.charge()
        assert (await csms.call("UnlockConnector", asked))["status"] == "OngoingAuthorizedTransaction"
