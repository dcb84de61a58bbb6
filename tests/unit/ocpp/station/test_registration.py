import asyncio

from evcharging.ocpp.errors import CallRejected, Fault
from tests.support.station_world import VEHICLE, Csms, living

NOW = "2025-06-16T00:00:00Z"


def boot_answer(status: str, interval: int) -> dict[str, object]:
    return {"status": status, "interval": interval, "currentTime": NOW}


async def test_TC_001_cold_boot_announces_the_station_and_every_connector():
    async with living(connectors=2, vendor="Acme", model="Post", firmware_version="2.1") as world:
        assert world.csms.actions() == ["BootNotification"] + ["StatusNotification"] * 3
        assert world.csms.of("BootNotification")[0] == {
            "chargePointVendor": "Acme",
            "chargePointModel": "Post",
            "chargePointSerialNumber": "CP-001",
            "firmwareVersion": "2.1",
        }
        assert [one["connectorId"] for one in world.csms.of("StatusNotification")] == [0, 1, 2]
        assert {one["status"] for one in world.csms.of("StatusNotification")} == {"Available"}
        assert "BootNotification sent" in world.messages()


async def test_TC_002_cold_boot_pending_says_nothing_but_answers_and_boots_again_after_the_interval():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Pending", 40)
    async with living(csms) as world:
        await world.clock.advance(39)
        assert csms.actions() == ["BootNotification"]
        assert (await csms.call("GetConfiguration", {"key": ["HeartbeatInterval"]}))["configurationKey"]
        assert await csms.call("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
        csms.answers["BootNotification"] = boot_answer("Accepted", 300)
        await world.clock.advance(2)
        assert csms.actions() == ["BootNotification", "BootNotification", "StatusNotification", "StatusNotification"]
        assert world.ear.registrations == ["Pending", "Accepted"]


async def test_TC_002_a_rejected_station_is_silent_and_refuses_calls():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Rejected", 100)
    async with living(csms) as world:
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("TAG", 1)
        await world.clock.advance(99)
        assert csms.actions() == ["BootNotification"]
        answer = await asyncio.gather(csms.call("ClearCache"), return_exceptions=True)
        assert getattr(answer[0], "code", None) == "SecurityError"
        await world.clock.advance(2)
        assert csms.actions() == ["BootNotification", "BootNotification"]


async def test_an_interval_of_zero_leaves_the_pause_to_the_station():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Pending", 0)
    async with living(csms) as world:
        await world.clock.advance(30)
        assert len(csms.of("BootNotification")) == 1
        await world.clock.advance(31)
        assert len(csms.of("BootNotification")) == 2


async def test_a_boot_that_is_answered_with_an_error_is_tried_again():
    csms = Csms()
    csms.answers["BootNotification"] = CallRejected(Fault.INTERNAL_ERROR, "database away")
    async with living(csms) as world:
        assert any(line.startswith("BootNotification failed") for line in world.messages())
        csms.answers["BootNotification"] = boot_answer("Accepted", 300)
        await world.clock.advance(61)
        assert world.station.online
        csms.problems.clear()


async def test_heartbeats_come_at_the_interval_of_the_boot():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Accepted", 60)
    async with living(csms) as world:
        await world.clock.advance(185)
        assert len(csms.of("Heartbeat")) == 3


async def test_other_messages_put_a_heartbeat_off_since_its_interval_counts_inactivity():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Accepted", 60)
    async with living(csms, configuration={"MeterValueSampleInterval": "30"}) as world:
        await world.charge()
        await world.clock.advance(300)
        assert csms.of("Heartbeat") == []
        assert len(csms.of("MeterValues")) == 10


async def test_a_heartbeat_that_fails_is_logged_and_the_next_one_comes():
    csms = Csms()
    csms.answers["BootNotification"] = boot_answer("Accepted", 60)
    csms.answers["Heartbeat"] = CallRejected(Fault.INTERNAL_ERROR, "no clock")
    async with living(csms) as world:
        await world.clock.advance(61)
        assert any(line.startswith("Heartbeat failed - InternalError") for line in world.messages())
        csms.answers["Heartbeat"] = {"currentTime": NOW}
        await world.clock.advance(60)
        assert len(csms.of("Heartbeat")) == 2
        csms.problems.clear()


async def test_a_reconnection_needs_no_boot_and_tells_only_what_changed():
    async with living() as world:
        await world.charge()
        world.csms.received.clear()
        world.network.up = False
        world.network.cut()
        await world.clock.advance(30)
        world.station.unplug(1)
        world.network.up = True
        await world.clock.advance(120)
        assert "BootNotification" not in world.csms.actions()
        assert world.csms.statuses() == ["Available"]
        assert any(line.startswith("Reconnected") for line in world.messages())


async def test_a_station_may_be_set_to_boot_on_every_connection():
    async with living(boot_on_reconnect=True) as world:
        world.network.cut()
        await world.clock.advance(10)
        assert len(world.csms.of("BootNotification")) == 2


async def test_a_triggered_boot_that_is_answered_with_pending_is_repeated_until_accepted():
    csms = Csms()
    async with living(csms) as world:
        csms.answers["BootNotification"] = boot_answer("Pending", 10)
        assert await csms.call("TriggerMessage", {"requestedMessage": "BootNotification"}) == {"status": "Accepted"}
        await world.settle()
        assert not world.station.online
        csms.answers["BootNotification"] = boot_answer("Accepted", 300)
        await world.clock.advance(11)
        assert world.station.online
        assert len(csms.of("BootNotification")) == 3
