"""Central's composition root and command line: ``python -m evcharging.apps.ev_central.main``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from evcharging.apps.ev_central.api.app import create_app, live_feed
from evcharging.apps.ev_central.charging_profiles import ChargingProfiles
from evcharging.apps.ev_central.effects import Effects
from evcharging.apps.ev_central.foundations import Foundations
from evcharging.apps.ev_central.mqtt_units import MqttUnits
from evcharging.apps.ev_central.ocpp_calls import OcppCalls
from evcharging.apps.ev_central.ocpp_registry import OcppRegistry
from evcharging.apps.ev_central.operations import Operations
from evcharging.apps.ev_central.prices import Prices
from evcharging.apps.ev_central.readiness import Readiness
from evcharging.apps.ev_central.recorder import Recorder
from evcharging.apps.ev_central.settings import CentralSettings
from evcharging.apps.ev_central.station_policy import policy_of_swarm
from evcharging.apps.ev_central.swarm import Swarm
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.sweep import Sweep
from evcharging.apps.ev_central.tcp_server import TcpControlPlane
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.view import MOST_CHARGE_POINTS, NetworkView
from evcharging.apps.ev_central.view_reader import ViewReader
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.apps.runtime.http import bind, is_loopback, serving
from evcharging.apps.runtime.relay import OutboxRelay
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.bus.consumer import Consumer, Retry
from evcharging.bus.protocol import Bus
from evcharging.messages.charge_points import StatusSource
from evcharging.messages.control import Registration
from evcharging.messages.network import SiteSignal
from evcharging.messages.topics import DRIVER_REQUESTS, REPLIES, STATUS, TELEMETRY
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.observer import UnitObserver
from evcharging.mqtt.site import site_messages
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.stations import list_stations

__all__ = ["main", "serve"]

log = structlog.get_logger()

GROUP = "central"
MOST_RECORDS_A_BATCH = 5000
RETRY_S = 2.0
DRAIN_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run Central until it is told to stop; returns the exit code."""
    return run_service(serve, CentralSettings, argv)


async def serve(settings: CentralSettings, stop: asyncio.Event) -> None:
    """Listen, wait for the database and the broker, work until ``stop``, drain.

    Raises:
        UsageError: a port is taken, or a setting cannot be used.
    """
    if not is_loopback(settings.host) and settings.api_token is None:
        raise UsageError(
            f"--host {settings.host} can be reached from outside: set --api-token (CENTRAL_API_TOKEN), "
            "or listen on 127.0.0.1"
        )
    foundations = Foundations.of(settings, now())
    bus = settings.create_bus("central")
    http_socket = bind(settings.host, settings.http_port, flag="--http-port")
    tcp_host = settings.host if settings.listen_allow_remote else "127.0.0.1"
    tcp_socket = bind(tcp_host, settings.listen_port, flag="--listen-port")
    try:
        prices = await until_stopped(stop, foundations.prices())
        if prices is not None:
            central = _Central(settings, foundations, bus, prices)
            with collected_seldom():
                await central.run(stop, http_socket, tcp_socket)
    finally:
        await bus.stop()
        await foundations.close()
        http_socket.close()
        tcp_socket.close()


class _Central:
    """The parts of one copy of Central, wired together."""

    def __init__(self, settings: CentralSettings, foundations: Foundations, bus: Bus, prices: Prices) -> None:
        instance_id = settings.instance_id or f"{socket.gethostname()}-{os.getpid()}"
        self._settings = settings
        database, profiles = foundations.database, foundations.profiles
        self._foundations = foundations
        self._database = database
        self._bus = bus
        self._instance_id = instance_id
        self._relay = OutboxRelay(bus, database, tables.outbox, owner=instance_id, now=now)
        self._view = NetworkView(currency=prices.currency, site_id=settings.site_id)
        self._prices = prices
        transactions = Transactions(database=database, bus=bus, relay=self._relay, instance_id=instance_id, now=now)
        self._swarm_view = SwarmView(profiles)
        policy = policy_of_swarm(self._swarm_view, prices)
        self._operations = Operations(
            transactions,
            prices,
            site_id=settings.site_id,
            start_timeout_s=settings.start_timeout_s,
            policy=policy,
        )
        self._effects = Effects(
            transactions,
            prices,
            start_timeout_s=settings.start_timeout_s,
            reservation_s=settings.reservation_s,
            policy=policy,
        )
        self._calls = OcppCalls(transactions)
        self._registry = OcppRegistry(transactions)
        self._profiles = ChargingProfiles(transactions)
        self._swarm = Swarm(
            transactions,
            self._swarm_view,
            profiles,
            most_stations=settings.swarm_most_stations,
            csms_url=settings.swarm_csms_url,
        )
        self._recorder = Recorder(
            bus,
            foundations.history,
            self._view,
            self._swarm_view,
            now=now,
            every_s=settings.history_snapshot_s,
            retention=timedelta(days=settings.history_retention_days),
            frames_retention=timedelta(days=settings.history_frames_days),
            most_rows=settings.history_most_rows,
        )
        self._reader = ViewReader(
            bus, self._view, self._swarm_view, now=now, on_signal=self._hear, on_reply=self._calls.hear
        )
        self._consumer = Consumer(
            bus,
            [DRIVER_REQUESTS, STATUS, TELEMETRY, REPLIES],
            group=GROUP,
            handler=self._effects.handle,
            max_records=MOST_RECORDS_A_BATCH,
        )
        address = foundations.mqtt_address
        self._mqtt = None if address is None else AioMqttClient(address, client_id=f"central-{instance_id}")
        self._readiness = Readiness(
            bus=bus, database=database, effects=self._consumer, view=self._reader, mqtt=self._mqtt
        )
        self._sweep = Sweep(
            transactions,
            heard_until=self._readiness.heard_until,
            hears_of=self._readiness.hears_of,
            engine_lost_s=settings.engine_lost_s,
            station_lost_s=settings.station_lost_s,
            settle_s=settings.settle_s,
            late_end_s=settings.late_end_s,
            retention=timedelta(days=settings.retention_days),
        )

    async def run(self, stop: asyncio.Event, http_socket: socket.socket, tcp_socket: socket.socket) -> None:
        """Serve HTTP and TCP at once, work once the broker is there, until ``stop``."""
        await self._remember_charge_points()
        await self._swarm.load()
        app = create_app(
            operations=self._operations,
            view=self._view,
            swarm=self._swarm,
            swarm_view=self._swarm_view,
            calls=self._calls,
            registry=self._registry,
            profiles=self._profiles,
            readiness=self._readiness,
            database=self._database,
            history_database=self._foundations.history,
            gateway_database=self._foundations.gateway,
            api_token=self._settings.api_token,
            now=now,
        )
        control_plane = TcpControlPlane(
            tcp_socket,
            on_register=self._register,
            on_health=self._operations.report_health,
            available=lambda: not self._readiness.stopping,
        )
        async with serving(app, http_socket, name="central"), control_plane:
            log.info(
                "listening",
                http=f"http://{self._settings.host}:{http_socket.getsockname()[1]}",
                tcp="{}:{}".format(*tcp_socket.getsockname()[:2]),
                database=self._database.url.render_as_string(hide_password=True),
                kafka=self._settings.kafka_bootstrap,
            )
            await until_stopped(stop, self._work())
            self._readiness.stopping = True
            live_feed(app).close()
            await asyncio.sleep(0)  # lets the sockets say why (1001) before the server ends them

    async def _register(self, body: Registration) -> None:
        await self._operations.register(body)
        self._view.remember(body.cp_id)

    async def _hear(self, signal: SiteSignal) -> None:
        if self._mqtt is not None and signal.site_id == self._settings.site_id:
            for topic, payload in site_messages(signal):
                self._mqtt.publish(topic, payload, qos=1, retain=True)
        try:
            await self._operations.hear_of_pricing(signal)
        except DatabaseUnavailable as error:
            raise Retry(f"the database is away: {error}") from error

    async def _work(self) -> None:
        await self._bus.start()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._consumer)
            await stack.enter_async_context(self._reader)
            if self._mqtt is not None:
                await stack.enter_async_context(self._mqtt)
            relay = asyncio.create_task(self._relay.run(), name="relay")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._consumer.run(), name="effects")
                    group.create_task(self._reader.run(), name="view")
                    group.create_task(self._sweep.run(), name="sweep")
                    group.create_task(self._operations.announce_pricing(), name="pricing")
                    group.create_task(self._registry.announce(), name="registry")
                    group.create_task(self._announce_swarm(), name="swarm")
                    group.create_task(self._recorder.run(), name="history")
                    if self._mqtt is not None:
                        group.create_task(self._mqtt_units(self._mqtt).run(), name="mqtt")
                    group.create_task(_failing_with(relay), name="relay-watch")
            finally:
                if not relay.done():
                    await self._relay.drain(DRAIN_S)
                    relay.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await relay

    async def _announce_swarm(self) -> None:
        await self._reader.wait_caught_up()
        while True:
            try:
                await self._swarm.announce()
            except DatabaseUnavailable as error:
                log.warning("the swarm waits for the database", reason=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _mqtt_units(self, client: AioMqttClient) -> MqttUnits:
        observer = UnitObserver(client, clock=now)
        return MqttUnits(observer, self._bus, self._view, instance_id=self._instance_id, now=now)

    async def _remember_charge_points(self) -> None:
        async with self._database.begin() as transaction:
            for point in await network.every_charge_point(transaction):
                self._view.remember(
                    point.cp_id,
                    source=StatusSource(point.source) if point.source else None,
                    states={number: connector.state for number, connector in point.connectors.items()},
                    last_seen=point.last_seen_at,
                )
            for station in await list_stations(transaction, limit=MOST_CHARGE_POINTS):
                self._view.remember(station.cp_id, source=StatusSource.OCPP)


async def _failing_with(task: asyncio.Task[None]) -> None:
    """Fail when ``task`` does, without taking it along when cancelled: it has to outlive the others to drain."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def now() -> datetime:
    """The time, with a zone."""
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
