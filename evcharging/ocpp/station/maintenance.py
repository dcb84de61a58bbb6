"""What takes a station's attention beside charging: firmware updates and uploads of diagnostics, step by step.

No file is fetched or sent: a simulated station takes the steps and tells them, each at its time, and refuses addresses
that no station could use. A firmware update takes the station out of service and reboots it.
"""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from evcharging.ocpp.station import wording

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

SCHEMES: Final = frozenset({"ftp", "ftps", "sftp", "http", "https"})
IDLE: Final = "Idle"
_VERSION_LENGTH: Final = 50


class Maintenance:
    """The firmware and the diagnostics of one station."""

    __slots__ = ("_diagnostics", "_firmware", "_station", "diagnostics_status", "firmware_status")

    def __init__(self, station: Station) -> None:
        self._station = station
        self._firmware: asyncio.Task[None] | None = None
        self._diagnostics: asyncio.Task[None] | None = None
        self.firmware_status = IDLE
        self.diagnostics_status = IDLE

    def update_firmware(
        self, location: str, *, retrieve_at_s: float, retries: int | None = None, retry_interval_s: float | None = None
    ) -> None:
        """Update the firmware from `location`, not before `retrieve_at_s`; a new request replaces one under way."""
        if self._firmware is not None:
            self._firmware.cancel()
        attempts = 1 + (retries or 0)
        self._firmware = self._station.spawn(self._update(location, retrieve_at_s, attempts, retry_interval_s))

    def upload_diagnostics(
        self, location: str, *, retries: int | None = None, retry_interval_s: float | None = None
    ) -> str:
        """Upload diagnostics to `location` and return the name of the file."""
        station = self._station
        if self._diagnostics is not None:
            self._diagnostics.cancel()
        self._diagnostics = station.spawn(self._upload(location, 1 + (retries or 0), retry_interval_s))
        return f"{station.settings.station_id}-{int(station.clock.now_s())}.log"

    def tell_firmware(self) -> None:
        """Tell where the update stands; Idle once it is over."""
        over = self.firmware_status in {"Installed", "InstallationFailed", "DownloadFailed"}
        self._station.outbox.post(self._station.wire.firmware_status(IDLE if over else self.firmware_status))

    def tell_diagnostics(self) -> None:
        """Tell where the upload stands; Idle once it is over."""
        over = self.diagnostics_status in {"Uploaded", "UploadFailed"}
        self._station.outbox.post(self._station.wire.diagnostics_status(IDLE if over else self.diagnostics_status))

    async def _update(self, location: str, retrieve_at_s: float, attempts: int, retry_interval_s: float | None) -> None:
        station = self._station
        step_s = station.settings.maintenance_step_s
        await station.clock.sleep(max(0.0, retrieve_at_s - station.clock.now_s()))
        for attempt in range(attempts):
            if attempt:
                await station.clock.sleep(step_s if retry_interval_s is None else retry_interval_s)
            self._firmware_step("Downloading")
            await station.clock.sleep(step_s)
            if reachable(location):
                break
            self._firmware_step("DownloadFailed")
        else:
            return
        self._firmware_step("Downloaded")
        taken = await station.availability.empty()
        self._firmware_step("Installing")
        await station.clock.sleep(step_s)
        station.firmware_version = version_named_by(location) or station.firmware_version
        await station.reboot("FirmwareUpdate")
        await station.registration.until_accepted()
        self._firmware_step("Installed")
        station.availability.restore(taken)

    async def _upload(self, location: str, attempts: int, retry_interval_s: float | None) -> None:
        station = self._station
        step_s = station.settings.maintenance_step_s
        for attempt in range(attempts):
            if attempt:
                await station.clock.sleep(step_s if retry_interval_s is None else retry_interval_s)
            self._diagnostics_step("Uploading")
            await station.clock.sleep(step_s)
            if reachable(location):
                self._diagnostics_step("Uploaded")
                return
            self._diagnostics_step("UploadFailed")

    def _firmware_step(self, status: str) -> None:
        self.firmware_status = status
        self._station.log(wording.maintenance("Firmware", status))
        self._station.outbox.post(self._station.wire.firmware_status(status))

    def _diagnostics_step(self, status: str) -> None:
        self.diagnostics_status = status
        self._station.log(wording.maintenance("Diagnostics", status))
        self._station.outbox.post(self._station.wire.diagnostics_status(status))


def reachable(location: str) -> bool:
    """Return whether a station could use an address: a scheme it has a client for, and a host."""
    try:
        parts = urlsplit(location)
        return parts.scheme in SCHEMES and bool(parts.hostname)
    except ValueError:
        return False


def version_named_by(location: str) -> str:
    """Return the name of the file without its ending: what a simulated station calls its new firmware."""
    return PurePosixPath(urlsplit(location).path).stem[:_VERSION_LENGTH]
