import pytest

from evcharging.ocpp.station.maintenance import reachable, version_named_by
from tests.support.station_world import World, living


def firmware(world: World) -> list[str]:
    return [one["status"] for one in world.csms.of("FirmwareStatusNotification")]


def diagnostics(world: World) -> list[str]:
    return [one["status"] for one in world.csms.of("DiagnosticsStatusNotification")]


async def update(world: World, **more: object) -> None:
    request = {"location": "https://files/fw-2.0.bin", "retrieveDate": "2025-06-16T00:01:00Z", **more}
    assert await world.csms.call("UpdateFirmware", request) == {}


async def test_TC_044_1_a_firmware_update_takes_its_steps_from_the_date_on_and_reboots():
    async with living() as world:
        await update(world)
        await world.clock.advance(59)
        assert firmware(world) == []
        await world.clock.advance(30)
        assert firmware(world) == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert [one["firmwareVersion"] for one in world.csms.of("BootNotification")] == ["1.0.0", "fw-2.0"]
        assert world.csms.statuses() == ["Available", "Unavailable", "Unavailable", "Available"]


async def test_TC_044_2_a_download_that_fails_is_retried_and_given_up():
    async with living() as world:
        await update(world, location="gopher://files/fw", retries=2, retryInterval=20)
        await world.clock.advance(62 + 3)
        assert firmware(world) == ["Downloading", "DownloadFailed"]
        await world.clock.advance(100)
        assert firmware(world) == ["Downloading", "DownloadFailed"] * 3
        assert len(world.csms.of("BootNotification")) == 1


async def test_an_installation_waits_for_the_session_that_runs():
    async with living() as world:
        await world.charge()
        await update(world)
        await world.clock.advance(100)
        assert firmware(world) == ["Downloading", "Downloaded"]
        assert world.csms.of("StopTransaction") == []
        world.station.unplug(1)
        await world.clock.advance(20)
        assert firmware(world)[-1] == "Installed"
        assert "reason" in world.csms.of("StopTransaction")[0]


async def test_TC_045_1_diagnostics_are_uploaded_under_the_name_that_was_answered():
    async with living() as world:
        answer = await world.csms.call("GetDiagnostics", {"location": "ftp://files/in"})
        assert answer["fileName"].startswith("CP-001-")
        await world.clock.advance(5)
        assert diagnostics(world) == ["Uploading", "Uploaded"]


async def test_TC_045_2_an_upload_that_fails_is_retried():
    async with living() as world:
        await world.csms.call("GetDiagnostics", {"location": "nowhere", "retries": 1, "retryInterval": 10})
        await world.clock.advance(30)
        assert diagnostics(world) == ["Uploading", "UploadFailed"] * 2


async def test_a_trigger_tells_where_maintenance_stands_and_idle_when_it_is_over():
    async with living() as world:
        await world.csms.call("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})
        await world.csms.call("GetDiagnostics", {"location": "ftp://files/in"})
        await world.settle()
        await world.csms.call("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
        await world.clock.advance(5)
        await world.csms.call("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
        await world.settle()
        assert firmware(world) == ["Idle"]
        assert diagnostics(world) == ["Uploading", "Uploading", "Uploaded", "Idle"]


@pytest.mark.parametrize(
    ("location", "good"),
    [("ftp://a/b", True), ("https://u:p@a:8/b", True), ("file:///etc", False), ("http://", False), ("ftp://[", False)],
)
def test_an_address_needs_a_scheme_that_stations_use_and_a_host(location: str, good: bool):
    assert reachable(location) is good


def test_a_version_is_named_after_the_file():
    assert version_named_by("https://files/deep/v3.1.bin?x=1") == "v3.1"
