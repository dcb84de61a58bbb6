"""One node of Apache Kafka (KRaft) as a child process, to be started, killed, frozen and started again on its data.

For tests and for ``make kafka``: ``python -m evcharging.apps.broker.apache --port 9092``. Production runs Kafka its own
way; see docker/.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError

from evcharging.apps.broker.jars import DEFAULT_CACHE, KafkaJarsMissing, kafka_jars
from evcharging.bus.kafka_cluster import describe_cluster
from evcharging.bus.kafka_settings import KafkaSettings

__all__ = ["ApacheKafka", "ApacheKafkaFailed", "main"]

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
HEAP = "-Xmx512m"
QUICK_START = ("-XX:TieredStopAtLevel=1",)


class ApacheKafkaFailed(Exception):
    """The node did not come up; the message has the end of its log."""


class ApacheKafka:
    """One node, broker and controller in one, on the loopback interface.

    Args:
        jars: what `kafka_jars` returned.
        port: of the listener for clients; any free one by default.
        data_dir: where the log lives; a temporary directory, removed at `stop`, by default.
        properties: on top of, or instead of, the broker's generated configuration.
        probe: makes the settings to ask with whether it is up, where its listener wants credentials.
        long_lived: whether it pays to compile well what it runs, which costs a start more than half of its CPU.
    """

    def __init__(
        self,
        jars: Path,
        *,
        port: int = 0,
        data_dir: Path | None = None,
        properties: Mapping[str, str] | None = None,
        probe: Callable[[str], KafkaSettings] = KafkaSettings,
        long_lived: bool = False,
    ) -> None:
        self._jars = jars
        self._flags = () if long_lived else QUICK_START
        self.port = port or _free_port()
        self._controller_port = _free_port()
        self._temporary = tempfile.TemporaryDirectory(prefix="evcharging-kafka-") if data_dir is None else None
        # Absolute: the server runs inside it.
        self._dir = (data_dir or Path(self._temporary.name if self._temporary else "")).absolute()
        self._properties = dict(properties or {})
        self._probe = probe(self.bootstrap)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def bootstrap(self) -> str:
        """The address for clients; it stays the same over restarts."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running node."""
        if self._process is None:
            raise ApacheKafkaFailed("the node is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start the node on its data and wait until it answers.

        Raises:
            ApacheKafkaFailed: it ended, or did not answer within a minute.
        """
        config = self._dir / "server.properties"
        if not config.exists():
            self._dir.mkdir(parents=True, exist_ok=True)
            config.write_text(self._configuration(), encoding="utf-8")
            cluster_id = secrets.token_urlsafe(16)
            await self._java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", str(config))
        with self._log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - outlives this loop, and starts at once
                self._command("kafka.Kafka", str(config)), stdout=output, stderr=output, cwd=self._dir
            )
        await self._until_up(self._process)

    async def stop(self) -> None:
        """Stop the node in good order; its data stays. Idempotent."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End the node at once, as a power cut would."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop in good order and start again, on the same port and data."""
        await self.stop()
        await self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the node's clock for as long as the block runs: it keeps its connections and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @property
    def _log_file(self) -> Path:
        return self._dir / "node.log"

    def _command(self, main_class: str, *arguments: str) -> Sequence[str]:
        return ("java", HEAP, "-XX:+UseSerialGC", *self._flags, "-cp", f"{self._jars}/*", main_class, *arguments)

    async def _java(self, main_class: str, *arguments: str) -> None:
        ended = await asyncio.to_thread(
            subprocess.run,
            self._command(main_class, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._dir,
            check=False,
        )
        if ended.returncode != 0:
            raise ApacheKafkaFailed(f"{main_class} ended with {ended.returncode}: {ended.stdout.decode()[-1000:]}")

    async def _until_up(self, process: subprocess.Popen[bytes]) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while process.poll() is None:
                    with contextlib.suppress(KafkaError, OSError, TimeoutError):
                        if (await describe_cluster(self._probe)).addresses:
                            return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            await self.kill()
        told = self._log_file.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ApacheKafkaFailed(f"Apache Kafka did not come up on {self.bootstrap}: {told}")

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _configuration(self) -> str:
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "listeners": f"CLIENTS://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": f"CLIENTS://{HOST}:{self.port}",
            "inter.broker.listener.name": "CLIENTS",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._dir / "log"),
            "num.partitions": "4",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # A node that was killed can register again once its old registration has run out.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "1000",
        } | self._properties
        return "".join(f"{name}={value}\n" for name, value in properties.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one node in the foreground until SIGINT or SIGTERM: 0; 1 where it cannot run here."""
    parser = argparse.ArgumentParser(prog="python -m evcharging.apps.broker.apache", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=9092, help="for clients, on 127.0.0.1 [default 9092]")
    parser.add_argument("--data-dir", type=Path, help="keep the log here [unset: thrown away at the end]")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help=f"of the jars [default {DEFAULT_CACHE}]")
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_serve(arguments.port, arguments.data_dir, arguments.cache))
    except (ApacheKafkaFailed, KafkaJarsMissing) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(port: int, data_dir: Path | None, cache: Path) -> None:
    stop = asyncio.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    async with ApacheKafka(kafka_jars(cache), port=port, data_dir=data_dir, long_lived=True) as node:
        sys.stdout.write(f"Apache Kafka on {node.bootstrap}\n")
        sys.stdout.flush()
        await stop.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
