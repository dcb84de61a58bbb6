"""A 2.0.1 station on a loopback, with a CSMS that answers as 2.0.1 does and holds every frame to its schemas."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import Csms, World, living

Payload = dict[str, Any]


class Csms201(Csms):
    """Its transactions have the station's own names."""

    def __init__(self) -> None:
        super().__init__()
        self.answers["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
        self.answers["TransactionEvent"] = {}

    def events(self, kind: str | None = None) -> list[Payload]:
        """The transaction events, or those of one kind, in the order they came."""
        return [one for one in self.of("TransactionEvent") if kind in {None, one["eventType"]}]

    def words(self, evse_id: int = 1) -> list[str]:
        """The states told of an EVSE's connector."""
        return [one["connectorStatus"] for one in self.of("StatusNotification") if one["evseId"] == evse_id]


def living_201(csms: Csms201 | None = None, **settings: Any) -> AbstractAsyncContextManager[World]:
    """Run a 2.0.1 station; at the end see that every frame was good."""
    return living(csms or Csms201(), version=OcppVersion.V201, **settings)


def csms_of(world: World) -> Csms201:
    """The CSMS of a 2.0.1 world."""
    assert isinstance(world.csms, Csms201)
    return world.csms


def variable(component: str, name: str, **more: Any) -> Payload:
    """What names a variable on the wire; ``evse`` and ``instance`` (of the variable) as named arguments."""
    named: Payload = {"component": {"name": component}, "variable": {"name": name}}
    if "evse" in more:
        named["component"]["evse"] = more.pop("evse")
    if "instance" in more:
        named["variable"]["instance"] = more.pop("instance")
    return {**named, **more}
