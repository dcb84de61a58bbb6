"""Two Centrals, two gateways and two swarm workers over one Apache Kafka and one PostgreSQL, and one of each killed.

Stations connect through what a load balancer does for them: to a gateway that is there. At the end every transaction of
the gateways' is one session of Central's with the same energy, whoever was killed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import kafka_jars
from tests.support.network import Service
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.postgresql,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"
STATIONS = 8
EAGER = """
pause_s: [0.5, 1.5]
stay_s: [6, 12]
meter_interval_s: 1
energy_step_wh: [3, 6]
id_tags: [ABC123]
"""


class Balancer:
    """Hands each new connection to the next gateway that takes one."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.port = 0
        self._turn = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        for number in range(len(self.ports)):
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", self.ports[(self._turn + number) % len(self.ports)])
                await asyncio.wait(
                    {asyncio.create_task(_copy(reader, there[1])), asyncio.create_task(_copy(there[0], writer))},
                )
                return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


class TwoOfEach:
    """The processes, and both Centrals' HTTP."""

    def __init__(self, bootstrap: str, database: str, folder: Path, balancer: Balancer) -> None:
        profiles = folder / "profiles"
        profiles.mkdir()
        (profiles / "eager.yaml").write_text(EAGER)
        self.web = {f"central-{n}": free_port() for n in (1, 2)}
        self.probes = {name: free_port() for name in ("gateway-1", "gateway-2", "worker-1", "worker-2")}
        self.services: dict[str, Service] = {}

        def add(name: str, module: str, *flags: object) -> None:
            arguments = ["--kafka-bootstrap", bootstrap, *map(str, flags)]
            self.services[name] = Service(name, f"evcharging.apps.{module}.main", arguments, folder)

        for name, port in self.web.items():
            ports = ("--http-port", port, "--listen-port", free_port())
            add(name, "ev_central", "--database-url", database, *ports, "--swarm-profiles-dir", profiles)
        for name, port in zip(("gateway-1", "gateway-2"), balancer.ports, strict=True):
            open_to_all = ("--open-registration", "--accept-unknown-id-tags", "--database-url", database)
            add(name, "ocpp_gateway", "--ws-port", port, "--http-port", self.probes[name], *open_to_all)
        for name in ("worker-1", "worker-2"):
            csms = ("--csms-url", f"ws://127.0.0.1:{balancer.port}/ocpp", "--profiles-dir", profiles)
            add(name, "swarm", "--worker-id", name, "--metrics-port", self.probes[name], *csms)
        self.clients = {
            name: httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=40, trust_env=False)
            for name, port in self.web.items()
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            await self.start("central-1")  # which makes the topics and the tables
            await asyncio.gather(*(self.start(name) for name in self.services if name != "central-1"))
            yield
        finally:
            for service in reversed(self.services.values()):
                await service.stop()
            for client in self.clients.values():
                await client.aclose()

    async def start(self, name: str) -> None:
        """Start one service and wait until it is ready."""
        await self.services[name].start()
        port = {**self.web, **self.probes}[name]

        async def ready() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/ready")).status_code == httpx.codes.OK

        await self.until(f"{name} is ready", ready, 90)

    async def get(self, central: str, path: str) -> Any:
        return (await self.clients[central].get(path)).raise_for_status().json()

    async def online(self, central: str) -> set[str]:
        return {one["station_id"] for one in await self.get(central, "/stations") if one["status"] == "online"}

    async def sessions(self, central: str, **query: object) -> list[dict[str, Any]]:
        answer = await self.clients[central].get("/api/v1/sessions", params={"limit": 1000, **query})
        return list(answer.raise_for_status().json())

    async def ended(self, central: str) -> int:
        return len(await self.sessions(central, status="COMPLETED"))

    async def until_more_have_ended(self, central: str, more: int = STATIONS) -> None:
        so_far = await self.ended(central)

        async def more_have() -> bool:
            return await self.ended(central) >= so_far + more

        await self.until(f"{more} more sessions have ended, says {central}", more_have, 60)

    async def until_all_are_online(self, central: str) -> None:
        async def all_are() -> bool:
            return len(await self.online(central)) == STATIONS

        await self.until(f"all stations are online, says {central}", all_are, 60)

    async def every_station_answers(self, central: str) -> None:
        """Whichever gateway holds it."""
        for number in range(1, STATIONS + 1):
            path = f"/api/v1/ocpp/PY-SIM-{number:04}/GetConfiguration"

            async def answers(path: str = path) -> bool:
                answer = await self.clients[central].post(path, json={"key": ["HeartbeatInterval"]})
                return answer.status_code == httpx.codes.OK

            await self.until(f"{path} is answered through {central}", answers, 30)

    async def until(self, what: str, condition: Any, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while True:
                    with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                        if await condition():
                            return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            tails = "\n".join(f"--- {name}\n{service.told()[-1500:]}" for name, service in self.services.items())
            raise AssertionError(f"not within {within_s} s: {what}\n{tails}") from None

    async def faults(self) -> list[str]:
        """Where transactions and sessions differ, in words; none when nothing was lost or doubled."""
        found = []
        for number in range(1, STATIONS + 1):
            station_id = f"PY-SIM-{number:04}"
            transactions = await self.get("central-1", f"/api/v1/ocpp/{station_id}/transactions?limit=1000")
            sessions = await self.sessions("central-1", station_id=station_id)
            ids = Counter(one["transaction_id"] for one in transactions)
            found += [f"{station_id}: transaction {one}, {times} times" for one, times in ids.items() if times > 1]
            ended = [one for one in transactions if one["meter_stop_wh"] is not None]
            found += [f"{station_id}: {len(transactions) - len(ended)} never ended"] * (len(ended) < len(transactions))
            active = [one["session_id"] for one in sessions if one["status"] == "ACTIVE"]
            found += [f"{station_id}: {session_id} still runs" for session_id in active]
            metered_wh = sorted(one["meter_stop_wh"] - one["meter_start_wh"] for one in ended)
            billed_wh = sorted(round(one["kwh"] * 1000) for one in sessions)
            if metered_wh != billed_wh:
                found.append(f"{station_id}: metered {metered_wh} Wh, billed {billed_wh} Wh")
        return found


@pytest.fixture(scope="module")
def postgresql() -> Any:
    with PostgresqlServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoOfEach]:
    balancer = Balancer([free_port(), free_port()])
    database = await postgresql.new_database()
    async with ApacheKafka(kafka_jars(CACHE)) as kafka, balancer.running():
        network = TwoOfEach(kafka.bootstrap, database, tmp_path_factory.mktemp("two"), balancer)
        async with network.running():
            yield network


async def test_either_central_knows_all_stations_and_commands_reach_the_gateway_that_holds_them(
    network: TwoOfEach,
) -> None:
    scale = {"count": STATIONS, "profile": "eager"}
    (await network.clients["central-1"].post("/stations/scale", json=scale)).raise_for_status()
    for central in network.clients:
        await network.until_all_are_online(central)
    await network.until_more_have_ended("central-2", 3)
    await network.every_station_answers("central-2")
    await network.every_station_answers("central-1")


@pytest.mark.parametrize("killed", ["central-1", "gateway-1", "worker-1"])
async def test_the_other_one_goes_on_when_one_is_killed(network: TwoOfEach, killed: str) -> None:
    await network.services[killed].kill()
    await network.until_all_are_online("central-2")
    await network.until_more_have_ended("central-2")
    await network.every_station_answers("central-2")
    await network.start(killed)
    await network.until_all_are_online("central-1")
    await network.until_more_have_ended("central-1")


async def test_no_session_was_lost_or_doubled(network: TwoOfEach) -> None:
    scale = {"count": 0, "profile": "eager"}
    (await network.clients["central-2"].post("/stations/scale", json=scale)).raise_for_status()

    async def books_are_closed() -> bool:
        return not await network.online("central-1") and not await network.sessions("central-1", status="ACTIVE")

    await network.until("all stations are stopped and all sessions ended", books_are_closed, 60)
    assert await network.faults() == []
    assert await network.ended("central-1") > 3 * STATIONS
