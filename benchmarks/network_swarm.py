"""Simulated stations through the whole network: broker, Central, gateway and swarm workers, each a process of its own.

For each size the network is started, scaled over HTTP, left to charge and measured: the time until all are online,
CPU and memory of every process, records a second, the lag of readers, Central's latency, how soon a price acts on
all, and how soon all are stopped with every session ended. The embedded broker, one worker and one gateway, unless
flags say otherwise. One JSON line a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from ocpp_swarm import free_port
from websockets.asyncio.client import connect

SIZES = (1_000, 5_000)
MEASURED_S = 60
SETTLED_AFTER_S = 20
"""By then the first vehicles are there, says the profile."""
READY_WITHIN_S = 60
GIVE_UP_S = 300
PROFILE = "busy"
DEAR, CHEAP = 60.0, 0.30
"""Per kWh: over what the profile pays, and under it."""
LOOKS = {"cp": "/cp?limit=100", "stations": "/stations?limit=100", "totals": "/totals"}
TOPICS = ("cp.status", "cp.telemetry", "swarm.status", "swarm.log", "driver.updates")


class Service:
    """One process of the network, with its log in a file."""

    def __init__(self, name: str, module: str, folder: Path, web_port: int | None, **flags: object) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments = [sys.executable, "-m", f"evcharging.apps.{module}.main"]
        for flag, value in flags.items():
            self._arguments += [f"--{flag.replace('_', '-')}", *([] if value is True else [str(value)])]
        self._folder = folder
        self._web_port = web_port
        self.process: Process | None = None

    async def start(self, client: httpx.AsyncClient) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not await self._is_ready(client):
            if self.process.returncode is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not come up: " + self.log.read_text()[-2000:])
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 40)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    def usage(self) -> tuple[float, float]:
        """CPU seconds so far, and MiB in memory."""
        assert self.process is not None  # noqa: S101 - it was started
        process = psutil.Process(self.process.pid)
        return sum(process.cpu_times()[:2]), process.memory_info().rss / 2**20

    async def counts(self, client: httpx.AsyncClient) -> dict[str, float]:
        """Its metrics by name with labels; none where it has no HTTP or does not answer."""
        found: dict[str, float] = defaultdict(float)
        if self._web_port is None:
            return found
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.get(f"http://127.0.0.1:{self._web_port}/metrics")
            for line in answer.text.splitlines():
                if match := re.fullmatch(r"([a-z_]+(?:\{[^}]*\})?) ([-+0-9.e]+)", line):
                    found[match[1]] += float(match[2])
        return found

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        if self._web_port is None:
            return b"ready" in self.log.read_bytes()
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.get(f"http://127.0.0.1:{self._web_port}/ready")
            return answer.status_code == httpx.codes.OK
        return False


class Network:
    """The services, and Central's HTTP."""

    def __init__(self, folder: Path, options: argparse.Namespace, count: int) -> None:
        kafka_port, self.http_port = free_port(), free_port()
        kafka = {"kafka_bootstrap": options.kafka or f"127.0.0.1:{kafka_port}"}
        broker = [] if options.kafka else [Service("broker", "broker", folder, None, port=kafka_port)]
        ws_port, gateway_port = free_port(), free_port()
        gateway = {"open_registration": True, "accept_unknown_id_tags": True, "frames": "off", "ws_port": ws_port}
        http = {"http_port": self.http_port, "listen_port": free_port(), "swarm_most_stations": max(count, 1)}
        worker: dict[str, object] = {**kafka, "csms_url": f"ws://127.0.0.1:{ws_port}/ocpp"}
        if options.profiles_dir is not None:
            http["swarm_profiles_dir"] = worker["profiles_dir"] = options.profiles_dir.absolute()
        self.central = Service("central", "ev_central", folder, self.http_port, **kafka, **http)
        self.gateway = Service(
            "gateway", "ocpp_gateway", folder, gateway_port, **kafka, http_port=gateway_port, **gateway
        )
        self.workers = [
            Service(f"worker-{n}", "swarm", folder, port, **worker, metrics_port=port, worker_id=f"worker-{n}")
            for n in range(1, options.workers + 1)
            for port in [free_port()]
        ]
        self.services = [*broker, self.central, self.gateway, *self.workers]
        self.client = httpx.AsyncClient(timeout=60, trust_env=False)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            for service in self.services:
                await service.start(self.client)
            yield
        finally:
            for service in reversed(self.services):
                await service.stop()
            await self.client.aclose()

    async def get(self, path: str) -> Any:
        answer = await self.client.get(f"http://127.0.0.1:{self.http_port}{path}")
        return answer.raise_for_status().json()

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        answer = await self.client.post(f"http://127.0.0.1:{self.http_port}{path}", json=body)
        return answer.raise_for_status().json()

    async def stations(self) -> list[dict[str, Any]]:
        return list(await self.get("/stations"))

    async def counts(self) -> dict[str, dict[str, float]]:
        return {service.name: await service.counts(self.client) for service in self.services}

    def logs(self) -> dict[str, str]:
        return {service.name: service.log.read_text(errors="replace") for service in self.services}

    def usage(self) -> dict[str, tuple[float, float]]:
        return {service.name: service.usage() for service in self.services}


def spread(name: str, seconds: list[float]) -> Iterator[tuple[str, float]]:
    ordered = sorted(seconds)
    for percent in (50, 99):
        yield f"{name}_p{percent}_ms", ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000
    yield f"{name}_max_ms", ordered[-1] * 1000


class Watch:
    """What is seen of the network while it is measured: latencies, lags, what a page is told."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._seconds: dict[str, list[float]] = {name: [] for name in LOOKS}
        self._lags: Counter[str] = Counter()
        self._page = Counter[str]()
        self._gaps: list[float] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for work in (self._look(), self._lag(), self._be_a_page()):
                group.create_task(work)

    def figures(self) -> Iterator[tuple[str, float]]:
        for name, seconds in self._seconds.items():
            yield from spread(f"http_{name}", seconds)
        for reader, most in self._lags.items():
            yield f"lag_most_{reader}", most
        yield "page_messages", self._page["messages"]
        yield "page_kib", self._page["bytes"] / 1024
        yield "page_longest_gap_ms", max(self._gaps, default=0.0) * 1000

    async def _look(self) -> None:
        while True:
            for name, path in LOOKS.items():
                began = time.monotonic()
                await self._network.get(path)
                self._seconds[name].append(time.monotonic() - began)
            await asyncio.sleep(0.2)

    async def _lag(self) -> None:
        while True:
            for name, counts in (await self._network.counts()).items():
                for metric, value in counts.items():
                    if match := re.fullmatch(r'evcharging_bus_lag_records\{reader="(.+)"\}', metric):
                        key = f"{name}_{match[1].replace(' ', '_')}"
                        self._lags[key] = max(self._lags[key], int(value))
            await asyncio.sleep(2)

    async def _be_a_page(self) -> None:
        async with connect(f"ws://127.0.0.1:{self._network.http_port}/ws?batch=true", max_size=None) as page:
            heard_at = None
            async for text in page:
                now = time.monotonic()
                if heard_at is not None:
                    self._gaps.append(now - heard_at)
                heard_at = now
                self._page["messages"] += 1
                self._page["bytes"] += len(text)


async def until(what: str, condition: Any) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > GIVE_UP_S:
            raise SystemExit(f"not within {GIVE_UP_S} s: {what}")
        await asyncio.sleep(0.25)
    return time.monotonic() - began


async def boot(network: Network, count: int, profile: str) -> Iterator[tuple[str, float]]:
    before = network.usage()
    began = time.monotonic()
    await network.post("/stations/scale", {"count": count, "profile": profile})
    answered_s = time.monotonic() - began

    async def all_online() -> bool:
        return bool((await network.get("/totals"))["running"] >= count)

    await until("all are online", all_online)
    figures = [("scale_answer_s", answered_s), ("all_online_s", time.monotonic() - began)]
    after = network.usage()
    figures += [(f"boot_cpu_s_{name}", after[name][0] - before[name][0]) for name in after]
    return iter(figures)


async def charge(network: Network, measured_s: float) -> Iterator[tuple[str, float]]:
    watch = Watch(network)
    watching = asyncio.create_task(watch.run())
    usage, counts = network.usage(), await network.counts()
    began = time.monotonic()
    done, _ = await asyncio.wait({watching}, timeout=measured_s)
    for task in done:
        task.result()
    took_s = time.monotonic() - began
    usage_after, counts_after = network.usage(), await network.counts()
    watching.cancel()
    await asyncio.wait({watching})
    charging = sum(station["usage_kw"] > 0 for station in await network.stations())
    figures: list[tuple[str, float]] = [("charging", charging)]
    for name, (cpu_s, rss_mib) in usage_after.items():
        figures.append((f"core_share_{name}", (cpu_s - usage[name][0]) / took_s))
        figures.append((f"rss_mib_{name}", rss_mib))
    for topic in TOPICS:
        metric = f'evcharging_bus_published_total{{topic="{topic}"}}'
        number = sum(counts_after[name][metric] - counts[name][metric] for name in counts)
        figures.append((f"records_per_s_{topic}", number / took_s))
    return iter([*figures, *watch.figures()])


async def price(network: Network) -> Iterator[tuple[str, float]]:
    async def none_draws() -> bool:
        return all(station["usage_kw"] == 0 for station in await network.stations())

    began = time.monotonic()
    await network.post("/pricing", {"price": DEAR, "currency": "EUR"})
    answered_s = time.monotonic() - began
    took_s = await until("no station charges at a price over its threshold", none_draws)
    await network.post("/pricing", {"price": CHEAP, "currency": "EUR"})
    return iter([("pricing_answer_s", answered_s), ("dear_until_none_charges_s", took_s)])


async def stop(network: Network) -> Iterator[tuple[str, float]]:
    began = time.monotonic()
    await network.post("/stations/scale", {"count": 0, "profile": PROFILE})

    async def none_runs() -> bool:
        return all(station["status"] == "stopped" for station in await network.stations())

    async def none_active() -> bool:
        return not await network.get("/api/v1/sessions?status=ACTIVE&limit=1")

    await until("all are stopped", none_runs)
    stopped_s = time.monotonic() - began
    await until("no session is open", none_active)
    return iter([("all_stopped_s", stopped_s), ("no_session_open_s", time.monotonic() - began)])


def words_of(logs: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Lines of the logs that are no mere information, by their level."""
    for name, text in logs.items():
        for level, number in Counter(re.findall(r"\| (WARNING|ERROR|CRITICAL) \|", text)).items():
            yield f"log_{level.lower()}_{name}", float(number)


async def measure(options: argparse.Namespace, count: int, folder: Path) -> None:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 - it runs in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # leaves nothing running

    def tell(figures: Iterator[tuple[str, float]]) -> None:
        for figure, value in figures:
            line = {"benchmark": "network_swarm", "stations": count, "figure": figure, "value": round(value, 3)}
            print(json.dumps(line), flush=True)

    network = Network(folder, options, count)
    async with network.running():
        tell(await boot(network, count, options.profile))
        await asyncio.sleep(SETTLED_AFTER_S)
        tell(await charge(network, options.seconds))
        tell(await price(network))
        tell(await stop(network))
    tell(words_of(network.logs()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, help="stations")
    parser.add_argument("--kafka", help="bootstrap of a broker that runs already; unset: the embedded one")
    parser.add_argument("--workers", type=int, default=1, help="swarm workers; over 1 needs --kafka")
    parser.add_argument("--profile", default=PROFILE, help="behaviour of the stations")
    parser.add_argument("--profiles-dir", type=Path, help="folder with behaviours of your own")
    parser.add_argument("--seconds", type=float, default=MEASURED_S, help="how long is measured")
    parser.add_argument("--logs", type=Path, help="folder that keeps logs and databases")
    options = parser.parse_args()
    for count in options.sizes or SIZES:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if options.logs is not None:
                folder = options.logs / str(count)
                folder.mkdir(parents=True)
            asyncio.run(measure(options, count, folder))


if __name__ == "__main__":
    main()
