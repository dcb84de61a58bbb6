"""The WebSocket server over real sockets, against clients of another making."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme
import websockets
from websockets.asyncio.client import connect

from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.server_socket import ServerSocket
from evcharging.ocpp.upgrade import Refusal, UpgradeRequest
from evcharging.ocpp.websocket_server import Acceptance, Decide, Dismissal, WebSocketServer

DEADLINE_S = 30
REQUEST = (
    b"GET /ocpp/CP-001 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
)
MASK = b"\x00\x00\x00\x00"


class Echo:
    """Sends back what it is told, and remembers what happened."""

    def __init__(self) -> None:
        self.socket: ServerSocket | None = None
        self.texts: list[bytes] = []
        self.passed_over: list[str] = []
        self.ended = asyncio.get_running_loop().create_future()

    def opened(self, socket: ServerSocket) -> None:
        self.socket = socket

    def text(self, data: bytes) -> None:
        if data == b"break":
            raise RuntimeError("broken on purpose")
        self.texts.append(data)
        assert self.socket is not None
        self.socket.send(data)

    def ignored(self, kind: str) -> None:
        self.passed_over.append(kind)

    def closed(self, reason: str) -> None:
        self.ended.set_result(reason)

    async def end(self) -> str:
        return await asyncio.wait_for(asyncio.shield(self.ended), DEADLINE_S)


class Served:
    """A server on a free port, with all that its handlers saw."""

    def __init__(self, decide: Decide | None = None) -> None:
        self.handlers: list[Echo] = []
        self.requests: list[UpgradeRequest] = []
        self.refused: list[str] = []
        self.port = 0
        self._decide = decide

    def decide(self, request: UpgradeRequest) -> object:
        self.requests.append(request)
        return self._decide(request) if self._decide is not None else self.welcome(request)

    def welcome(self, _request: UpgradeRequest) -> Acceptance:
        self.handlers.append(Echo())
        return Acceptance("ocpp1.6", self.handlers[-1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp/CP-001"


@contextlib.asynccontextmanager
async def serving(
    decide: Decide | None = None, *, tls: ssl.SSLContext | None = None, **options: object
) -> AsyncIterator[tuple[WebSocketServer, Served]]:
    served = Served(decide)
    server = WebSocketServer(
        served.decide,
        refused=lambda reason, _request: served.refused.append(reason),
        **options,  # type: ignore[arg-type]
    )
    sock = socket.create_server(("127.0.0.1", 0))
    served.port = sock.getsockname()[1]
    await server.listen(sock, tls=tls)
    try:
        yield server, served
    finally:
        await server.close()


def connecting(url: str, **options: object) -> connect:
    return connect(url, subprotocols=["ocpp1.6"], compression=None, proxy=None, **options)  # type: ignore[arg-type,list-item]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def raw(port: int, data: bytes) -> bytes:
    """Send ``data`` and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), DEADLINE_S)
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def opened_raw(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    try:
        yield reader, writer
    finally:
        writer.close()


def frame(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | rsv | opcode]) + length + MASK + payload


async def test_messages_of_every_size_come_whole_and_go_back_whole() -> None:
    async with serving() as (_, served), connecting(served.url) as client:
        assert client.subprotocol == "ocpp1.6"
        for size in (0, 1, 125, 126, 2_000, 65_535, 65_536, 200_000):
            await client.send("x" * size)
            assert await client.recv() == "x" * size


async def test_a_message_in_fragments_is_put_together_with_pings_between_them() -> None:
    async with serving() as (_, served), opened_raw(served.port) as (reader, writer):
        writer.write(frame(1, b"one ", fin=False) + frame(9, b"?") + frame(0, b"two ", fin=False) + frame(0, b"three"))
        assert await reader.readexactly(3) == b"\x8a\x01?"
        assert await reader.readexactly(15) == b"\x81\x0done two three"


async def test_what_is_sent_right_behind_the_request_is_not_lost() -> None:
    async with serving() as (_, served):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(REQUEST + frame(1, b"early") + frame(1, b"y" * 4_000))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(7) == b"\x81\x05early"
        assert len(await reader.readexactly(4_004)) == 4_004
        writer.close()


async def test_a_request_may_come_byte_by_byte() -> None:
    async with serving() as (_, served):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for byte in REQUEST:
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.close()


async def test_a_decision_may_take_its_time_and_what_came_meanwhile_is_kept() -> None:
    may_decide = asyncio.Event()

    async def slowly(request: UpgradeRequest) -> Acceptance:
        await may_decide.wait()
        return served.welcome(request)

    async with serving(slowly) as (server, served):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(REQUEST)
        await until(lambda: served.requests)
        writer.write(frame(1, b"already"))
        assert server.opening == 1
        may_decide.set()
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(9) == b"\x81\x07already"
        assert (server.opening, len(server)) == (0, 1)
        writer.close()


async def test_a_refusal_is_answered_in_http_and_counted_by_its_reason() -> None:
    async with serving(lambda _request: Refusal(404, "unknown_station", "who?\n")) as (server, served):
        with pytest.raises(websockets.InvalidStatus) as told:
            await connecting(served.url)
        assert told.value.response.status_code == 404
        assert served.refused == ["unknown_station"]
        assert (server.opening, len(server)) == (0, 0)


async def test_a_dismissal_completes_the_opening_without_a_subprotocol_and_closes() -> None:
    async with serving(lambda _request: Dismissal(1002, "no subprotocol")) as (_, served):
        client = await connect(served.url, compression=None, proxy=None)
        with pytest.raises(websockets.ConnectionClosed) as told:
            await client.recv()
        assert client.subprotocol is None
        assert told.value.rcvd is not None
        assert (told.value.rcvd.code, told.value.rcvd.reason) == (1002, "no subprotocol")


async def test_a_decision_that_fails_costs_only_its_own_opening() -> None:
    broken = iter([True, False])

    def decide(request: UpgradeRequest) -> Acceptance:
        if next(broken):
            raise RuntimeError("broken on purpose")
        return served.welcome(request)

    async with serving(decide) as (_, served):
        assert (await raw(served.port, REQUEST)).startswith(b"HTTP/1.1 500 ")
        async with connecting(served.url) as client:
            await client.send("fine")
            assert await client.recv() == "fine"


async def test_what_is_no_http_gets_400_and_an_endless_head_431() -> None:
    async with serving() as (_, served):
        assert (await raw(served.port, b"hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await raw(served.port, b"GET / HTTP/1.1\r\n" + b"x" * 17_000)).startswith(b"HTTP/1.1 431 ")
        assert served.refused == ["no_websocket", "no_websocket"]


async def test_tls_at_the_port_without_it_is_answered_at_once_so_that_the_client_knows() -> None:
    async with serving() as (_, served):
        assert (await raw(served.port, b"\x16\x03\x01\x02\x00\x01")).startswith(b"HTTP/1.1 400 ")
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER|wrong version number"):
            await asyncio.open_connection("127.0.0.1", served.port, ssl=ssl.create_default_context())
        assert served.refused == ["tls_to_plain_port"] * 2


async def test_who_connects_and_says_nothing_is_shown_out() -> None:
    async with serving(open_timeout_s=0.05) as (server, served):
        assert (await raw(served.port, b"")).startswith(b"HTTP/1.1 408 ")
        assert served.refused == ["timeout"]
        assert server.opening == 0


async def test_connections_beyond_the_limit_are_cut_off_whether_they_ask_for_anything_or_not() -> None:
    async with serving(most_connections=2) as (server, served), connecting(served.url) as client:
        idle = await asyncio.open_connection("127.0.0.1", served.port)
        await until(lambda: server.opening)
        with contextlib.suppress(ConnectionError):
            assert await raw(served.port, REQUEST) == b""
        assert served.refused == ["full"]
        await client.send("still here")
        assert await client.recv() == "still here"
        idle[1].close()
        await until(lambda: not server.opening)
        async with connecting(served.url) as another:
            await another.send("in again")
            assert await another.recv() == "in again"


async def test_who_goes_away_before_the_opening_is_complete_leaves_nothing_behind() -> None:
    never = asyncio.Event()

    async def wait(_request: UpgradeRequest) -> Refusal:
        await never.wait()
        return Refusal(500, "failed", "")

    async with serving(wait) as (server, served):
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(REQUEST)
        await until(lambda: server.opening)
        writer.transport.abort()
        await until(lambda: served.refused)
        assert served.refused == ["gone"]
        assert server.opening == 0


async def test_a_message_over_the_limit_ends_its_socket_with_1009_and_no_other() -> None:
    async with (
        serving(max_message_bytes=1_000) as (server, served),
        connecting(served.url) as bystander,
        connecting(served.url) as client,
    ):
        await client.send("x" * 1_001)
        with pytest.raises(websockets.ConnectionClosed) as told:
            await client.recv()
        assert told.value.rcvd is not None
        assert told.value.rcvd.code == 1009
        await until(lambda: len(server) == 1)
        assert [handler.passed_over for handler in served.handlers] == [[], ["too_long"]]
        await bystander.send("still here")
        assert await bystander.recv() == "still here"


async def test_fragments_that_add_up_to_more_than_the_limit_end_their_socket_with_1009() -> None:
    async with serving(max_message_bytes=1_000) as (_, served), opened_raw(served.port) as (reader, writer):
        writer.write(frame(1, b"x" * 600, fin=False) + frame(0, b"x" * 600))
        assert (await reader.readexactly(4))[2:] == (1009).to_bytes(2, "big")
        assert not served.handlers[0].texts
        assert served.handlers[0].passed_over == ["too_long"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(0, b"continues nothing"), 1002),
        (frame(1, b"begins", fin=False) + frame(1, b"begins again"), 1002),
        (frame(1, b"compressed, it says", rsv=0x40), 1002),
        (frame(3, b"no such opcode"), 1002),
        (b"\x81\x05hello", 1002),  # not masked
    ],
)
async def test_what_breaks_the_protocol_ends_its_socket_with_its_code(data: bytes, code: int) -> None:
    async with serving() as (server, served), opened_raw(served.port) as (reader, writer):
        writer.write(data)
        assert (await reader.readexactly(4))[2:] == code.to_bytes(2, "big")
        writer.write(frame(8, code.to_bytes(2, "big")))
        await until(lambda: len(server) == 0)
        assert not served.handlers[0].texts
        assert served.handlers[0].passed_over == ["protocol_error"]


async def test_a_peer_that_ends_its_socket_with_a_code_of_failure_has_sent_nothing_that_is_passed_over() -> None:
    async with serving() as (server, served), opened_raw(served.port) as (_, writer):
        writer.write(frame(8, (1009).to_bytes(2, "big")))
        await until(lambda: served.handlers and not len(server))
        assert served.handlers[0].passed_over == []


async def test_binary_messages_are_passed_over_whole_or_in_fragments() -> None:
    async with serving() as (_, served), connecting(served.url) as client:
        await client.send(b"\x00\x01")
        await client.send([b"\x00", b"\x01"])
        await client.send("text")
        assert await client.recv() == "text"
        assert served.handlers[0].passed_over == ["binary", "binary"]


async def test_a_handler_that_breaks_costs_only_its_own_socket() -> None:
    async with serving() as (_, served), connecting(served.url) as bystander, connecting(served.url) as client:
        await client.send("break")
        with pytest.raises(websockets.ConnectionClosed) as told:
            await client.recv()
        assert told.value.rcvd is not None
        assert told.value.rcvd.code == 1011
        await bystander.send("still here")
        assert await bystander.recv() == "still here"


async def test_a_close_of_the_peers_is_answered_and_told() -> None:
    async with serving() as (server, served):
        client = await connecting(served.url)
        await client.close(4000, "enough")
        assert await served.handlers[0].end() == "closed by the peer (4000)"
        assert len(server) == 0


async def test_a_peer_that_vanishes_is_told_as_lost() -> None:
    async with serving() as (_, served), connecting(served.url) as client:
        client.transport.abort()
        assert await served.handlers[0].end() == "the connection was lost"


async def test_sending_on_a_closed_socket_says_so() -> None:
    async with serving() as (_, served), connecting(served.url):
        socket_ = served.handlers[0].socket
        assert socket_ is not None
        socket_.close(1000, "replaced by a new connection")
        with pytest.raises(ConnectionLost, match="replaced"):
            socket_.send(b"too late")
        assert await served.handlers[0].end() == "replaced by a new connection"


async def test_a_peer_that_does_not_answer_pings_is_cut_off_and_one_that_does_stays() -> None:
    async with (
        serving(ping_interval_s=0.1) as (server, served),
        connecting(served.url) as alive,
        opened_raw(served.port),
    ):
        assert await served.handlers[1].end() == "no answer to pings"
        assert len(server) == 1
        await alive.send("still here")
        assert await alive.recv() == "still here"


async def test_a_peer_that_only_pings_is_alive() -> None:
    async with serving(ping_interval_s=0.2) as (server, served), opened_raw(served.port) as (reader, writer):
        for _ in range(20):
            writer.write(frame(9, b""))
            await asyncio.sleep(0.05)
        assert len(server) == 1
        assert b"\x8a\x00" in await reader.read(1_000)


async def test_a_peer_that_does_not_answer_a_close_is_cut_off() -> None:
    async with serving() as (server, served), opened_raw(served.port):
        socket_ = served.handlers[0].socket
        assert socket_ is not None
        socket_.close(1000, "go")
        await until(lambda: len(server) == 0)


async def test_a_peer_that_does_not_read_is_cut_off_before_it_fills_the_memory() -> None:
    async with serving() as (_, served), opened_raw(served.port):
        socket_ = served.handlers[0].socket
        assert socket_ is not None
        with pytest.raises(ConnectionLost):
            for _ in range(200):
                socket_.send(b"x" * 200_000)
                await asyncio.sleep(0)
        assert await served.handlers[0].end() == "does not read what it is sent"


async def test_reading_can_be_paused_and_nothing_is_lost() -> None:
    async with serving() as (_, served), connecting(served.url) as client:
        handler = served.handlers[0]
        assert handler.socket is not None
        handler.socket.resume_reading()
        handler.socket.pause_reading()
        handler.socket.pause_reading()
        await client.send("waits")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.05)
        handler.socket.resume_reading()
        assert await client.recv() == "waits"


async def test_closing_the_server_says_1001_to_all_and_refuses_whoever_is_at_the_door() -> None:
    async with serving() as (server, served), connecting(served.url) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        await until(lambda: server.opening)
        await server.close()
        with pytest.raises(websockets.ConnectionClosed) as told:
            await client.recv()
        assert told.value.rcvd is not None
        assert (told.value.rcvd.code, told.value.rcvd.reason) == (1001, "the server is stopping")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        assert served.refused == ["stopping"]
        with pytest.raises(ConnectionRefusedError):
            await connecting(served.url)
        writer.close()


async def test_over_tls_the_request_tells_that_it_is_secure_and_who_the_client_is() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    authority.issue_cert(common_name="CP-001").configure_cert(ours)

    async with serving(tls=context) as (_, served):
        async with connecting(served.url.replace("ws:", "wss:"), ssl=ours) as client:
            await client.send("x" * 100_000)
            assert await client.recv() == "x" * 100_000
        request = served.requests[0]
        assert request.secure
        assert request.certificate is not None
        assert (("commonName", "CP-001"),) in request.certificate["subject"]
        assert request.remote == "127.0.0.1"
