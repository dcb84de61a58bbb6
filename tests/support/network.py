"""The whole network as real processes on free ports of this machine, to be watched, killed and frozen.

Each service runs by its own command line, as a user would start it, over whatever broker the test gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.ports import free_port

__all__ = ["Network", "Service", "frozen", "killed"]

READY_WITHIN_S = 40.0
STOPS_WITHIN_S = 15.0


class Service:
    """One process of ours, with its log in a file."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._module = module
        self._arguments = list(arguments)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """As a crash: SIGKILL, nothing is said to anybody."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return await self._process.wait()

    async def stop(self) -> int | None:
        """In good order; by force where that takes too long."""
        if self._process is None or self._process.returncode is not None:
            return self._process.returncode if self._process else None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    def told(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextlib.asynccontextmanager
async def killed(service: Service) -> AsyncIterator[None]:
    """The service is dead inside the block and started again after it."""
    await service.kill()
    yield
    await service.start()


@contextlib.asynccontextmanager
async def frozen(service: Service) -> AsyncIterator[None]:
    """The service stands still inside the block (SIGSTOP) and goes on after it."""
    service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.signal(signal.SIGCONT)


class Network:
    """Central, a charger with its hub, an engine and a monitor over a broker that is there already.

    Args:
        bootstrap: of the broker.
        folder: where databases and logs are written.
        charge_points: how many the engine hosts.
        session_s: how long a session lasts; 0: until its energy is reached.
        database: Central's; a SQLite file in ``folder`` by default.
        engine_lost_s: how long Central waits for an engine before it gives its session up.
    """

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        *,
        charge_points: int = 2,
        session_s: float = 10,
        database: str | None = None,
        mqtt: str | None = None,
        engine_lost_s: float = 60,
    ) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.http_port, tcp_port, self.health_port, hub_port = (free_port() for _ in range(4))
        self.database = database or str(folder / "simulator.db")
        self.cp_ids = [f"CP-{number:03}" for number in range(1, charge_points + 1)]
        with_mqtt = {"mqtt": mqtt} if mqtt else {}
        self.central = self._service(
            "central",
            "ev_central",
            kafka_bootstrap=bootstrap,
            http_port=self.http_port,
            listen_port=tcp_port,
            database_url=database or f"sqlite:///{self.database}",
            engine_lost_s=engine_lost_s,
            **with_mqtt,
        )
        self.charger = self._service(
            "charger",
            "charger",
            hub_port=hub_port,
            count=charge_points,
            register_file=folder / "registers.json",
        )
        self.engine = self._service(
            "engine",
            "ev_cp_e",
            kafka_bootstrap=bootstrap,
            cp_id="CP-001",
            count=charge_points,
            health_port=self.health_port,
            can=f"hub://127.0.0.1:{hub_port}",
            session_seconds=session_s,
            **with_mqtt,
        )
        self.monitor = self._service(
            "monitor",
            "ev_cp_m",
            cp_id=",".join(self.cp_ids),
            cp_e_host="127.0.0.1",
            cp_e_port=self.health_port,
            central_host="127.0.0.1",
            central_port=self.http_port,
        )
        self.services = [self.charger, self.central, self.engine, self.monitor]
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}", timeout=5)

    def driver(self, driver_id: str, lines: Sequence[str], *, interval_s: float = 0.2) -> Service:
        """A driver who works through ``lines`` once; start it when it is to begin."""
        requests = self.folder / f"{driver_id}.txt"
        requests.write_text("".join(f"{line}\n" for line in lines))
        driver = self._service(
            driver_id,
            "ev_driver",
            driver_id=driver_id,
            kafka_bootstrap=self.bootstrap,
            requests_file=requests,
            request_interval=interval_s,
            summary_json=self.folder / f"{driver_id}.json",
        )
        self.services.append(driver)
        return driver

    async def __aenter__(self) -> Self:
        for service in self.services:
            await service.start()
        await self.until_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        for service in reversed(self.services):
            await service.stop()
        await self.http.aclose()

    async def until_ready(self) -> None:
        await self.until("Central is ready", self._central_is_ready, within_s=READY_WITHIN_S)
        for cp_id in self.cp_ids:
            await self.until_state(cp_id, "ACTIVATED", within_s=READY_WITHIN_S)

    async def charge_point(self, cp_id: str) -> dict[str, Any]:
        response = await self.http.get(f"/cp/{cp_id}")
        return dict(response.json())

    async def sessions(self) -> list[dict[str, Any]]:
        response = await self.http.get("/api/v1/sessions", params={"limit": 500})
        response.raise_for_status()
        return list(response.json())

    async def until_state(self, cp_id: str, state: str, *, within_s: float = 30.0) -> None:
        async def there() -> bool:
            return bool((await self.charge_point(cp_id)).get("state") == state)

        await self.until(f"{cp_id} is {state}", there, within_s=within_s)

    async def until_energy(self, cp_id: str, *, kwh: float = 0.0, within_s: float = 30.0) -> None:
        """Wait until a session at the charge point has taken more than ``kwh``."""

        async def there() -> bool:
            return ((await self.charge_point(cp_id)).get("kwh") or 0.0) > kwh

        await self.until(f"{cp_id} has taken more than {kwh} kWh", there, within_s=within_s)

    async def sessions_of(self, driver_id: str) -> list[dict[str, Any]]:
        """A driver's sessions, newest first."""
        response = await self.http.get("/api/v1/sessions", params={"driver_id": driver_id, "limit": 50})
        response.raise_for_status()
        return list(response.json())

    async def until_ended(self, driver_id: str, *, within_s: float = 60.0) -> dict[str, Any]:
        """Wait until a driver's only session has ended, and return it."""

        async def there() -> bool:
            sessions = await self.sessions_of(driver_id)
            return bool(sessions) and sessions[0]["status"] != "ACTIVE"

        await self.until(f"the session of {driver_id} has ended", there, within_s=within_s)
        (session,) = await self.sessions_of(driver_id)
        return session

    async def until(self, what: str, condition: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while True:
                    with contextlib.suppress(httpx.HTTPError):
                        if await condition():
                            return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            tails = "\n".join(f"--- {s.name}\n{s.told()[-1500:]}" for s in self.services)
            raise AssertionError(f"not within {within_s} s: {what}\n{tails}") from None

    async def _central_is_ready(self) -> bool:
        return (await self.http.get("/ready")).status_code == httpx.codes.OK

    def _service(self, name: str, module: str, **flags: object) -> Service:
        arguments = [text for flag, value in flags.items() for text in (f"--{flag.replace('_', '-')}", str(value))]
        return Service(name, f"evcharging.apps.{module}.main", arguments, self.folder)
