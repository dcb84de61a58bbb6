"""The whole gateway as a service: stations registered over the bus, TLS, standalone, and a stop in good order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import orjson
import pytest
import trustme
import websockets
from websockets.asyncio.client import ClientConnection, connect

from evcharging.apps.ocpp_gateway.main import gateway
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import forget_log, shared_log
from evcharging.bus.protocol import Position
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppFrame, TokenStatus
from evcharging.messages.topics import ALERTS, AUTH_TOKENS, OCPP_CONFIG, OCPP_FRAMES, STATUS, Topic
from evcharging.mqtt.embedded import EmbeddedBroker
from tests.support.gateway import ask, basic, password_hash
from tests.support.gateway_process import gateway_process

DEADLINE_S = 30
BOOT = [2, "1", "BootNotification", {"chargePointVendor": "Maker", "chargePointModel": "Model"}]


class Network:
    """A gateway in this process, on a bus in memory that a Central could be on as well."""

    def __init__(self, log_name: str, settings: GatewaySettings) -> None:
        self.settings = settings
        self.log_name = log_name
        self.bus = MemoryBus(shared_log(log_name))
        self.stop = asyncio.Event()

    async def say(self, topic: Topic[Any], **fields: Any) -> None:
        message = topic.model(ts=datetime.now(UTC), **fields)
        await self.bus.publish(Event(topic, message, uuid.uuid4().hex, "central"))

    async def hears(self, topic: Topic[Any], count: int) -> list[Any]:
        async with self.bus.subscribe({topic.name: Position.BEGINNING}) as reading, asyncio.timeout(DEADLINE_S):
            found: list[Any] = []
            while len(found) < count:
                found += [topic.model.from_json(record.value or b"") for record in await reading.getmany()]
            return found

    def connect(self, cp_id: str, **options: Any) -> connect:
        url = f"ws://127.0.0.1:{self.settings.ws_port}/ocpp/{cp_id}"
        return connect(url, subprotocols=["ocpp1.6"], compression=None, proxy=None, **options)  # type: ignore[list-item]

    async def until_admitted(self, cp_id: str, **options: Any) -> ClientConnection:
        """Connect as soon as the registration has come through."""
        return await admitted(lambda: self.connect(cp_id, **options))

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(f"http://127.0.0.1:{self.settings.http_port}{path}")


async def admitted(connecting: Callable[[], connect]) -> ClientConnection:
    """Connect again and again for as long as the station is unknown."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await connecting()
            except websockets.InvalidStatus as refused:
                if refused.response.status_code != 404:
                    raise
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def network(folder: Path, free_ports: list[int], **more: Any) -> AsyncIterator[Network]:
    log_name = f"gateway-{uuid.uuid4().hex}"
    ws_port, tls_port, http_port = free_ports
    settings = GatewaySettings(
        kafka_bootstrap=f"memory://{log_name}",
        ws_port=ws_port,
        tls_port=tls_port,
        http_port=http_port,
        db_path=folder / "gateway.db",
        **more,
    )
    made = Network(log_name, settings)
    task = asyncio.create_task(gateway(settings, made.stop))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await _is_ready(made):
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        yield made
    finally:
        made.stop.set()
        await asyncio.wait_for(task, DEADLINE_S)
        forget_log(log_name)


async def _is_ready(made: Network) -> bool:
    try:
        return (await made.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def free_ports() -> list[int]:
    import socket

    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        return [sock.getsockname()[1] for sock in socks]


async def test_a_station_is_let_in_once_central_has_registered_it_and_out_when_it_withdraws(
    tmp_path: Path, free_ports: list[int]
) -> None:
    async with network(tmp_path, free_ports) as net:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await net.connect("CP-1")
        assert refused.value.response.status_code == 404
        await net.say(OCPP_CONFIG, cp_id="CP-1", security_profile=1, password_hash=password_hash("pw"))
        station = await net.until_admitted("CP-1", additional_headers=basic("CP-1", "pw"))
        answer = await ask(station, BOOT)
        assert answer[2]["status"] == "Accepted"
        await net.say(OCPP_CONFIG, cp_id="CP-1", deleted=True)
        with pytest.raises(websockets.ConnectionClosed) as ended:
            await asyncio.wait_for(station.recv(), DEADLINE_S)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1008


async def test_boots_tokens_and_frames_go_over_the_bus(tmp_path: Path, free_ports: list[int]) -> None:
    async with network(tmp_path, free_ports, open_registration=True) as net:
        await net.say(OCPP_CONFIG, cp_id="CP-1", boot_status="Pending", heartbeat_interval_s=42)
        await net.say(AUTH_TOKENS, id_tag="BAD", status=TokenStatus.BLOCKED)
        async with net.connect("CP-1") as station:
            async with asyncio.timeout(DEADLINE_S):
                while (await ask(station, BOOT))[2] | {"currentTime": ""} != {
                    "status": "Pending",
                    "interval": 42,
                    "currentTime": "",
                }:
                    await asyncio.sleep(0.02)
                while (await ask(station, [2, "2", "Authorize", {"idTag": "BAD"}]))[2]["idTagInfo"][
                    "status"
                ] != "Blocked":
                    await asyncio.sleep(0.02)
        statuses: list[Status] = await net.hears(STATUS, 1)
        assert {s.cp_id for s in statuses} == {"CP-1"}
        assert statuses[-1].state is not ChargePointState.FAULT
        frames: list[OcppFrame] = await net.hears(OCPP_FRAMES, 4)
        assert frames[0].frame == BOOT
        assert [frame.direction for frame in frames[:2]] == ["in", "out"]


async def test_it_counts_at_metrics_without_naming_stations(tmp_path: Path, free_ports: list[int]) -> None:
    async with network(tmp_path, free_ports, open_registration=True) as net, net.connect("CP-SECRET-NAME") as station:
        await ask(station, [2, "1", "Heartbeat", {}])
        await station.send("garbage")
        await ask(station, [2, "2", "Heartbeat", {}])
        told = (await net.get("/metrics")).text
        assert 'evcharging_gateway_calls_total{action="Heartbeat",outcome="ok"} 2.0' in told
        assert 'evcharging_gateway_ignored_frames_total{reason="unreadable"} 1.0' in told
        assert "evcharging_gateway_stations 1.0" in told
        assert "CP-SECRET-NAME" not in told


def over_tls(url: str, context: ssl.SSLContext, headers: dict[str, str] | None) -> connect:
    return connect(
        url,
        ssl=context,
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        additional_headers=headers,
        compression=None,
        proxy=None,
    )


async def test_stations_of_profile_2_and_3_connect_over_tls(tmp_path: Path, free_ports: list[int]) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = {"tls_certificate": tmp_path / "own.pem", "tls_client_ca": tmp_path / "ca.pem"}
    async with network(tmp_path, free_ports, **tls) as net:
        await net.say(OCPP_CONFIG, cp_id="CP-2", security_profile=2, password_hash=password_hash("pw"))
        await net.say(OCPP_CONFIG, cp_id="CP-3", security_profile=3)
        url = f"wss://127.0.0.1:{net.settings.tls_port}/ocpp"
        for cp_id, headers in (("CP-2", basic("CP-2", "pw")), ("CP-3", None)):
            context = ssl.create_default_context()
            authority.configure_trust(context)
            if cp_id == "CP-3":
                authority.issue_cert(common_name=cp_id).configure_cert(context)
            station = await admitted(functools.partial(over_tls, f"{url}/{cp_id}", context, headers))
            assert (await ask(station, BOOT))[2]["status"] == "Accepted"
            with pytest.raises(websockets.InvalidStatus) as refused_plain:
                await net.connect(cp_id, additional_headers=headers)
            assert refused_plain.value.response.status_code == 403
            await station.close()


async def test_stopping_stores_what_was_told_and_says_1001(tmp_path: Path, free_ports: list[int]) -> None:
    async with network(tmp_path, free_ports, open_registration=True, accept_unknown_id_tags=True) as net:
        station = await net.connect("CP-1")
        await ask(station, BOOT)
        start = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2026-01-31T12:00:00Z"}
        transaction_id = (await ask(station, [2, "2", "StartTransaction", start]))[2]["transactionId"]
        sample = {"timestamp": "2026-01-31T12:01:00Z", "sampledValue": [{"value": "100"}]}
        meter = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [sample]}
        await ask(station, [2, "3", "MeterValues", meter])
        net.stop.set()
        with pytest.raises(websockets.ConnectionClosed) as ended:
            await asyncio.wait_for(station.recv(), DEADLINE_S)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        statuses: list[Status] = await net.hears(STATUS, 3)
        assert statuses[-1].state is ChargePointState.DISCONNECTED
    async with network(tmp_path, free_ports, open_registration=True) as again, again.connect("CP-1") as station:
        repeated = await ask(station, [2, "2", "StartTransaction", start])
        assert repeated[2]["transactionId"] == transaction_id


async def test_standalone_says_where_to_connect_and_ends_with_0(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as process:
        station = await connect(
            f"{process.url}/CP-1",
            subprotocols=["ocpp1.6"],
            compression=None,
            proxy=None,  # type: ignore[list-item]
        )
        assert (await ask(station, [2, "1", "Authorize", {"idTag": "ANY"}]))[2]["idTagInfo"]["status"] == "Accepted"
        assert await asyncio.to_thread(process.stop) == 0
        with pytest.raises(websockets.ConnectionClosed) as ended:
            await asyncio.wait_for(station.recv(), DEADLINE_S)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        said = process.log().splitlines()
        assert f"server listening on 127.0.0.1:{process.port}" in said
        assert f"CSMS listening on {process.url}/<station_id>" in said


async def test_a_station_cannot_connect_under_the_id_of_an_engine_and_the_operator_hears_of_it(
    tmp_path: Path, free_ports: list[int]
) -> None:
    async with network(tmp_path, free_ports, open_registration=True) as net:
        station = await net.connect("CP-1")
        await net.say(OCPP_CONFIG, cp_id="CP-1", deleted=True, held_by_engine=True)
        with pytest.raises(websockets.ConnectionClosed) as ended:
            await asyncio.wait_for(station.recv(), DEADLINE_S)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1008
        with pytest.raises(websockets.InvalidStatus) as refused:
            await net.connect("CP-1")
        assert refused.value.response.status_code == 403
        assert 'refused_openings_total{reason="engine_id"} 1.0' in (await net.get("/metrics")).text
        (alert,) = await net.hears(ALERTS, 1)
        assert (alert.cp_id, alert.kind) == ("CP-1", "id_conflict")


async def test_settings_of_the_central_system_hold_on_the_wire(tmp_path: Path, free_ports: list[int]) -> None:
    settings = {"open_registration": True, "refuse_concurrent": True, "known_vendors": "com.acme, org.example"}
    async with network(tmp_path, free_ports, accept_unknown_id_tags=True, **settings) as net:
        station = await net.connect("CP-1")
        await ask(station, BOOT)
        statuses = [
            (await ask(station, [2, vendor, "DataTransfer", {"vendorId": vendor}]))[2]["status"]
            for vendor in ("com.acme", "com.other")
        ]
        assert statuses == ["Accepted", "UnknownVendorId"]
        start = {"idTag": "TAG", "meterStart": 0, "timestamp": "2026-01-31T12:00:00Z"}
        answers = [
            await ask(station, [2, f"start-{number}", "StartTransaction", {"connectorId": number, **start}])
            for number in (1, 2)
        ]
        assert [answer[2]["idTagInfo"]["status"] for answer in answers] == ["Accepted", "ConcurrentTx"]


async def test_home_assistant_is_told_of_stations_where_that_is_set(tmp_path: Path, free_ports: list[int]) -> None:
    async with EmbeddedBroker() as broker, aiomqtt.Client("127.0.0.1", broker.port) as reader:
        await reader.subscribe("homeassistant/#", qos=1)
        settings = {"open_registration": True, "mqtt": broker.url, "mqtt_discovery": "homeassistant"}
        async with network(tmp_path, free_ports, **settings) as net, net.connect("CP-1") as station:
            await ask(station, BOOT)
            async with asyncio.timeout(DEADLINE_S):
                message = await anext(aiter(reader.messages))
    assert str(message.topic).startswith("homeassistant/sensor/CP-1/")
    assert orjson.loads(message.payload)["state_topic"] == "evse/CP-1/telemetry"  # type: ignore[arg-type]
