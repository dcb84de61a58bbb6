"""``evcharging gateway``: the OCPP gateway, in a network or as a CSMS of its own (``--standalone``)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import structlog
from prometheus_client import REGISTRY

from evcharging.apps.ocpp_gateway.admission import OFFERED
from evcharging.apps.ocpp_gateway.central_system import CentralSystem, CentralSystemTerms
from evcharging.apps.ocpp_gateway.gateway import Gateway, tls_context
from evcharging.apps.ocpp_gateway.http_app import StandaloneApi, gateway_app
from evcharging.apps.ocpp_gateway.orders import Orders
from evcharging.apps.ocpp_gateway.registrations import Registrations
from evcharging.apps.ocpp_gateway.settings import GatewaySettings
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.apps.ocpp_gateway.transactions import HIGHEST_NUMBER
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.apps.runtime.http import bind, is_loopback, serving
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Bus
from evcharging.messages.base import rfc3339
from evcharging.messages.network import OcppConfig
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.discovery import HomeAssistant
from evcharging.mqtt.publisher import UnitPublisher
from evcharging.ocpp.errors import CallRejected
from evcharging.ocpp.schemas import actions, check_request, check_response
from evcharging.store.database import Database, DatabaseUnavailable, InvalidDatabaseUrl, database_url
from evcharging.store.gateway import tables
from evcharging.store.gateway.transactions import TransactionRow, list_transactions
from evcharging.store.migrate import migrate_database

__all__ = ["gateway", "main"]

log = structlog.get_logger()

RETRY_S: Final = 2.0
DRAIN_S: Final = 10.0
KEPT_A_PARTITION: Final = 5_000
"""Records that a standalone gateway keeps in memory, for what it says to itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gateway and return its exit code: 0 stopped on request, 2 bad settings or a taken port."""
    return run_service(gateway, GatewaySettings, argv)


async def gateway(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Let stations in and serve them until ``stop`` is set; then say goodbye and store what is left.

    Raises:
        UsageError: a port is taken, or a setting cannot be used.
    """
    tls = tls_context(settings)
    try:
        database = Database(database_url(settings.database), schema=tables.SCHEMA)
    except InvalidDatabaseUrl as error:
        raise UsageError(f"--database-url: {error}") from None
    bus = MemoryBus(MemoryLog(retain=KEPT_A_PARTITION)) if settings.standalone else settings.create_bus(settings.name)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        stack.push_async_callback(bus.stop)
        ws_socket = _bound(stack, settings.host, settings.ws_port, "--ws-port")
        tls_socket = _bound(stack, settings.host, settings.tls_port, "--tls-port") if tls is not None else None
        http_socket = _bound(stack, settings.http_host, settings.http_port, "--http-port")
        if not is_loopback(settings.http_host):
            log.warning("health and metrics can be read by everybody who reaches this address", host=settings.http_host)
        service = _Service(settings, database, bus)
        app = gateway_app(service.checks, service.api() if settings.standalone else None)
        async with serving(app, http_socket, name="gateway"):
            with _collected_by_prometheus(service.gateway), collected_seldom():
                await service.run(stop, http_socket, [(ws_socket, None), (tls_socket, tls)])


class _Service:
    """The parts of one gateway, wired together."""

    def __init__(self, settings: GatewaySettings, database: Database, bus: Bus) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._listening = False
        self._mqtt = (
            UnitPublisher(
                MqttAddress.parse(settings.mqtt),
                engine_id=settings.name,
                clock=_now,
                discovery=HomeAssistant.under(settings.mqtt_discovery),
            )
            if settings.mqtt is not None
            else None
        )
        self.stations = StationRegistry(open_registration=settings.welcomes_strangers, default=_unregistered)
        self.gateway = Gateway(settings, stations=self.stations, bus=bus, now=_now)
        self.central = self.gateway.central = CentralSystem(
            database=database,
            bus=bus,
            name=settings.name,
            life=f"{settings.name}-{secrets.token_hex(4)}",
            boot_terms=lambda cp_id: self.stations.boot_terms(cp_id, interval_s=settings.heartbeat_interval_s),
            now=_now,
            monotonic=time.monotonic,
            new_number=lambda: secrets.randbelow(HIGHEST_NUMBER) + 1,
            new_id=lambda: uuid4().hex,
            terms=CentralSystemTerms(
                site_id=settings.site_id,
                accept_unknown_id_tags=settings.accept_unknown_id_tags or settings.standalone,
                call_timeout_s=settings.call_timeout_s,
                mqtt_interval_s=settings.mqtt_interval,
                refuse_concurrent=settings.refuse_concurrent,
                doubt_s=settings.doubt_s,
                hold_s=settings.hold_s,
                known_vendors=settings.vendor_ids,
            ),
            mqtt=self._mqtt,
            held_by_engine=self.stations.held_by_engine,
        )
        self._registrations = Registrations(
            bus, self.stations, drop=self.gateway.drop, reconfigured=self.central.configuration.changed
        )
        self._orders = (
            Orders(
                bus,
                source=f"gateway/{settings.name}",
                now=_now,
                new_id=lambda: uuid4().hex,
                timeout_s=settings.call_timeout_s + 5.0,
            )
            if settings.standalone
            else None
        )

    def checks(self) -> Mapping[str, bool]:
        """What readiness depends on."""
        return {
            "listening": self._listening,
            "database": self._listening and not self.central.writes.away,
            "commands": self._listening and self.central.reader.health().progressing,
            "registrations": self._listening and self._registrations.progressing,
            **({"kafka": self._bus.health().connected} if not self._settings.standalone else {}),
            **({"mqtt": self._mqtt.health().connected} if self._mqtt is not None else {}),
        }

    def api(self) -> StandaloneApi:
        """What a standalone gateway answers over HTTP."""
        assert self._orders is not None  # noqa: S101 - the caller has looked
        return StandaloneApi(
            links=self.gateway.links,
            call=self._orders.call,
            transactions=self._transactions,
            known=self.gateway.links.seen,
        )

    async def run(
        self, stop: asyncio.Event, http: socket.socket, sockets: Sequence[tuple[socket.socket | None, Any]]
    ) -> None:
        """Work until ``stop`` is set, and drain. A cancellation drains nothing, as a kill."""
        if await until_stopped(stop, self._wait_for_what_is_needed()) is None:
            return
        async with contextlib.AsyncExitStack() as stack:
            if self._mqtt is not None:
                await stack.enter_async_context(self._mqtt)
            await stack.enter_async_context(self._registrations)
            if self._orders is not None:
                await stack.enter_async_context(self._orders)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self.central.run(), name="central"),
                    group.create_task(self._registrations.run(), name="registrations"),
                    group.create_task(self.gateway.trace.run(), name="trace"),
                ]
                if self._orders is not None:
                    tasks.append(group.create_task(self._orders.run(), name="orders"))
                await until_stopped(stop, self._listen(sockets))
                if not stop.is_set():
                    self._tell(http, sockets)
                await stop.wait()
                self._listening = False
                await self.gateway.close()
                await self.central.drain(DRAIN_S)
                for task in tasks:
                    task.cancel()

    async def _wait_for_what_is_needed(self) -> bool:
        while True:
            try:
                await migrate_database(self._database)
                break
            except DatabaseUnavailable as error:
                log.warning("waiting for the database", database=repr(self._database), reason=str(error))
                await asyncio.sleep(RETRY_S)
        if not self._settings.standalone:
            log.info("waiting for the bus", kafka=self._settings.kafka_bootstrap)
        await self._bus.start()
        return True

    async def _listen(self, sockets: Sequence[tuple[socket.socket | None, Any]]) -> None:
        """Let stations in once it is known who may come, and which idTags there are."""
        _read_schemas()
        await self._registrations.wait_caught_up()
        await self.central.wait_ready()
        for sock, tls in sockets:
            if sock is not None:
                await self.gateway.listen(sock, tls=tls)
        self._listening = True

    def _tell(self, http: socket.socket, sockets: Sequence[tuple[socket.socket | None, Any]]) -> None:
        urls = [
            f"{'ws' if tls is None else 'wss'}://{self._settings.host}:{sock.getsockname()[1]}/ocpp/<station_id>"
            for sock, tls in sockets
            if sock is not None
        ]
        http_url = f"http://{self._settings.http_host}:{http.getsockname()[1]}"
        database = self._database.url.render_as_string(hide_password=True)
        if not self._settings.standalone:
            log.info("stations may connect", urls=" ".join(urls), http=http_url, database=database)
            return
        port = next(sock.getsockname()[1] for sock, _ in sockets if sock is not None)
        lines = [
            f"server listening on {self._settings.host}:{port}",
            *(f"CSMS listening on {url}" for url in urls),
            f"calls to stations: POST {http_url}/api/v1/ocpp/<station_id>/<Action>",
            f"transactions: GET {http_url}/api/v1/ocpp/<station_id>/transactions  (kept in {database})",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    async def _transactions(self, cp_id: str, limit: int) -> list[dict[str, Any]]:
        async with self._database.begin() as transaction:
            return [_shown(row) for row in await list_transactions(transaction, cp_id, limit=limit)]


def _shown(row: TransactionRow) -> dict[str, Any]:
    return {
        "transaction_id": row.number if row.number is not None else row.transaction_id,
        "connector_id": row.connector_id,
        "id_tag": row.id_tag,
        "meter_start_wh": None if row.meter_start_wh is None else float(row.meter_start_wh),
        "meter_stop_wh": None if row.meter_stop_wh is None else float(row.meter_stop_wh),
        "started_at": None if row.started_at is None else rfc3339(row.started_at),
        "stopped_at": None if row.stopped_at is None else rfc3339(row.stopped_at),
        "stop_reason": row.stop_reason,
    }


def _bound(stack: contextlib.AsyncExitStack, host: str, port: int, flag: str) -> socket.socket:
    sock = bind(host, port, flag=flag)
    stack.callback(sock.close)
    return sock


def _read_schemas() -> None:
    """Compile every schema now: the first stations of a storm would wait for it together."""
    for version in OFFERED:
        for action in actions(version):
            for check in (check_request, check_response):
                with contextlib.suppress(CallRejected):
                    check(version, action, {})


def _unregistered(cp_id: str) -> OcppConfig:
    return OcppConfig(ts=_now(), cp_id=cp_id)


@contextlib.contextmanager
def _collected_by_prometheus(gateway: Gateway) -> Iterator[None]:
    REGISTRY.register(gateway.metrics)
    try:
        yield
    finally:
        REGISTRY.unregister(gateway.metrics)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
