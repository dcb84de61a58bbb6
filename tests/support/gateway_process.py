"""A standalone gateway as people start it: a process of its own, which can be killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_port

READY_WITHIN_S = 30.0


class GatewayProcess:
    """`evcharging gateway --standalone` on ports of its own, with a database in ``folder`` that outlives it."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.flags = flags
        self.port, self.http_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where stations connect, without their id."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    def http(self) -> httpx.AsyncClient:
        """A client of its HTTP side, to be entered."""
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}", timeout=40, trust_env=False)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "evcharging.apps.up.launch"),  # which ends it when this run is gone
                    *("evcharging.apps.ocpp_gateway.main", "--standalone"),
                    *("--ws-port", str(self.port), "--http-port", str(self.http_port)),
                    *("--db-path", str(self.folder / "gateway.db"), *self.flags),
                ],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith("OCPP_GATEWAY_")},
            )
        assert self.process.stdin is not None
        self.process.stdin.write(b"begin\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._is_ready():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._reap()

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "gateway.log").read_text(errors="replace")

    async def ask(self, cp_id: str, action: str, payload: dict[str, Any]) -> httpx.Response:
        """Have a station asked over HTTP."""
        async with self.http() as http:
            return await http.post(f"/api/v1/ocpp/{cp_id}/{action}", json=payload)

    async def transactions(self, cp_id: str) -> list[dict[str, Any]]:
        """The station's transactions, newest first."""
        async with self.http() as http:
            answer = await http.get(f"/api/v1/ocpp/{cp_id}/transactions")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def _reap(self) -> int:
        assert self.process is not None
        assert self.process.stdin is not None
        code = self.process.wait(READY_WITHIN_S)
        self.process.stdin.close()
        return code

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.http_port}/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def gateway_process(folder: Path, *flags: str) -> Iterator[GatewayProcess]:
    """A gateway that is ready, and gone at the end."""
    gateway = GatewayProcess(folder, *flags)
    try:
        gateway.start()
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop()
