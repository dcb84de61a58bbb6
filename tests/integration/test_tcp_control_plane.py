"""Central's TCP control plane over real sockets: what is answered, and what one bad peer costs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from evcharging.apps.ev_central.errors import UnknownChargePoint
from evcharging.apps.ev_central.framing import LARGEST_DATA_BYTES, Signal, encode_frame
from evcharging.apps.ev_central.tcp_server import TcpControlPlane
from evcharging.apps.runtime.http import bind
from evcharging.messages.control import HealthFrame, HealthReport, RegisterFrame, Registration
from evcharging.store.database import DatabaseUnavailable

ENQ, ACK, NACK, EOT = (bytes([signal]) for signal in (Signal.ENQ, Signal.ACK, Signal.NACK, Signal.EOT))
WITHIN_S = 30
REGISTER = encode_frame(RegisterFrame(cp_id="CP-001", location="Car park").to_json())
HEALTH = encode_frame(HealthFrame(cp_id="CP-001", healthy=True, latency_ms=2.5, monitor_id="m-1").to_json())


class Central:
    """Records what it is told; ``raising`` makes it fail."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Registration | HealthReport]] = []
        self.raising: Exception | None = None
        self.ready = True
        self.before_answer: Callable[[], Awaitable[object]] | None = None

    async def on_register(self, registration: Registration) -> None:
        await self._hear(registration.cp_id, registration)

    async def on_health(self, cp_id: str, report: HealthReport) -> None:
        await self._hear(cp_id, report)

    async def _hear(self, cp_id: str, what: Registration | HealthReport) -> None:
        if self.before_answer is not None:
            await self.before_answer()
        if self.raising is not None:
            raise self.raising
        self.heard.append((cp_id, what))


class Peer:
    """A raw TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def says(self, wire: bytes) -> None:
        self.writer.write(wire)
        await self.writer.drain()

    async def hears(self, expected: bytes) -> None:
        async with asyncio.timeout(WITHIN_S):
            assert await self._reader.readexactly(len(expected)) == expected

    async def hears_the_end(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            assert await self._reader.read() == b""

    async def opens(self) -> None:
        await self.says(ENQ)
        await self.hears(ACK)


@contextlib.asynccontextmanager
async def serving(central: Central, **options: object) -> AsyncIterator[TcpControlPlane]:
    sock = bind("127.0.0.1", 0, flag="--listen-port")
    async with TcpControlPlane(
        sock,
        on_register=central.on_register,
        on_health=central.on_health,
        available=lambda: central.ready,
        **options,  # type: ignore[arg-type]
    ) as plane:
        yield plane


@contextlib.asynccontextmanager
async def connected(plane: TcpControlPlane) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(*plane.address)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("evcharging_central_tcp_refused_total", {"reason": reason}) or 0.0


async def test_a_monitor_registers_and_reports_on_one_connection():
    central = Central()
    async with serving(central) as plane, connected(plane) as peer:
        await peer.opens()
        for frame in (REGISTER, HEALTH, HEALTH):
            await peer.says(frame)
            await peer.hears(ACK)
        await peer.says(EOT)
        await peer.hears_the_end()
    report = HealthReport(healthy=True, latency_ms=2.5, monitor_id="m-1")
    assert central.heard == [
        ("CP-001", Registration(cp_id="CP-001", location="Car park")),
        ("CP-001", report),
        ("CP-001", report),
    ]


async def test_enq_is_answered_nack_until_central_is_available():
    central = Central()
    central.ready = False
    async with serving(central) as plane, connected(plane) as peer:
        await peer.says(ENQ)
        await peer.hears(NACK)
        central.ready = True
        await peer.opens()


@pytest.mark.parametrize("error", [DatabaseUnavailable("locked"), UnknownChargePoint("CP-001")])
async def test_what_cannot_be_taken_now_is_answered_nack_and_taken_later_on_the_same_connection(error):
    central = Central()
    async with serving(central) as plane, connected(plane) as peer:
        await peer.opens()
        central.raising = error
        await peer.says(HEALTH)
        await peer.hears(NACK)
        central.raising = None
        await peer.says(HEALTH)
        await peer.hears(ACK)


async def test_a_handler_that_takes_too_long_is_answered_nack():
    central = Central()
    central.before_answer = asyncio.Event().wait
    async with serving(central) as plane, connected(plane) as peer:
        await peer.opens()
        await peer.says(HEALTH)
        await peer.hears(NACK)


async def test_a_fault_of_a_handler_ends_that_connection_and_no_other():
    central = Central()
    async with serving(central) as plane, connected(plane) as unlucky, connected(plane) as other:
        await other.opens()
        await unlucky.opens()
        central.raising = ZeroDivisionError()
        await unlucky.says(HEALTH)
        await unlucky.hears(NACK + EOT)
        central.raising = None
        await other.says(HEALTH)
        await other.hears(ACK)


async def test_a_damaged_frame_is_answered_nack_counted_and_taken_when_repeated():
    central = Central()
    before = refused("damaged")
    async with serving(central) as plane, connected(plane) as peer:
        await peer.opens()
        await peer.says(HEALTH[:-1] + bytes([HEALTH[-1] ^ 1]))
        await peer.hears(NACK)
        await peer.says(HEALTH)
        await peer.hears(ACK)
    assert refused("damaged") == before + 1
    assert len(central.heard) == 1


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\x02" + b"x" * (LARGEST_DATA_BYTES + 1), "oversized"),
        (b"GET / HTTP/1.1\r\n\r\n", "garbage"),
        (encode_frame(b'{"type": "dance"}'), "invalid"),
        (encode_frame(b"not json"), "invalid"),
        (encode_frame(b'{"type": "health", "healthy": true}'), "invalid"),
    ],
)
async def test_bad_input_ends_its_connection_is_counted_and_harms_no_other(wire, reason):
    central = Central()
    before = refused(reason)
    async with serving(central) as plane, connected(plane) as good:
        await good.opens()
        async with connected(plane) as bad:
            await bad.opens()
            await bad.says(wire)
            await bad.hears(NACK + EOT)
        await good.says(HEALTH)
        await good.hears(ACK)
    assert refused(reason) == before + 1
    assert len(central.heard) == 1


async def test_a_peer_that_sends_half_a_frame_and_waits_is_ended():
    before = refused("slow")
    async with serving(Central()) as plane, connected(plane) as peer:
        await peer.opens()
        await peer.says(HEALTH[:5])
        await peer.hears(EOT)
        await peer.hears_the_end()
    assert refused("slow") == before + 1


async def test_a_peer_that_never_opens_is_ended():
    before = refused("slow")
    async with serving(Central()) as plane, connected(plane) as peer:
        await peer.hears(EOT)
        await peer.hears_the_end()
    assert refused("slow") == before + 1


async def test_an_open_connection_that_falls_silent_is_ended():
    async with serving(Central(), idle_s=0.05) as plane, connected(plane) as peer:
        await peer.opens()
        await peer.hears(EOT)
        await peer.hears_the_end()


async def test_one_connection_too_many_is_refused_and_there_is_room_again_when_one_has_gone():
    before = refused("too_many_connections")
    async with serving(Central(), max_connections=1) as plane:
        async with connected(plane) as first:
            await first.opens()
            async with connected(plane) as second:
                await second.hears(NACK + EOT)
                await second.hears_the_end()
            await first.says(EOT)
            await first.hears_the_end()
        async with connected(plane) as third:
            await third.opens()
    assert refused("too_many_connections") == before + 1


async def test_a_peer_that_drops_its_connection_harms_nothing():
    central = Central()
    async with serving(central) as plane:
        async with connected(plane) as rude:
            await rude.opens()
            sock = rude.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            rude.writer.transport.abort()
        async with connected(plane) as peer:
            await peer.opens()
            await peer.says(HEALTH)
            await peer.hears(ACK)


async def test_a_flood_of_garbage_on_many_connections_leaves_the_good_one_served():
    central = Central()
    async with serving(central) as plane, connected(plane) as good:
        await good.opens()

        async def misbehave(seed: int) -> None:
            async with connected(plane) as bad:
                with contextlib.suppress(ConnectionError):
                    await bad.says(bytes((seed * 31 + i) % 256 for i in range(10_000)))
                    await asyncio.wait_for(bad._reader.read(), WITHIN_S)

        async with asyncio.TaskGroup() as group:
            for seed in range(50):
                group.create_task(misbehave(seed))
            for _ in range(20):
                await good.says(HEALTH)
                await good.hears(ACK)
    assert len(central.heard) == 20


async def test_stopping_says_eot_to_whoever_is_connected():
    async with serving(Central()) as plane:
        reader, writer = await asyncio.open_connection(*plane.address)
        peer = Peer(reader, writer)
        await peer.opens()
    await peer.hears(EOT)
    await peer.hears_the_end()
    writer.close()
    await writer.wait_closed()
