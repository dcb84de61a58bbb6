import pytest

from evcharging.ocpp.errors import CallFailed
from evcharging.ocpp.station.v16.keys import KEYS
from tests.support.station_world import World, living

STANDARD = {
    "AllowOfflineTxForUnknownId",
    "AuthorizationCacheEnabled",
    "AuthorizeRemoteTxRequests",
    "BlinkRepeat",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "ConnectorPhaseRotationMaxLength",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LightIntensity",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MaxEnergyOnInvalidId",
    "MeterValuesAlignedData",
    "MeterValuesAlignedDataMaxLength",
    "MeterValuesSampledData",
    "MeterValuesSampledDataMaxLength",
    "MeterValueSampleInterval",
    "MinimumStatusDuration",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnAlignedDataMaxLength",
    "StopTxnSampledData",
    "StopTxnSampledDataMaxLength",
    "SupportedFeatureProfiles",
    "SupportedFeatureProfilesMaxLength",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
    "WebSocketPingInterval",
    "LocalAuthListEnabled",
    "LocalAuthListMaxLength",
    "SendLocalListMaxLength",
    "ReserveConnectorZeroSupported",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "ConnectorSwitch3to1PhaseSupported",
    "MaxChargingProfilesInstalled",
}
READ_ONLY = {
    "ConnectorPhaseRotationMaxLength",
    "GetConfigurationMaxKeys",
    "MeterValuesAlignedDataMaxLength",
    "MeterValuesSampledDataMaxLength",
    "NumberOfConnectors",
    "StopTxnAlignedDataMaxLength",
    "StopTxnSampledDataMaxLength",
    "SupportedFeatureProfiles",
    "SupportedFeatureProfilesMaxLength",
    "LocalAuthListMaxLength",
    "SendLocalListMaxLength",
    "ReserveConnectorZeroSupported",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "ConnectorSwitch3to1PhaseSupported",
    "MaxChargingProfilesInstalled",
}


async def get(world: World, *names: str) -> dict[str, str]:
    answer = await world.csms.call("GetConfiguration", {"key": list(names)})
    return {one["key"]: one.get("value") for one in answer["configurationKey"]}


async def change(world: World, key: str, value: str) -> str:
    return (await world.csms.call("ChangeConfiguration", {"key": key, "value": value}))["status"]


async def test_TC_019_1_all_keys_of_the_standard_are_told_with_a_value():
    async with living(connectors=2) as world:
        answer = await world.csms.call("GetConfiguration")
        told = {one["key"]: one for one in answer["configurationKey"]}
        assert set(told) == STANDARD | {"AuthorizationKey"}
        assert {name for name, one in told.items() if one["readonly"]} == READ_ONLY
        assert all("value" in one for name, one in told.items() if name != "AuthorizationKey")
        assert told["NumberOfConnectors"]["value"] == "2"
        assert "value" not in told["AuthorizationKey"]
        assert "unknownKey" not in answer


async def test_TC_019_2_named_keys_are_told_and_unknown_ones_named():
    async with living() as world:
        answer = await world.csms.call("GetConfiguration", {"key": ["heartbeatinterval", "Colour"]})
        assert answer == {
            "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}],
            "unknownKey": ["Colour"],
        }


async def test_get_configuration_max_keys_bounds_a_request():
    async with living(configuration={"GetConfigurationMaxKeys": "2"}) as world:
        assert await get(world, "GetConfigurationMaxKeys", "ResetRetries") == {
            "GetConfigurationMaxKeys": "2",
            "ResetRetries": "1",
        }
        with pytest.raises(CallFailed, match="OccurenceConstraintViolation"):
            await get(world, "BlinkRepeat", "ResetRetries", "LightIntensity")


async def test_TC_021_a_changed_key_is_told_with_its_new_value():
    async with living() as world:
        for key, value in (
            ("MeterValueSampleInterval", "15"),
            ("MeterValuesSampledData", "Voltage,SoC"),
            ("LocalPreAuthorize", "true"),
            ("BlinkRepeat", "3"),
            ("StopTxnSampledData", ""),
        ):
            assert await change(world, key, value) == "Accepted"
            assert (await get(world, key))[key] == value


async def test_TC_040_1_a_read_only_key_is_rejected_and_an_unknown_one_not_supported():
    async with living() as world:
        for key in sorted(READ_ONLY):
            assert await change(world, key, "1") == "Rejected"
        assert await change(world, "Colour", "green") == "NotSupported"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MeterValueSampleInterval", "-1"),
        ("MeterValueSampleInterval", "soon"),
        ("HeartbeatInterval", "1.5"),
        ("HeartbeatInterval", "99999999999"),
        ("LocalPreAuthorize", "yes"),
        ("MeterValuesSampledData", "Voltage,Colour"),
        ("LightIntensity", "101"),
        ("ConnectorPhaseRotation", "1.UVW"),
        ("AuthorizationKey", "short"),
    ],
)
async def test_TC_040_2_a_value_that_makes_no_sense_is_rejected_and_changes_nothing(key: str, value: str):
    async with living() as world:
        before = await get(world, key)
        assert await change(world, key, value) == "Rejected"
        assert await get(world, key) == before


async def test_a_key_that_acts_after_a_boot_says_so():
    async with living() as world:
        assert await change(world, "ConnectorPhaseRotation", "0.RST,1.RTS") == "RebootRequired"
        assert await get(world, "ConnectorPhaseRotation") == {"ConnectorPhaseRotation": "0.RST,1.RTS"}


async def test_a_changed_heartbeat_interval_acts_at_once():
    async with living() as world:
        await change(world, "HeartbeatInterval", "20")
        await world.clock.advance(65)
        assert len(world.csms.of("Heartbeat")) == 3
        await change(world, "HeartbeatInterval", "0")
        await world.clock.advance(400)
        assert len(world.csms.of("Heartbeat")) == 3


async def test_every_value_that_is_told_could_be_written_back():
    async with living() as world:
        for key, value in (await get(world)).items():
            if value is not None and not KEYS[key.lower()].readonly:
                assert await change(world, key, value) in {"Accepted", "RebootRequired"}
