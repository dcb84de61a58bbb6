"""``evcharging station`` over real sockets and real CAN frames: what a CSMS asks for happens at the charger."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import trustme
from can import Message

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.station.main import station
from evcharging.apps.station.settings import StationAppSettings
from evcharging.can.bus import CanBus
from evcharging.can.frames import CurrentLimit, Frame, Inject, InjectKind, MeasuredCurrent, decode, encode
from evcharging.can.hub import CanHub
from evcharging.can.virtual import VirtualCan
from evcharging.domain.levels import L2_THREE_PHASE
from evcharging.mqtt.embedded import EmbeddedBroker
from tests.support.csms_server import DEADLINE_S, CsmsServer, a_csms

_numbers = itertools.count(1)
VERSIONS = pytest.mark.parametrize("version", ["1.6", "2.0.1"])


def new_id() -> str:
    return f"CP-CAN-{next(_numbers):03}"


class Onlooker:
    """A party of the CAN channel that is none of ours."""

    def __init__(self, bus: CanBus) -> None:
        self.bus = bus
        self.frames: list[Frame] = []
        self._changed = asyncio.Condition()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        bus.add_listener(self._hear)

    async def hear(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The first frame from now on that is wanted."""
        seen = len(self.frames)
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: any(wanted(frame) for frame in self.frames[seen:]))
        return next(frame for frame in self.frames[seen:] if wanted(frame))

    def _hear(self, message: Message) -> None:
        self.frames.append(decode(message))
        task = self._loop.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@contextlib.asynccontextmanager
async def running(csms: CsmsServer, **settings: Any) -> AsyncIterator[StationAppSettings]:
    """A station of this process, by hand unless told otherwise; stopped in good order at the end."""
    made = StationAppSettings(**{"csms_url": csms.url, "id": new_id(), "profile": "none", **settings})
    stop = asyncio.Event()
    task = asyncio.create_task(station(made, stop))
    try:
        await csms.hear(lambda: csms.of("StatusNotification") or task.done())
        yield made
    finally:
        stop.set()
        await asyncio.wait_for(task, DEADLINE_S)


@pytest.fixture
async def csms() -> AsyncIterator[CsmsServer]:
    async with a_csms() as csms:
        yield csms
    assert csms.problems == []


def profile_of(amps: float, version: str) -> tuple[str, dict[str, Any]]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}]}
    shared = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    if version == "1.6":
        profile = {"chargingProfileId": 1, **shared, "chargingSchedule": schedule}
        return "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}
    profile = {"id": 1, **shared, "chargingSchedule": [{"id": 1, **schedule}]}
    return "SetChargingProfile", {"evseId": 1, "chargingProfile": profile}


def start_of(version: str) -> tuple[str, dict[str, Any]]:
    if version == "1.6":
        return "RemoteStartTransaction", {"idTag": "REMOTE", "connectorId": 1}
    token = {"idToken": "REMOTE", "type": "Central"}
    return "RequestStartTransaction", {"idToken": token, "remoteStartId": 1, "evseId": 1}


def currents(csms: CsmsServer, version: str) -> list[float]:
    """Every Current.Import that was told."""
    if version == "1.6":
        meters = [meter for one in csms.of("MeterValues") for meter in one["meterValue"]]
    else:
        meters = [meter for one in csms.events("Updated") for meter in one.get("meterValue", ())]
    values = [value for meter in meters for value in meter["sampledValue"]]
    return [float(value["value"]) for value in values if value["measurand"] == "Current.Import"]


def configuration(version: str) -> str:
    return "MeterValueSampleInterval=1" if version == "1.6" else "SampledDataCtrlr.TxUpdatedInterval=1"


@VERSIONS
async def test_a_charging_profile_of_ten_ampere_is_ten_ampere_on_can_in_meter_values_and_on_mqtt(
    csms: CsmsServer, version: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(EmbeddedBroker())
        settings = await stack.enter_async_context(
            running(csms, version=version, mqtt=broker.url, mqtt_interval=0.2, configuration=configuration(version))
        )
        reader = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port))
        await reader.subscribe(f"evse/{settings.id}/telemetry")
        end = VirtualCan(settings.id)
        stack.push_async_callback(end.close)
        onlooker = Onlooker(end)
        end.post(encode(Inject(InjectKind.PLUG)))  # a driver plugs in, at the charger itself
        status = "Preparing" if version == "1.6" else "Occupied"
        await csms.hear(lambda: status in str(csms.of("StatusNotification")[-1]))
        assert (await csms.call(*start_of(version)))["status"] == "Accepted"
        await onlooker.hear(lambda frame: isinstance(frame, MeasuredCurrent) and frame.current_a > 30)
        await csms.hear(lambda: any(amps > 30 for amps in currents(csms, version)))

        assert (await csms.call(*profile_of(10.0, version)))["status"] == "Accepted"

        await onlooker.hear(lambda frame: isinstance(frame, CurrentLimit) and frame.limit_amps == 10.0)
        measured = await onlooker.hear(lambda frame: isinstance(frame, MeasuredCurrent) and frame.current_a < 30)
        assert isinstance(measured, MeasuredCurrent)
        assert measured.current_a == pytest.approx(10.0, abs=0.01)
        await csms.hear(lambda: 10.0 in currents(csms, version))
        async with asyncio.timeout(DEADLINE_S):
            async for message in reader.messages:
                told = json.loads(bytes(message.payload))
                if told["current_a"] == 10.0:
                    break
        assert (told["status"], told["unit_id"]) == ("charging", settings.id)
        assert told["power_kw"] == pytest.approx(6.93, abs=0.01)


async def test_home_assistant_is_told_of_a_stations_chargers_where_that_is_set(csms: CsmsServer) -> None:
    async with EmbeddedBroker() as broker, aiomqtt.Client("127.0.0.1", broker.port) as reader:
        await reader.subscribe("homeassistant/#", qos=1)
        async with running(csms, mqtt=broker.url, mqtt_discovery="homeassistant") as settings:
            async with asyncio.timeout(DEADLINE_S):
                message = await anext(aiter(reader.messages))
    assert str(message.topic).startswith(f"homeassistant/sensor/{settings.id}/")
    assert json.loads(bytes(message.payload))["device"]["name"] == settings.id


async def test_a_charger_of_another_process_is_reached_through_its_hub(csms: CsmsServer) -> None:
    station_id = new_id()
    hub = CanHub()
    host, port = await hub.start(host="127.0.0.1", port=0)
    wheel = NodeWheel()
    node = ChargerNode(hub.attach(station_id), make_model(L2_THREE_PHASE, register_wh=7_000.0))
    wheel.add(node)
    turning = asyncio.create_task(wheel.run())
    try:
        async with running(csms, id=station_id, can=f"hub://{host}:{port}"):
            node.obey(Inject(InjectKind.PLUG))
            await csms.hear(lambda: "Preparing" in csms.statuses())
            await csms.call(*start_of("1.6"))
            await csms.hear(lambda: "Charging" in csms.statuses())
            start = csms.of("StartTransaction")[0]
            assert start["meterStart"] == 7_000
            node.obey(Inject(InjectKind.UNPLUG))
            stop = (await csms.hear(lambda: csms.of("StopTransaction")))[0]
            assert stop["reason"] == "EVDisconnected"
            assert stop["meterStop"] >= 7_000
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        wheel.remove(node)
        await hub.stop()


async def test_a_charger_that_goes_silent_is_told_as_faulted_and_ends_the_transaction(csms: CsmsServer) -> None:
    station_id = new_id()
    hub = CanHub()
    host, port = await hub.start(host="127.0.0.1", port=0)
    wheel = NodeWheel()
    node = ChargerNode(hub.attach(station_id), make_model(L2_THREE_PHASE))
    wheel.add(node)
    turning = asyncio.create_task(wheel.run())
    try:
        async with running(csms, id=station_id, can=f"hub://{host}:{port}"):
            node.obey(Inject(InjectKind.PLUG))
            await csms.hear(lambda: "Preparing" in csms.statuses())
            await csms.call(*start_of("1.6"))
            await csms.hear(lambda: "Charging" in csms.statuses())
            wheel.remove(node)
            await csms.hear(lambda: "Faulted" in csms.statuses())
            stop = (await csms.hear(lambda: csms.of("StopTransaction")))[0]
            assert stop["reason"] == "Other"
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        await hub.stop()


@contextlib.asynccontextmanager
async def a_charger_process(station_id: str, port: int = 0) -> AsyncIterator[int]:
    """A hub and a charger, gone all at once at the end as when their process is killed; yields the hub's port."""
    hub = CanHub()
    _, port = await hub.start(host="127.0.0.1", port=port)
    wheel = NodeWheel()
    wheel.add(node := ChargerNode(hub.attach(station_id), make_model(L2_THREE_PHASE)))
    turning = asyncio.create_task(wheel.run())
    try:
        yield port
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        wheel.remove(node)
        await hub.stop()


async def test_a_station_outlives_its_charger_process_and_goes_on_when_that_is_back(
    csms: CsmsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eager.yaml").write_text("pause_s: [0.1, 0.2]\nstay_s: [60, 60]\n")
    station_id = new_id()
    async with contextlib.AsyncExitStack() as stack:
        async with a_charger_process(station_id) as port:
            await stack.enter_async_context(
                running(csms, id=station_id, can=f"hub://127.0.0.1:{port}", profile="eager", profiles_dir=tmp_path)
            )
            await csms.hear(lambda: "Charging" in csms.statuses())
        async with asyncio.timeout(DEADLINE_S):
            while "Vehicle not unplugged" not in capsys.readouterr().out:
                await asyncio.sleep(0.05)
        assert csms.statuses()[-1] == "Faulted"
        async with a_charger_process(station_id, port):
            await csms.hear(lambda: len(csms.of("StartTransaction")) == 2 and csms.statuses()[-1] == "Charging")
            await stack.aclose()


async def test_several_connectors_have_a_channel_each(csms: CsmsServer) -> None:
    async with running(csms, connectors=2) as settings:
        assert settings.channels == (f"{settings.id}-1", f"{settings.id}-2")
        end = VirtualCan(settings.channels[1])
        end.post(encode(Inject(InjectKind.PLUG)))
        await csms.hear(lambda: "Preparing" in csms.statuses(2))
        assert csms.statuses(1) == ["Available"]
        await end.close()


async def test_connects_by_tls_with_its_own_certificate_and_password(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("station.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []

    def look(_connection: object, request: Any) -> None:
        seen.append(request.headers["Authorization"])

    async with (
        a_csms(ssl=tls, process_request=look) as csms,
        running(csms, ca=tmp_path / "ca.pem", client_cert=tmp_path / "own.pem", password="a-password-of-16"),
    ):
        assert csms.of("BootNotification")
    assert seen[0].startswith("Basic ")


async def test_faults_asked_for_are_seen_by_the_csms_and_the_station_lives_on() -> None:
    async with a_csms() as csms:
        async with running(csms, faults="unknown-action=0.5,wrong-type=0.4", seed=7):
            await csms.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
            await csms.hear(lambda: csms.of("Heartbeat"))
        assert csms.of("BootNotification")
        assert {problem.split(": ")[1] for problem in csms.problems} <= {"NotImplemented", "TypeConstraintViolation"}
        assert csms.problems


@contextlib.asynccontextmanager
async def a_process(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evcharging.apps.station.main", *arguments, stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_killed_station_ends_its_transaction_when_it_is_back(csms: CsmsServer, tmp_path: Path) -> None:
    flags = ("--csms-url", csms.url, "--id", new_id(), "--queue-file", str(tmp_path / "queue"))
    lively = tmp_path / "profiles"
    lively.mkdir()
    (lively / "eager.yaml").write_text("pause_s: [0.1, 0.2]\nmeter_interval_s: 1\n")
    async with a_process(*flags, "--profile", "eager", "--profiles-dir", str(lively)) as process:
        await csms.hear(lambda: csms.of("MeterValues"))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert csms.of("StopTransaction") == []
    async with a_process(*flags, "--profile", "none"):
        stop = (await csms.hear(lambda: csms.of("StopTransaction")))[0]
    assert (stop["reason"], stop["transactionId"]) == ("PowerLoss", 1)
    assert len(csms.of("StartTransaction")) == 1


async def test_a_killed_station_of_201_never_uses_a_number_of_its_events_twice(
    csms: CsmsServer, tmp_path: Path
) -> None:
    flags = ("--csms-url", csms.url, "--id", new_id(), "--version", "2.0.1", "--queue-file", str(tmp_path / "queue"))
    (tmp_path / "eager.yaml").write_text("pause_s: [0.1, 0.2]\nmeter_interval_s: 1\n")
    async with a_process(*flags, "--profile", "eager", "--profiles-dir", str(tmp_path)) as process:
        await csms.hear(lambda: len(csms.events("Updated")) > 2)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with a_process(*flags, "--profile", "none"):
        ended = (await csms.hear(lambda: csms.events("Ended")))[0]
    told: dict[int, tuple[str, str]] = {}
    for event in csms.events():  # one whose answer the kill cut off comes again, and is the same event
        what = (event["eventType"], event["timestamp"])
        assert told.setdefault(event["seqNo"], what) == what
    assert ended["transactionInfo"]["stoppedReason"] == "PowerLoss"
    assert ended["transactionInfo"]["transactionId"] == csms.events("Started")[0]["transactionInfo"]["transactionId"]
    assert list(told) == sorted(told)


async def test_a_station_ends_by_itself_after_its_time_with_exit_code_0_and_a_summary(csms: CsmsServer) -> None:
    async with a_process("--csms-url", csms.url, "--id", new_id(), "--profile", "none", "--duration", "0.5") as process:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, err) == (0, b"")
    lines = out.decode().splitlines()
    assert "BootNotification sent" in lines[1]
    assert "0 transactions, 0.000 kWh" in lines[-1]
