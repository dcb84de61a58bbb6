"""What a registration's configuration comes to at a real gateway's stations: the `ocpp` package's, and one of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets
from ocpp.exceptions import InternalError
from ocpp.v16 import call
from ocpp.v201 import call as call201
from structlog.testing import capture_logs

from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.station.interfaces import StationSettings
from evcharging.ocpp.station.station import Station
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_client import dial
from evcharging.store.gateway import tables
from tests.support.gateway_service import GatewayService, gateway_service
from tests.support.ocpp_package import Peer, charge_point
from tests.support.station_world import Ear

DEADLINE_S = 30
NOT_SET = "a station was not set what its registration has"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayService]:
    async with gateway_service(tmp_path) as made:
        yield made


class Keys:
    """The configuration of a 1.6 station, as the package's charge point answers for it."""

    def __init__(self, words: dict[str, str] | None = None, **values: str) -> None:
        self.values = values
        self.words = words or {}
        self.answers = {"GetConfiguration": self.get, "ChangeConfiguration": self.change}

    def get(self, key: list[str]) -> dict[str, Any]:
        known = [{"key": one, "readonly": False, "value": self.values[one]} for one in key if one in self.values]
        return {"configuration_key": known, "unknown_key": [one for one in key if one not in self.values]}

    def change(self, key: str, value: str) -> dict[str, Any]:
        word = self.words.get(key, "Accepted")
        if word == "Accepted":
            self.values[key] = value
        return {"status": word}


@contextlib.asynccontextmanager
async def admitted(gateway: GatewayService, cp_id: str, **more: Any) -> AsyncIterator[Peer]:
    """The package's charge point, once the gateway knows its registration."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                async with charge_point(gateway.url(cp_id), **more) as peer:
                    yield peer
                    return
            except websockets.InvalidStatus:
                await asyncio.sleep(0.02)


async def boot(peer: Peer) -> None:
    answer = await peer.call(call.BootNotification(charge_point_model="Package", charge_point_vendor="Theirs"))
    assert answer.status == "Accepted"


async def eventually(read: Callable[[], Awaitable[Any]], expected: Any) -> None:
    found = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while (found := await read()) != expected:
                await asyncio.sleep(0.02)
    assert found == expected


async def came(gateway: GatewayService, expected: dict[str, tuple[str, str]], cp_id: str = "CP-1") -> None:
    """Wait until that is what came of the keys of a registration: value and answer by key."""

    async def read() -> dict[str, tuple[str, str]]:
        rows = await gateway.rows(tables.registered_configuration, cp_id=cp_id)
        return {row["key"]: (row["value"], row["answer"]) for row in rows}

    await eventually(read, expected)


async def test_after_its_boot_a_station_is_set_what_it_has_otherwise_and_nothing_else(gateway):
    await gateway.register(
        "CP-1", configuration={"HeartbeatInterval": "33", "WebSocketPingInterval": "10", "ConnectionTimeOut": "60"}
    )
    keys = Keys(HeartbeatInterval="300", WebSocketPingInterval="10", ConnectionTimeOut="90")
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await came(
            gateway,
            {
                "HeartbeatInterval": ("33", "Accepted"),
                "WebSocketPingInterval": ("10", "AsWanted"),
                "ConnectionTimeOut": ("60", "Accepted"),
            },
        )
        assert peer.of("ChangeConfiguration") == [
            {"key": "HeartbeatInterval", "value": "33"},
            {"key": "ConnectionTimeOut", "value": "60"},
        ]
        kept = {row["key"]: row["value"] for row in await gateway.rows(tables.configuration, cp_id="CP-1")}
        assert kept == {"HeartbeatInterval": "33", "WebSocketPingInterval": "10", "ConnectionTimeOut": "60"}
        assert peer.errors == []


async def test_each_boot_sets_what_it_undid_and_what_the_station_lost(gateway):
    await gateway.register("CP-1", configuration={"HeartbeatInterval": "33", "ConnectionTimeOut": "60"})
    keys = Keys(ConnectionTimeOut="90")
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await peer.next("ChangeConfiguration", lambda asked: asked["key"] == "ConnectionTimeOut")
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await peer.next("ChangeConfiguration", lambda asked: asked["key"] == "HeartbeatInterval")
        await peer.next("GetConfiguration")
    assert [asked["key"] for asked in peer.of("ChangeConfiguration")] == ["HeartbeatInterval"]
    keys.values["ConnectionTimeOut"] = "30"
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await peer.next("ChangeConfiguration", lambda asked: asked == {"key": "ConnectionTimeOut", "value": "60"})


async def test_what_a_station_does_not_take_is_kept_and_told_in_the_log_once(gateway):
    def failing(key: str, value: str) -> dict[str, Any]:
        if key == "Broken":
            raise InternalError(description="out of memory")
        return keys.change(key, value)

    keys = Keys({"No": "Rejected", "Never": "NotSupported", "Later": "RebootRequired"})
    await gateway.register("CP-1", configuration=dict.fromkeys(("No", "Never", "Later", "Broken"), "1"))
    expected = {
        "No": ("1", "Rejected"),
        "Never": ("1", "NotSupported"),
        "Later": ("1", "RebootRequired"),
        "Broken": ("1", "CallError"),
    }
    with capture_logs() as logs:
        for _ in range(2):
            async with admitted(gateway, "CP-1", answers={**keys.answers, "ChangeConfiguration": failing}) as peer:
                await boot(peer)
                await peer.next("ChangeConfiguration", lambda asked: asked["key"] == "Later")
                await came(gateway, expected)
                assert peer.of("Reset") == []
        told = [(line["key"], line["answer"]) for line in logs if line["event"] == NOT_SET]
    assert sorted(told) == [("Broken", "CallError"), ("Never", "NotSupported"), ("No", "Rejected")]
    (broken,) = await gateway.rows(tables.registered_configuration, cp_id="CP-1", key="Broken")
    assert broken["detail"] == "InternalError: out of memory"


async def test_a_station_that_does_not_answer_is_asked_no_more_until_it_is_back(tmp_path):
    over = asyncio.Event()

    async def never(**_: Any) -> dict[str, Any]:
        await over.wait()
        return {}

    keys = Keys(One="0", Two="0")
    async with gateway_service(tmp_path, call_timeout_s=5.0) as gateway:
        await gateway.register("CP-1", configuration={"One": "1", "Two": "1"})
        async with admitted(gateway, "CP-1", answers={**keys.answers, "GetConfiguration": never}) as peer:
            await boot(peer)
            await came(gateway, {"One": ("1", "Timeout"), "Two": ("1", "Timeout")})
            assert peer.of("ChangeConfiguration") == []
            over.set()
        async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
            await came(gateway, {"One": ("1", "Accepted"), "Two": ("1", "Accepted")})


async def test_a_changed_registration_sets_at_once_what_changed(gateway):
    keys = Keys(One="0", Two="0")
    await gateway.register("CP-1", configuration={"One": "1", "Two": "1"})
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await came(gateway, {"One": ("1", "Accepted"), "Two": ("1", "Accepted")})
        peer.requests.clear()
        await gateway.register("CP-1", configuration={"Two": "2"})
        await came(gateway, {"Two": ("2", "Accepted")})
        assert peer.of("ChangeConfiguration") == [{"key": "Two", "value": "2"}]


async def test_what_changed_while_a_station_was_away_is_set_when_it_is_back_without_a_boot(gateway):
    keys = Keys(One="0", Two="0")
    await gateway.register("CP-1", configuration={"One": "1"})
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await boot(peer)
        await came(gateway, {"One": ("1", "Accepted")})
    await gateway.register("CP-1", configuration={"One": "1", "Two": "2"})
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        await came(gateway, {"One": ("1", "Accepted"), "Two": ("2", "Accepted")})
        assert peer.of("ChangeConfiguration") == [{"key": "Two", "value": "2"}]


async def test_a_variable_of_2_0_1_is_named_by_its_component(gateway):
    values = {("OCPPCommCtrlr", "HeartbeatInterval"): "300", ("SampledDataCtrlr", "TxUpdatedInterval"): "60"}

    def names(data: dict[str, Any]) -> tuple[str, str]:
        return data["component"]["name"], data["variable"]["name"]

    def get(get_variable_data: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "get_variable_result": [
                {**data, "attribute_status": "Accepted", "attribute_value": values[names(data)]}
                if names(data) in values
                else {**data, "attribute_status": "UnknownComponent"}
                for data in get_variable_data
            ]
        }

    def put(set_variable_data: list[dict[str, Any]]) -> dict[str, Any]:
        results = []
        for data in set_variable_data:
            known = names(data) in values
            if known:
                values[names(data)] = data["attribute_value"]
            told = {"component": data["component"], "variable": data["variable"]}
            results.append({**told, "attribute_status": "Accepted" if known else "UnknownComponent"})
        return {"set_variable_result": results}

    await gateway.register(
        "CP-1",
        configuration={
            "OCPPCommCtrlr.HeartbeatInterval": "33",
            "SampledDataCtrlr.TxUpdatedInterval": "60",
            "NoSuchCtrlr.Any": "1",
            "HeartbeatInterval": "33",
        },
    )
    answers = {"GetVariables": get, "SetVariables": put}
    async with admitted(gateway, "CP-1", version="2.0.1", answers=answers) as peer:
        await peer.call(call201.BootNotification(charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp"))
        await came(
            gateway,
            {
                "OCPPCommCtrlr.HeartbeatInterval": ("33", "Accepted"),
                "SampledDataCtrlr.TxUpdatedInterval": ("60", "AsWanted"),
                "NoSuchCtrlr.Any": ("1", "UnknownComponent"),
                "HeartbeatInterval": ("33", "NotNamed"),
            },
        )
        assert values[("OCPPCommCtrlr", "HeartbeatInterval")] == "33"
        assert peer.errors == []


async def test_a_password_among_the_keys_is_never_sent_stored_or_told(gateway):
    keys = Keys(One="0")
    await gateway.register("CP-1", configuration={"AuthorizationKey": "0123456789abcdef", "One": "1"})
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        with capture_logs() as logs:
            await boot(peer)
            await came(gateway, {"AuthorizationKey": ("(not shown)", "NotNamed"), "One": ("1", "Accepted")})
        assert peer.of("ChangeConfiguration") == [{"key": "One", "value": "1"}]
        assert peer.of("GetConfiguration") == [{"key": ["One"]}]
        assert "0123456789abcdef" not in repr(logs)


async def test_a_pending_station_is_set_nothing_before_it_is_accepted(gateway):
    keys = Keys(One="0")
    await gateway.register("CP-1", boot_status="Pending", configuration={"One": "1"})
    async with admitted(gateway, "CP-1", answers=keys.answers) as peer:
        answer = await peer.call(call.BootNotification(charge_point_model="P", charge_point_vendor="T"))
        assert answer.status == "Pending"
        await gateway.register("CP-1", boot_status="Accepted", configuration={"One": "2"})
        async with asyncio.timeout(DEADLINE_S):
            while answer.status != "Accepted":
                answer = await peer.call(call.BootNotification(charge_point_model="P", charge_point_vendor="T"))
        await came(gateway, {"One": ("2", "Accepted")})
        assert peer.of("ChangeConfiguration") == [{"key": "One", "value": "2"}]


@pytest.mark.parametrize(
    ("version", "key"), [("1.6", "HeartbeatInterval"), ("2.0.1", "OCPPCommCtrlr.HeartbeatInterval")]
)
async def test_a_station_of_ours_runs_on_what_its_registration_has(gateway, version, key):
    await gateway.register("CP-1", configuration={key: "33"})
    settings = StationSettings(
        station_id="CP-1",
        csms_url=gateway.url("CP-1").removesuffix("/CP-1"),
        version=OcppVersion(version),
    )
    station = Station(settings, clock=LoopClock(scale=1.0), environment=SharedEnvironment(), listener=Ear(), dial=dial)
    life = asyncio.create_task(station.run())
    try:
        await came(gateway, {key: ("33", "Accepted")})
        kept = {row["key"]: row["value"] for row in await gateway.rows(tables.configuration, cp_id="CP-1")}
        assert kept == {key: "33"}
    finally:
        await station.stop()
        await asyncio.wait_for(life, DEADLINE_S)
