"""The configuration of a 1.6 station: GetConfiguration and ChangeConfiguration over the table of keys."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.station.v16.keys import KEYS, Key

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station


class Configuration:
    """One station's configuration; `extras` has what nothing simulated follows from, where it was changed."""

    __slots__ = ("extras", "station")

    def __init__(self, station: Station) -> None:
        self.station: Station = station
        self.extras: Mapping[str, str] = {}

    def begin_with(self, values: Mapping[str, str]) -> None:
        """Take a station's own settings, read-only keys too. Raises ValueError for a key or a value that is none."""
        for name, value in values.items():
            key = KEYS.get(name.lower())
            if key is None or key.write is None:
                raise ValueError(f"{name}: no configuration key of OCPP 1.6 that can be set")
            try:
                key.write(self, value)
            except ValueError as error:
                raise ValueError(f"{key.name}: {error}") from None

    def put_back(self, values: Mapping[str, str]) -> None:
        """Take what the CSMS had changed before the station was made anew; what makes no sense any more is left out."""
        for name, value in values.items():
            key = KEYS.get(name.lower())
            if key is None or key.write is None:
                continue
            with contextlib.suppress(ValueError):
                key.write(self, value)
                self._keep(key, value)

    def get(self, names: Sequence[str] | None) -> dict[str, Any]:
        """Answer GetConfiguration: the keys named, or all. Raises CallRejected for more than a station takes."""
        if not names:
            return {"configurationKey": [self._shown(key) for key in KEYS.values()]}
        most = int(self.extras.get("GetConfigurationMaxKeys", _default_most(self)))
        if len(names) > most:
            raise CallRejected(Fault.OCCURRENCE_CONSTRAINT, f"key: {len(names)} keys; {most} at most in one request")
        known = [KEYS[name.lower()] for name in names if name.lower() in KEYS]
        unknown = [name for name in names if name.lower() not in KEYS]
        answer: dict[str, Any] = {"configurationKey": [self._shown(key) for key in known]}
        if unknown:
            answer["unknownKey"] = unknown
        return answer

    def change(self, name: str, value: str) -> str:
        """Answer ChangeConfiguration: Accepted, Rejected, RebootRequired or NotSupported."""
        key = KEYS.get(name.lower())
        if key is None:
            return "NotSupported"
        if key.readonly or key.write is None:
            return "Rejected"
        try:
            key.write(self, value)
        except ValueError:
            return "Rejected"
        self._keep(key, value)
        if key.after is not None:
            key.after(self.station)
        return "RebootRequired" if key.reboot else "Accepted"

    def _keep(self, key: Key, value: str) -> None:
        if key.read is not None:  # what may only be written is a password
            self.station.configured = {**self.station.configured, key.name: value}

    def _shown(self, key: Key) -> dict[str, Any]:
        shown: dict[str, Any] = {"key": key.name, "readonly": key.readonly}
        if key.read is not None:
            shown["value"] = key.read(self)
        return shown


def _default_most(configuration: Configuration) -> str:
    read = KEYS["getconfigurationmaxkeys"].read
    return "0" if read is None else read(configuration)
