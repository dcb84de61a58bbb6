"""A station that is given another password over OCPP, by a real Central, at real gateways."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import websockets
from ocpp.v16 import call

from evcharging.apps.ocpp_gateway.registrations import Registrations
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import forget_log, shared_log
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.interfaces import Backoff, StationSettings
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_client import dial
from evcharging.store.gateway import tables
from tests.support.central import Clock
from tests.support.gateway import WireGateway, basic, wire_gateway
from tests.support.gateway_service import GatewayService, gateway_service
from tests.support.ocpp_package import charge_point
from tests.support.station_world import Ear
from tests.support.web import WebRig, running_web

DEADLINE_S = 30
OLD, NEW = "the-old-password-1", "the-new-password-2"
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "1.6": ("ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW}, {"type": "Soft"}),
    "2.0.1": ("SetVariables", {"setVariableData": [{**PASSWORD, "attributeValue": NEW}]}, {"type": "Immediate"}),
}


class WallClock(Clock):
    """The time as it is: gateways have it too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def timestamp(self) -> float:
        return self().timestamp()


class Rig:
    """A Central, a gateway, and the doors of another gateway of the same network."""

    def __init__(self, central: WebRig, gateway: GatewayService, other: WireGateway) -> None:
        self.central = central
        self.gateway = gateway
        self.doors = gateway.url("CP-1"), other.url("CP-1")

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await self.central.http.post(f"/api/v1/ocpp/CP-1/{action}", json=payload)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    log_name = f"password-{uuid.uuid4().hex}"
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(forget_log, log_name)
        central = await stack.enter_async_context(
            running_web(tmp_path, log=shared_log(log_name), clock=WallClock(), name="central-9")
        )
        gateway = await stack.enter_async_context(gateway_service(tmp_path, log_name=log_name))
        other = await stack.enter_async_context(wire_gateway())
        registrations = Registrations(MemoryBus(shared_log(log_name)), other.stations, drop=other.gateway.drop)
        await stack.enter_async_context(registrations)
        reading = asyncio.create_task(registrations.run())
        body = {"cp_id": "CP-1", "password": OLD, "security_profile": 1}
        assert (await central.http.post("/api/v1/ocpp-stations", json=body)).status_code == 201
        yield Rig(central, gateway, other)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def status_of(door: str, password: str) -> int:
    """What a station with that password is answered: 101 where it is let in."""
    headers = basic("CP-1", password)
    protocols = [websockets.Subprotocol("ocpp1.6")]
    try:
        async with websockets.connect(door, subprotocols=protocols, additional_headers=headers):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


async def until_status(door: str, password: str, expected: int) -> None:
    found = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while (found := await status_of(door, password)) != expected:
                await asyncio.sleep(0.05)
    assert found == expected


async def test_the_new_password_opens_at_every_gateway_and_the_old_one_until_then(rig):
    for door in rig.doors:
        await until_status(door, OLD, 101)
    answers = {"ChangeConfiguration": {"status": "Accepted"}}
    headers = basic("CP-1", OLD)
    async with charge_point(rig.gateway.url("CP-1"), answers=answers, additional_headers=headers) as peer:
        await peer.call(call.BootNotification(charge_point_model="Package", charge_point_vendor="Theirs"))
        await rig.central.state("CP-1", "ACTIVATED")
        assert await rig.call(*CHANGES["1.6"][:2]) == {"status": "Accepted"}
        # told by the registration alone it would have to come again; it stays, and may still come with the old one
        assert await peer.call(call.Heartbeat())
    assert await status_of(rig.doors[0], OLD) == 101
    for door in rig.doors:
        await until_status(door, NEW, 101)
        assert await status_of(door, OLD) == 401


async def test_a_password_that_a_station_refuses_changes_nothing(rig):
    await until_status(rig.doors[0], OLD, 101)
    answers = {"ChangeConfiguration": {"status": "Rejected"}}
    headers = basic("CP-1", OLD)
    async with charge_point(rig.gateway.url("CP-1"), answers=answers, additional_headers=headers) as peer:
        await peer.call(call.BootNotification(charge_point_model="Package", charge_point_vendor="Theirs"))
        await rig.central.state("CP-1", "ACTIVATED")
        assert await rig.call(*CHANGES["1.6"][:2]) == {"status": "Rejected"}
    assert await status_of(rig.doors[0], NEW) == 401
    assert await status_of(rig.doors[0], OLD) == 101


@pytest.mark.parametrize("version", CHANGES)
async def test_a_station_of_ours_comes_back_with_the_password_it_was_given(rig, version):
    await until_status(rig.doors[0], OLD, 101)
    settings = StationSettings(
        station_id="CP-1",
        csms_url=rig.gateway.url("CP-1").removesuffix("/CP-1"),
        version=OcppVersion(version),
        password=OLD,
        backoff=Backoff(first_s=0.1, longest_s=0.2),
        reboot_s=0.1,
    )
    station = Station(settings, clock=LoopClock(scale=1.0), environment=SharedEnvironment(), listener=Ear(), dial=dial)
    life = asyncio.create_task(station.run())
    try:
        await rig.central.state("CP-1", "ACTIVATED")
        action, payload, reset = CHANGES[version]
        await rig.call(action, payload)
        (before,) = await rig.gateway.rows(tables.boots, cp_id="CP-1")
        await rig.call("Reset", reset)
        async with asyncio.timeout(DEADLINE_S):
            while (await rig.gateway.rows(tables.boots, cp_id="CP-1"))[0]["booted_at"] == before["booted_at"]:
                await asyncio.sleep(0.02)
        assert await status_of(rig.doors[0], OLD) == 401
    finally:
        await station.stop()
        await asyncio.wait_for(life, DEADLINE_S)
