import pytest

from evcharging.domain.charger_state import FaultCode
from tests.support.station_world import World, living


async def reset(world: World, kind: str) -> None:
    assert await world.csms.call("Reset", {"type": kind}) == {"status": "Accepted"}
    await world.clock.advance(10)


@pytest.mark.parametrize(("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")])
async def test_TC_015_TC_016_a_reset_ends_the_session_with_its_reason_and_boots(kind: str, reason: str):
    async with living() as world:
        await world.charge()
        await reset(world, kind)
        assert world.csms.of("StopTransaction")[0]["reason"] == reason
        assert len(world.csms.of("BootNotification")) == 2
        assert world.station.online
        assert world.ear.settled[0].delivered


async def test_TC_013_TC_014_a_reset_without_a_session_tells_every_status_anew():
    async with living(connectors=2) as world:
        world.csms.received.clear()
        await reset(world, "Soft")
        assert world.csms.actions() == ["BootNotification"] + ["StatusNotification"] * 3


async def test_a_soft_reset_delivers_before_it_goes_and_a_hard_one_after_it_came_back():
    orders = {}
    for kind in ("Soft", "Hard"):
        async with living() as world:
            await world.charge()
            world.csms.received.clear()
            await reset(world, kind)
            seen = [one for one in world.csms.actions() if one in {"StopTransaction", "BootNotification"}]
            orders[kind] = seen
    assert orders["Soft"] == ["StopTransaction", "BootNotification"]
    assert orders["Hard"] == ["BootNotification", "StopTransaction"]


async def test_a_reset_that_fails_is_tried_reset_retries_times_and_then_told():
    async with living(configuration={"ResetRetries": "2"}, reboot_s=5.0) as world:
        world.station.inject_fault(1, FaultCode.CONTACTOR_WELDED)
        await world.csms.call("Reset", {"type": "Hard"})
        await world.clock.advance(9)
        assert world.csms.statuses(0) == ["Available"]
        await world.clock.advance(2)
        last = world.csms.of("StatusNotification")[-1]
        assert (last["connectorId"], last["status"], last["errorCode"]) == (0, "Faulted", "ResetFailure")
        assert len(world.csms.of("BootNotification")) == 1
        assert "Reset failed after 3 attempts" in world.messages()


async def test_a_reset_that_is_mended_in_time_comes_through():
    async with living(configuration={"ResetRetries": "2"}, reboot_s=5.0) as world:
        world.station.inject_fault(1, FaultCode.CONTACTOR_WELDED)
        await world.csms.call("Reset", {"type": "Soft"})
        await world.clock.advance(1)
        world.station.clear_fault(1)
        await world.clock.advance(20)
        assert len(world.csms.of("BootNotification")) == 2


async def test_availability_lasts_over_a_reset():
    async with living() as world:
        await world.csms.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        await reset(world, "Hard")
        assert world.csms.statuses()[-1] == "Unavailable"
