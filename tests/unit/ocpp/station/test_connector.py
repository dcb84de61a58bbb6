import pytest

from evcharging.domain.charger_state import FaultCode
from evcharging.ocpp.station.interfaces import ConnectorState
from tests.support.station_world import VEHICLE, living


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (FaultCode.GROUND_FAULT, "GroundFailure"),
        (FaultCode.OVER_TEMPERATURE, "HighTemperature"),
        (FaultCode.CONTACTOR_WELDED, "PowerSwitchFailure"),
        (FaultCode.COMMUNICATION_LOSS, "InternalError"),
    ],
)
async def test_a_fault_goes_before_everything_else_and_is_told_with_its_code(fault: FaultCode, code: str):
    async with living() as world:
        await world.csms.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        world.station.inject_fault(1, fault)
        await world.settle()
        told = world.csms.of("StatusNotification")[-1]
        assert (told["status"], told["errorCode"]) == ("Faulted", code)
        assert world.station.clear_fault(1)
        await world.settle()
        assert world.csms.statuses()[-1] == "Unavailable"


async def test_a_session_that_may_not_draw_is_suspended_by_the_station_and_goes_on():
    async with living() as world:
        connector = world.station.connectors[0]
        await world.charge()
        assert connector.state is ConnectorState.CHARGING
        connector.charger.set_limit_amps(0.0)
        connector.refresh()
        assert connector.state is ConnectorState.SUSPENDED_EVSE
        connector.charger.set_limit_amps(10.0)
        connector.refresh()
        assert connector.state is ConnectorState.CHARGING


async def test_a_connector_is_free_only_while_nothing_runs_is_expected_or_wrong_there():
    async with living() as world:
        connector = world.station.connectors[0]
        assert connector.free
        assert await world.station.present("TAG", 1)
        assert not connector.free
        world.station.plug_in(1, VEHICLE)
        assert not connector.free
        world.station.unplug(1)
        assert connector.free
        world.station.inject_fault(1, FaultCode.GROUND_FAULT)
        assert not connector.free
