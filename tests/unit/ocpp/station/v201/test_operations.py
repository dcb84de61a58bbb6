"""What a CSMS may ask of a 2.0.1 station. Answers are held to the standard's schemas by the CSMS."""

from __future__ import annotations

import pytest

from evcharging.ocpp.errors import CallFailed
from evcharging.ocpp.schemas import actions
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_v201 import Csms201, csms_of, living_201
from tests.support.station_world import VEHICLE

TOKEN = {"idToken": "TAG", "type": "eMAID"}


async def test_what_a_station_does_not_do_is_not_supported():
    async with living_201() as world:
        for action, payload in (
            ("GetInstalledCertificateIds", {}),
            ("ClearVariableMonitoring", {"id": [1]}),
            ("CostUpdated", {"totalCost": 1.0, "transactionId": "t"}),
        ):
            assert action in actions(OcppVersion.V201)
            with pytest.raises(CallFailed, match="NotSupported"):
                await csms_of(world).call(action, payload)


async def test_a_rejected_station_does_nothing():
    csms = Csms201()
    csms.answers["BootNotification"] = {"status": "Rejected", "interval": 90, "currentTime": "2025-06-16T00:00:00Z"}
    async with living_201(csms):
        with pytest.raises(CallFailed, match="SecurityError"):
            await csms.call("ClearCache")


class TestReset:
    async def test_TC_B_22_at_once_ends_the_transaction_and_boots_anew(self):
        async with living_201() as world:
            csms = csms_of(world)
            await world.charge()
            await world.clock.advance(10)
            assert (await csms.call("Reset", {"type": "Immediate"}))["status"] == "Accepted"
            await world.clock.advance(60)
            assert csms.events("Ended")[0]["transactionInfo"]["stoppedReason"] == "ImmediateReset"
            assert [one["reason"] for one in csms.of("BootNotification")] == ["PowerUp", "RemoteReset"]

    async def test_TC_B_20_when_idle_without_a_transaction_is_at_once(self):
        async with living_201() as world:
            csms = csms_of(world)
            assert (await csms.call("Reset", {"type": "OnIdle"}))["status"] == "Accepted"
            await world.clock.advance(60)
            assert len(csms.of("BootNotification")) == 2

    async def test_TC_B_21_when_idle_waits_for_the_transaction_and_admits_no_other(self):
        async with living_201(connectors=2) as world:
            csms = csms_of(world)
            await world.charge()
            assert (await csms.call("Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
            assert (await csms.call("Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
            await world.clock.advance(60)
            assert len(csms.of("BootNotification")) == 1
            world.station.plug_in(2, VEHICLE)
            assert not await world.station.present("OTHER", 2)
            world.station.unplug(1)
            await world.clock.advance(120)
            assert [one["reason"] for one in csms.of("BootNotification")] == ["PowerUp", "ScheduledReset"]
            assert csms.words(1)[-1] == "Available"

    async def test_of_one_evse_is_rejected(self):
        async with living_201() as world:
            answer = await csms_of(world).call("Reset", {"type": "Immediate", "evseId": 1})
            assert answer["status"] == "Rejected"
            assert answer["statusInfo"]["reasonCode"] == "UnsupportedRequest"


class TestAvailability:
    async def test_of_an_evse_changes_at_once_where_nothing_runs(self):
        async with living_201(connectors=2) as world:
            csms = csms_of(world)
            change = {"operationalStatus": "Inoperative", "evse": {"id": 2, "connectorId": 1}}
            assert (await csms.call("ChangeAvailability", change))["status"] == "Accepted"
            await world.settle()
            assert (csms.words(1)[-1], csms.words(2)[-1]) == ("Available", "Unavailable")
            change["operationalStatus"] = "Operative"
            await csms.call("ChangeAvailability", change)
            await world.settle()
            assert csms.words(2)[-1] == "Available"

    async def test_with_a_transaction_is_scheduled(self):
        async with living_201() as world:
            csms = csms_of(world)
            await world.charge()
            answer = await csms.call("ChangeAvailability", {"operationalStatus": "Inoperative"})
            assert answer["status"] == "Scheduled"
            world.station.unplug(1)
            await world.settle()
            assert csms.words()[-1] == "Unavailable"

    @pytest.mark.parametrize("evse", [{"id": 7}, {"id": 1, "connectorId": 2}])
    async def test_of_what_is_not_there_is_rejected(self, evse):
        async with living_201() as world:
            change = {"operationalStatus": "Inoperative", "evse": evse}
            assert (await csms_of(world).call("ChangeAvailability", change))["status"] == "Rejected"


class TestLists:
    async def test_a_local_list_is_kept_by_its_version(self):
        async with living_201() as world:
            csms = csms_of(world)
            assert (await csms.call("GetLocalListVersion"))["versionNumber"] == 0
            entry = {"idToken": TOKEN, "idTokenInfo": {"status": "Blocked"}}
            update = {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": [entry]}
            assert (await csms.call("SendLocalList", update))["status"] == "Accepted"
            assert (await csms.call("GetLocalListVersion"))["versionNumber"] == 3
            stale = {"versionNumber": 2, "updateType": "Differential"}
            assert (await csms.call("SendLocalList", stale))["status"] == "VersionMismatch"

    async def test_a_list_is_refused_where_lists_are_off(self):
        async with living_201(configuration={"LocalAuthListCtrlr.Enabled": "false"}) as world:
            csms = csms_of(world)
            assert (await csms.call("GetLocalListVersion"))["versionNumber"] == 0
            assert (await csms.call("SendLocalList", {"versionNumber": 1, "updateType": "Full"}))["status"] == "Failed"

    async def test_the_cache_is_cleared_where_there_is_one(self):
        async with living_201() as world:
            csms = csms_of(world)
            assert (await csms.call("ClearCache"))["status"] == "Accepted"
            world.station.authorization.cache_enabled = False
            assert (await csms.call("ClearCache"))["status"] == "Rejected"


async def test_reservations_hold_an_evse_until_they_are_cancelled():
    async with living_201() as world:
        csms = csms_of(world)
        reserve = {"id": 5, "expiryDateTime": "2025-06-16T01:00:00Z", "idToken": TOKEN, "evseId": 1}
        assert (await csms.call("ReserveNow", reserve))["status"] == "Accepted"
        await world.settle()
        assert csms.words()[-1] == "Reserved"
        assert (await csms.call("CancelReservation", {"reservationId": 5}))["status"] == "Accepted"
        assert (await csms.call("CancelReservation", {"reservationId": 5}))["status"] == "Rejected"
        await world.settle()
        assert csms.words()[-1] == "Available"


async def test_a_reservation_is_named_by_the_transaction_that_used_it():
    async with living_201() as world:
        csms = csms_of(world)
        reserve = {"id": 5, "expiryDateTime": "2025-06-16T01:00:00Z", "idToken": TOKEN, "evseId": 1}
        await csms.call("ReserveNow", reserve)
        await world.charge("TAG")
        assert csms.events("Started")[0]["reservationId"] == 5


async def test_a_log_upload_tells_its_steps_by_the_number_of_its_request():
    async with living_201() as world:
        csms = csms_of(world)
        log = {"log": {"remoteLocation": "https://logs.example/"}, "logType": "DiagnosticsLog", "requestId": 11}
        answer = await csms.call("GetLog", log)
        assert answer["status"] == "Accepted"
        assert answer["filename"]
        await world.clock.advance(10)
        told = csms.of("LogStatusNotification")
        assert told == [{"status": "Uploading", "requestId": 11}, {"status": "Uploaded", "requestId": 11}]


async def test_an_upload_to_nowhere_fails_in_the_words_of_201():
    async with living_201() as world:
        csms = csms_of(world)
        log = {"log": {"remoteLocation": "carrier pigeon"}, "logType": "SecurityLog", "requestId": 12}
        await csms.call("GetLog", log)
        await world.clock.advance(10)
        assert csms.of("LogStatusNotification")[-1] == {"status": "UploadFailure", "requestId": 12}


async def test_a_firmware_update_tells_its_steps_and_boots_with_the_new_version():
    async with living_201() as world:
        csms = csms_of(world)
        firmware = {"location": "https://fw.example/v2.bin", "retrieveDateTime": "2025-06-16T00:00:00Z"}
        update = {"requestId": 8, "firmware": firmware}
        assert (await csms.call("UpdateFirmware", update))["status"] == "Accepted"
        await world.clock.advance(60)
        assert [one["status"] for one in csms.of("FirmwareStatusNotification")] == [
            "Downloading",
            "Downloaded",
            "Installing",
            "Installed",
        ]
        assert {one["requestId"] for one in csms.of("FirmwareStatusNotification")} == {8}
        boot = csms.of("BootNotification")[-1]
        assert (boot["reason"], boot["chargingStation"]["firmwareVersion"]) == ("FirmwareUpdate", "v2")


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ({"vendorId": "nobody"}, {"status": "UnknownVendorId"}),
        ({"vendorId": "evcharging", "messageId": "Sing"}, {"status": "UnknownMessageId"}),
        ({"vendorId": "evcharging", "messageId": "Echo", "data": {"a": 1}}, {"status": "Accepted", "data": {"a": 1}}),
    ],
)
async def test_data_transfer_echoes(payload, answer):
    async with living_201() as world:
        assert await csms_of(world).call("DataTransfer", payload) == answer
