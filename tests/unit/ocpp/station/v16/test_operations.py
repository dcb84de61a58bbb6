import pytest

from evcharging.domain.charger_state import FaultCode
from evcharging.ocpp.errors import CallFailed
from tests.support.station_world import World, living

FROM_CSMS = {
    "CancelReservation": {"reservationId": 1},
    "ChangeAvailability": {"connectorId": 1, "type": "Operative"},
    "ChangeConfiguration": {"key": "ResetRetries", "value": "2"},
    "ClearCache": {},
    "ClearChargingProfile": {},
    "DataTransfer": {"vendorId": "x"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 10},
    "GetConfiguration": {},
    "GetDiagnostics": {"location": "ftp://a/b"},
    "GetLocalListVersion": {},
    "RemoteStartTransaction": {"idTag": "TAG"},
    "RemoteStopTransaction": {"transactionId": 1},
    "ReserveNow": {"connectorId": 1, "expiryDate": "2025-06-16T01:00:00Z", "idTag": "TAG", "reservationId": 1},
    "Reset": {"type": "Soft"},
    "SendLocalList": {"listVersion": 1, "updateType": "Full"},
    "SetChargingProfile": {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.5}],
            },
        },
    },
    "TriggerMessage": {"requestedMessage": "Heartbeat"},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": "ftp://a/b", "retrieveDate": "2025-06-16T01:00:00Z"},
}


@pytest.mark.parametrize("action", sorted(FROM_CSMS))
async def test_every_operation_of_the_csms_is_answered_as_its_schema_has_it(action: str):
    async with living() as world:
        await world.csms.call(action, FROM_CSMS[action])
        await world.settle()


async def test_an_operation_that_is_no_stations_business_is_not_supported():
    async with living() as world:
        with pytest.raises(CallFailed, match="NotSupported"):
            await world.csms.call("Heartbeat")
        with pytest.raises(CallFailed, match="NotImplemented"):
            await world.csms.call("Levitate")


async def test_a_request_that_breaks_its_schema_gets_its_error_and_changes_nothing():
    async with living() as world:
        with pytest.raises(CallFailed, match="PropertyConstraintViolation"):
            await world.csms.call("Reset", {"type": "Gentle"})
        with pytest.raises(CallFailed, match="OccurenceConstraintViolation"):
            await world.csms.call("ChangeAvailability", {"connectorId": 1})
        with pytest.raises(CallFailed, match="TypeConstraintViolation"):
            await world.csms.call("UnlockConnector", {"connectorId": "one"})
        await world.clock.advance(10)
        assert len(world.csms.of("BootNotification")) == 1


async def test_TC_061_clear_cache_makes_the_station_ask_again():
    async with living(configuration={"LocalPreAuthorize": "true"}) as world:
        await world.charge()
        world.station.unplug(1)
        assert await world.csms.call("ClearCache") == {"status": "Accepted"}
        await world.charge()
        assert len(world.csms.of("Authorize")) == 2
        await world.csms.call("ChangeConfiguration", {"key": "AuthorizationCacheEnabled", "value": "false"})
        assert await world.csms.call("ClearCache") == {"status": "Rejected"}


async def test_TC_064_data_transfer_knows_its_own_vendor_and_message():
    async with living() as world:

        async def transfer(**payload: str) -> dict:
            return await world.csms.call("DataTransfer", payload)

        assert await transfer(vendorId="Acme") == {"status": "UnknownVendorId"}
        assert await transfer(vendorId="evcharging", messageId="Sing") == {"status": "UnknownMessageId"}
        assert await transfer(vendorId="evcharging", messageId="Echo", data="la") == {
            "status": "Accepted",
            "data": "la",
        }


async def list_version(world: World) -> int:
    return (await world.csms.call("GetLocalListVersion"))["listVersion"]


async def send(world: World, version: int, kind: str, *entries: dict) -> str:
    payload: dict = {"listVersion": version, "updateType": kind}
    if entries:
        payload["localAuthorizationList"] = list(entries)
    return (await world.csms.call("SendLocalList", payload))["status"]


async def test_TC_042_TC_043_local_lists_are_sent_whole_and_by_differences():
    async with living() as world:
        tag = {"idTag": "A", "idTagInfo": {"status": "Accepted"}}
        assert await list_version(world) == 0
        assert await send(world, 3, "Full", tag) == "Accepted"
        assert await list_version(world) == 3
        assert await send(world, 3, "Differential", tag) == "VersionMismatch"
        assert await send(world, 4, "Differential", {"idTag": "A"}, tag | {"idTag": "B"}) == "Accepted"
        assert await list_version(world) == 4
        assert set(world.station.authorization.entries) == {"b"}
        await world.csms.call("ChangeConfiguration", {"key": "LocalAuthListEnabled", "value": "false"})
        assert await send(world, 5, "Full", tag) == "NotSupported"
        assert await list_version(world) == -1


async def test_send_local_list_max_length_acts():
    settings = {"SendLocalListMaxLength": "1", "LocalAuthListMaxLength": "1"}
    async with living(configuration=settings) as world:
        tag = {"idTag": "A", "idTagInfo": {"status": "Accepted"}}
        assert await send(world, 1, "Full", tag, tag | {"idTag": "B"}) == "Failed"
        assert await send(world, 1, "Full", tag) == "Accepted"
        assert await send(world, 2, "Differential", tag | {"idTag": "B"}) == "Failed"


async def test_a_local_list_with_an_expiry_that_is_no_time_is_refused():
    async with living() as world:
        entry = {"idTag": "A", "idTagInfo": {"status": "Accepted", "expiryDate": "never"}}
        with pytest.raises(CallFailed, match="TypeConstraintViolation"):
            await send(world, 1, "Full", entry)


@pytest.mark.parametrize(
    ("message", "connector_id", "expected"),
    [
        ("BootNotification", None, ["BootNotification"]),
        ("Heartbeat", None, ["Heartbeat"]),
        ("StatusNotification", None, ["StatusNotification"] * 3),
        ("StatusNotification", 0, ["StatusNotification"]),
        ("StatusNotification", 2, ["StatusNotification"]),
        ("MeterValues", None, ["MeterValues"] * 2),
        ("MeterValues", 1, ["MeterValues"]),
        ("FirmwareStatusNotification", None, ["FirmwareStatusNotification"]),
        ("DiagnosticsStatusNotification", None, ["DiagnosticsStatusNotification"]),
    ],
)
async def test_TC_054_a_triggered_message_follows_the_answer(message: str, connector_id: int | None, expected: list):
    async with living(connectors=2) as world:
        world.csms.received.clear()
        request = {"requestedMessage": message} | ({} if connector_id is None else {"connectorId": connector_id})
        assert await world.csms.call("TriggerMessage", request) == {"status": "Accepted"}
        await world.settle()
        assert world.csms.actions() == expected


async def test_TC_055_a_trigger_for_a_connector_that_is_not_there_is_rejected():
    async with living() as world:
        request = {"requestedMessage": "MeterValues", "connectorId": 5}
        assert await world.csms.call("TriggerMessage", request) == {"status": "Rejected"}


async def test_a_station_with_a_fault_still_answers():
    async with living() as world:
        world.station.inject_fault(1, FaultCode.OVER_TEMPERATURE)
        assert (await world.csms.call("RemoteStartTransaction", {"idTag": "T", "connectorId": 1}))[
            "status"
        ] == "Rejected"
        await world.settle()
        assert world.csms.of("StatusNotification")[-1]["errorCode"] == "HighTemperature"
