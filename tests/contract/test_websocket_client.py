"""The station's websocket against real servers: the `websockets` library's, and raw sockets where a peer misbehaves."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from websockets.asyncio.server import ServerConnection, basic_auth, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from evcharging.ocpp import websocket_client
from evcharging.ocpp.client_tls import client_tls
from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.websocket import BinaryMessage
from evcharging.ocpp.websocket_client import DialFailed, DialRefused, WebSocket, basic_authorization, dial

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DEADLINE_S = 30.0


class Heard:
    """What a socket says to its owner."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ends = 0

    def end(self, reason: str) -> None:
        self.ends += 1
        self.closed.set_result(reason)

    async def text(self) -> bytes:
        return await asyncio.wait_for(self.texts.get(), DEADLINE_S)

    async def reason(self) -> str:
        return await asyncio.wait_for(asyncio.shield(self.closed), DEADLINE_S)


async def opened(url: str, heard: Heard, **changes: Any) -> WebSocket:
    arguments: dict[str, Any] = {
        "subprotocols": ["ocpp1.6"],
        "headers": {},
        "ssl_context": None,
        "on_text": heard.texts.put_nowait,
        "on_closed": heard.end,
        "max_frame_bytes": 1 << 16,
        "open_timeout_s": DEADLINE_S,
        **changes,
    }
    return await dial(url, **arguments)


@contextlib.asynccontextmanager
async def served(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    """A server of the `websockets` library; yields its URL."""
    arguments: dict[str, Any] = {"subprotocols": ["ocpp1.6"], **options}
    async with serve(handler, "127.0.0.1", 0, **arguments) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws{'s' if 'ssl' in options else ''}://127.0.0.1:{port}/ocpp/CP-001"


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def listen(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in connection:
            pass


RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw(handler: RawHandler) -> AsyncIterator[str]:
    """A server that leaves HTTP and frames to ``handler``; yields its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp/CP-001"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def accept_handshake(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    more: str = "Sec-WebSocket-Protocol: ocpp1.6\r\n",
    then: bytes = b"",
) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()  # noqa: S324 - the handshake's own
    writer.write(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{more}\r\n".encode()
        + then
    )


def frame(opcode: int, payload: bytes, *, fin: bool = True, reserved: int = 0) -> bytes:
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | reserved | opcode]) + length + payload


def sending(*frames: bytes) -> RawHandler:
    """A peer that says ``frames`` after the handshake and then listens."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_handshake(reader, writer)
        for one in frames:
            writer.write(one)
        await reader.read()

    return handler


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


class TestTexts:
    async def test_go_both_ways_whole(self) -> None:
        heard = Heard()
        async with served(echo) as url:
            websocket = await opened(url, heard)
            for text in (b"[2]", "Straße".encode(), b"x" * 60_000):
                websocket.send(text)
                assert await heard.text() == text
            await websocket.close()

    async def test_in_fragments_are_put_together_also_around_a_ping(self) -> None:
        heard = Heard()
        async with raw(
            sending(frame(1, b"[3,", fin=False), frame(9, b"?"), frame(0, b'"a",', fin=False), frame(0, b"{}]"))
        ) as url:
            websocket = await opened(url, heard)
            assert await heard.text() == b'[3,"a",{}]'
            websocket.abort()

    async def test_that_come_with_the_handshake_are_handed_on_after_the_caller_has_its_socket(self) -> None:
        heard = Heard()

        async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer, then=frame(1, b"early") + frame(1, b"soon"))
            await reader.read()

        async with raw(eager) as url:
            websocket = await opened(url, heard)
            assert heard.texts.empty()
            assert [await heard.text(), await heard.text()] == [b"early", b"soon"]
            websocket.abort()

    async def test_a_failure_of_who_takes_them_closes_that_socket_alone(self) -> None:
        heard = Heard()

        def fails(_text: bytes) -> None:
            raise RuntimeError("boom")

        async with served(echo) as url:
            websocket = await opened(url, heard, on_text=fails)
            other = await opened(url, Heard())
            websocket.send(b"x")
            assert await heard.reason() == "a text could not be handled"
            assert websocket.close_code == 1011
            assert other.close_code is None
            await other.close()


class TestHandshake:
    async def test_offers_subprotocols_in_order_and_takes_the_servers_choice(self) -> None:
        async with served(echo, subprotocols=["ocpp1.6"]) as url:
            websocket = await opened(url, Heard(), subprotocols=["ocpp2.0.1", "ocpp1.6"])
            assert websocket.subprotocol == "ocpp1.6"
            await websocket.close()

    async def test_never_offers_compression_and_sends_the_headers_given(self) -> None:
        seen: list[Request] = []

        def look(_connection: ServerConnection, request: Request) -> None:
            seen.append(request)

        async with served(echo, process_request=look) as url:
            await (await opened(url, Heard(), headers={"X-Station": "1"})).close()
        assert "Sec-WebSocket-Extensions" not in seen[0].headers
        assert seen[0].headers["X-Station"] == "1"
        assert seen[0].path == "/ocpp/CP-001"

    async def test_logs_in_by_basic_authentication(self) -> None:
        check = basic_auth(credentials=("CP-001", "pass:word"))
        async with served(echo, process_request=check) as url:
            heard = Heard()
            headers = {"Authorization": basic_authorization("CP-001", "pass:word")}
            await (await opened(url, heard, headers=headers)).close()
            with pytest.raises(DialRefused) as refused:
                await opened(url, heard, headers={"Authorization": basic_authorization("CP-001", "wrong")})
        assert refused.value.status == 401

    def test_basic_authentication_is_in_utf_8(self) -> None:
        assert base64.b64decode(basic_authorization("CP-001", "wörd").removeprefix("Basic ")).decode() == "CP-001:wörd"

    @pytest.mark.parametrize("status", [400, 403, 404, 426, 429, 503])
    async def test_tells_the_http_status_and_reason_of_a_refusal(self, status: int) -> None:
        def refuse(connection: ServerConnection, _request: Request) -> Response:
            return connection.respond(status, "not you\n")

        async with served(echo, process_request=refuse) as url:
            with pytest.raises(DialRefused, match=f"HTTP {status}: not you") as refused:
                await opened(url, Heard())
        assert refused.value.status == status

    async def test_tells_a_status_that_no_list_knows(self) -> None:
        async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        async with raw(odd) as url:
            with pytest.raises(DialRefused) as refused:
                await opened(url, Heard())
        assert refused.value.status == 599

    async def test_follows_no_redirect(self) -> None:
        asked = 0

        def elsewhere(connection: ServerConnection, _request: Request) -> Response:
            nonlocal asked
            asked += 1
            response = connection.respond(307, "")
            response.headers["Location"] = "/ocpp/elsewhere"
            return response

        async with served(echo, process_request=elsewhere) as url:
            with pytest.raises(
                DialRefused, match="redirected to /ocpp/elsewhere; redirects are not followed"
            ) as refused:
                await opened(url, Heard())
        assert (refused.value.status, asked) == (307, 1)

    async def test_needs_one_of_its_subprotocols(self) -> None:
        async with served(echo, subprotocols=None) as url:
            with pytest.raises(DialRefused, match="chose no subprotocol; offered were ocpp1.6") as refused:
                await opened(url, Heard())
        assert refused.value.status == 101

    @pytest.mark.parametrize(
        ("header", "told"),
        [
            ("Sec-WebSocket-Protocol: ocpp9\r\n", "the subprotocol 'ocpp9', which was not offered"),
            (
                "Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
                "the extension 'permessage-deflate', and none was offered",
            ),
        ],
    )
    async def test_refuses_what_it_did_not_offer(self, header: str, told: str) -> None:
        async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer, more=header)
            await reader.read()

        async with raw(server) as url:
            with pytest.raises(DialRefused, match=told):
                await opened(url, Heard())

    @pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 101 Ok\r\n\r\n", b"\x00" * 20_000])
    async def test_says_so_where_the_answer_is_no_handshake(self, answer: bytes) -> None:
        async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with raw(server) as url:
            with pytest.raises(DialFailed):
                await opened(url, Heard())

    async def test_gives_up_in_time_and_leaves_no_connection_behind(self) -> None:
        gone = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()
            gone.set()

        async with raw(mute) as url:
            with pytest.raises(DialFailed, match="no websocket within 0.2 s"):
                await opened(url, Heard(), open_timeout_s=0.2)
            await asyncio.wait_for(gone.wait(), DEADLINE_S)

    async def test_a_cancelled_dial_leaves_no_connection_behind(self) -> None:
        came, gone = asyncio.Event(), asyncio.Event()

        async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            came.set()
            await reader.read()
            gone.set()

        async with raw(mute) as url:
            dialling = asyncio.create_task(opened(url, Heard()))
            await asyncio.wait_for(came.wait(), DEADLINE_S)
            dialling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialling
            await asyncio.wait_for(gone.wait(), DEADLINE_S)

    async def test_says_where_nobody_listens(self) -> None:
        async with served(echo) as url:
            pass
        with pytest.raises(DialFailed, match=r"ws://127.0.0.1:\d+/ocpp/CP-001: Connection refused"):
            await opened(url, Heard())

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/",
            "ws:///x",
            "ws://u:geheim@127.0.0.1/",
            "ws://127.0.0.1:99999/",
            "ws://127.0.0.1/#a",
            "ws://a\r\nb/",
        ],
    )
    async def test_refuses_a_bad_address_without_showing_its_password(self, url: str) -> None:
        with pytest.raises(DialFailed) as failed:
            await opened(url, Heard())
        assert "geheim" not in str(failed.value)

    async def test_lets_no_header_bring_another(self) -> None:
        with pytest.raises(DialFailed, match="characters that no header may have"):
            await opened("ws://127.0.0.1:9/", Heard(), headers={"X": "a\r\nAuthorization: b"})

    async def test_connects_from_the_source_address_given(self) -> None:
        remote: list[str] = []

        async def handler(connection: ServerConnection) -> None:
            remote.append(connection.remote_address[0])
            await listen(connection)

        async with served(handler) as url:
            await (await opened(url, Heard(), source_address="127.0.0.77")).close()
            with pytest.raises(DialFailed, match="cannot connect from 192.0.2.1"):
                await opened(url, Heard(), source_address="192.0.2.1")
        assert remote == ["127.0.0.77"]

    async def test_finds_its_server_by_name(self) -> None:
        async with served(echo) as url:
            await (await opened(url.replace("127.0.0.1", "localhost"), Heard())).close()


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def ca_file(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    @pytest.fixture
    def server_tls(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    async def test_trusts_the_authority_given(self, server_tls: ssl.SSLContext, ca_file: Path) -> None:
        heard = Heard()
        async with served(echo, ssl=server_tls) as url:
            websocket = await opened(url, heard, ssl_context=client_tls(ca_file=ca_file))
            websocket.send(b"x" * 50_000)
            assert await heard.text() == b"x" * 50_000
            await websocket.close()
        assert await heard.reason() == "closed with 1000"

    async def test_trusts_no_other(self, server_tls: ssl.SSLContext) -> None:
        async with served(echo, ssl=server_tls) as url:
            with pytest.raises(DialFailed, match="its certificate is not trusted"):
                await opened(url, Heard())

    async def test_trusts_no_certificate_for_another_name(self, authority: trustme.CA, ca_file: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("csms.example").configure_cert(context)
        async with served(echo, ssl=context) as url:
            with pytest.raises(DialFailed, match="its certificate is not trusted"):
                await opened(url, Heard(), ssl_context=client_tls(ca_file=ca_file))

    async def test_shows_its_own_certificate_where_the_server_asks_for_one(
        self, authority: trustme.CA, server_tls: ssl.SSLContext, ca_file: Path, tmp_path: Path
    ) -> None:
        names: list[str] = []

        async def handler(connection: ServerConnection) -> None:
            certificate = connection.transport.get_extra_info("peercert")
            names.extend(value for _, value in certificate["subjectAltName"])
            await listen(connection)

        server_tls.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(server_tls)
        own = authority.issue_cert("cp-001.station.example")
        own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
        async with served(handler, ssl=server_tls) as url:
            tls = client_tls(ca_file=ca_file, cert_file=tmp_path / "own.pem")
            await (await opened(url, Heard(), ssl_context=tls)).close()
            with pytest.raises(DialFailed):
                await opened(url, Heard(), ssl_context=client_tls(ca_file=ca_file))
        assert names == ["cp-001.station.example"]

    async def test_says_so_where_the_server_speaks_none(self) -> None:
        async with served(echo) as url:
            with pytest.raises(DialFailed, match="perhaps since it does not speak TLS at this port; try ws://"):
                await opened(url.replace("ws://", "wss://"), Heard())

    async def test_says_so_where_the_answer_is_in_plain_text(self) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(5)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

        async with raw(plain) as url:
            with pytest.raises(DialFailed, match="the TLS handshake failed: the server does not speak TLS"):
                await opened(url.replace("ws://", "wss://"), Heard())

    async def test_does_not_wait_long_for_a_server_that_takes_tls_for_the_beginning_of_a_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(websocket_client, "TLS_WITHIN_S", 0.2)

        async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with raw(mute) as url:
            with pytest.raises(DialFailed, match=r"no TLS handshake within 0.2 s: .*try ws://, or its port for wss://"):
                await opened(url.replace("ws://", "wss://"), Heard(), open_timeout_s=60.0)


class TestEnd:
    async def test_closes_with_its_code_and_waits_for_the_peer(self) -> None:
        ends: list[tuple[int | None, str | None]] = []

        async def handler(connection: ServerConnection) -> None:
            await listen(connection)
            ends.append((connection.close_code, connection.close_reason))

        heard = Heard()
        async with served(handler) as url:
            websocket = await opened(url, heard)
            await websocket.close(1001, "rebooting")
            assert websocket.close_code == 1001
        assert ends == [(1001, "rebooting")]
        assert await heard.reason() == "closed with 1001"

    async def test_tells_the_peers_code_and_reason(self) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.close(1008, "unknown station")

        heard = Heard()
        async with served(handler) as url:
            websocket = await opened(url, heard)
            assert await heard.reason() == "closed by the peer with 1008 (unknown station)"
        assert websocket.close_code == 1008

    async def test_answers_a_close_frame_without_a_code(self) -> None:
        heard = Heard()
        async with raw(sending(frame(8, b""))) as url:
            websocket = await opened(url, heard)
            assert await heard.reason() == "closed by the peer with 1005"
        assert websocket.close_code == 1005

    async def test_notices_a_connection_that_breaks(self) -> None:
        heard = Heard()

        async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer)
            await writer.drain()

        async with raw(breaks) as url:
            websocket = await opened(url, heard)
            assert await heard.reason() == "the connection was lost"
        assert websocket.close_code == 1006

    async def test_is_told_once_whatever_is_asked_afterwards(self) -> None:
        heard = Heard()
        async with served(echo) as url:
            websocket = await opened(url, heard)
            websocket.abort()
            websocket.abort()
            assert await heard.reason() == "dropped"
            await websocket.close()
            websocket.ping()
            with pytest.raises(ConnectionLost, match="dropped"):
                websocket.send(b"x")
        assert heard.ends == 1

    async def test_cuts_a_peer_that_does_not_answer_a_close_frame(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("evcharging.ocpp.websocket.CLOSE_TIMEOUT_S", 0.2)
        heard = Heard()
        async with raw(sending()) as url:
            websocket = await opened(url, heard)
            await asyncio.wait_for(websocket.close(), DEADLINE_S)
        assert await heard.reason() == "closed with 1000"


class TestBadPeers:
    @pytest.mark.parametrize(
        ("frames", "code"),
        [
            ([frame(2, b"binary")], 1003),
            ([frame(1, b"\xff\xfe")], 1007),
            ([frame(1, b"a", reserved=0x40)], 1002),
            ([frame(0, b"a")], 1002),
            ([frame(1, b"a", fin=False), frame(1, b"b")], 1002),
            ([frame(3, b"a")], 1002),
            ([frame(9, b"a", fin=False)], 1002),
            ([frame(8, b"\x03")], 1002),
            ([b"\x81\x81\x00\x00\x00\x00a"], 1002),
            ([frame(1, b"x" * 1001)], 1009),
            ([frame(1, b"x" * 600, fin=False), frame(0, b"x" * 600)], 1009),
            ([b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"], 1009),
        ],
        ids=[
            "binary", "not UTF-8", "reserved bit", "continues nothing", "begins within a message", "unknown opcode",
            "ping in fragments", "close of one byte", "masked", "too long", "too long in fragments", "endless",
        ],
    )  # fmt: skip
    async def test_are_closed_with_the_code_for_what_they_did(self, frames: list[bytes], code: int) -> None:
        heard = Heard()
        closes: asyncio.Queue[bytes] = asyncio.Queue()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer)
            writer.write(b"".join(frames))
            head = await reader.readexactly(2)
            payload = await reader.readexactly(4 + (head[1] & 0x7F))
            mask, masked = payload[:4], payload[4:]
            closes.put_nowait(bytes([head[0]]) + bytes(b ^ mask[i % 4] for i, b in enumerate(masked)))

        async with raw(handler) as url:
            websocket = await opened(url, heard, max_frame_bytes=1000)
            close = await asyncio.wait_for(closes.get(), DEADLINE_S)
            await heard.reason()
        assert close[:3] == b"\x88" + code.to_bytes(2, "big")
        assert websocket.close_code == code
        assert heard.texts.empty()

    async def test_that_say_nothing_are_dropped_by_ping(self) -> None:
        heard = Heard()
        async with raw(sending()) as url:
            websocket = await opened(url, heard, ping_after_s=0.1)
            assert await heard.reason() == "dropped: no answer to a ping within 0.1 s"
        assert websocket.close_code == 1006

    async def test_that_answer_pings_are_kept(self) -> None:
        heard = Heard()
        pinged = asyncio.Semaphore(0)

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer)
            while True:
                head = await reader.readexactly(2)
                await reader.readexactly(4 + (head[1] & 0x7F))
                if head[0] == 0x89:
                    writer.write(frame(10, b""))
                    pinged.release()

        async with raw(handler) as url:
            websocket = await opened(url, heard, ping_after_s=0.1)
            for _ in range(4):
                await asyncio.wait_for(pinged.acquire(), DEADLINE_S)
            assert not heard.closed.done()
            websocket.abort()

    async def test_have_their_own_pings_answered_with_the_same_payload(self) -> None:
        async def handler(connection: ServerConnection) -> None:
            await (await connection.ping(b"are you there"))
            await connection.close(1000, "answered")

        heard = Heard()
        async with served(handler) as url:
            await opened(url, heard)
            assert await heard.reason() == "closed by the peer with 1000 (answered)"

    async def test_that_do_not_read_are_dropped_when_too_much_waits(self) -> None:
        heard = Heard()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()

        async with raw(deaf) as url:
            websocket = await opened(url, heard)
            with pytest.raises(ConnectionLost, match="the peer does not read"):
                for _ in range(10_000):
                    websocket.send(b"x" * 10_000)
            assert (await heard.reason()).startswith("dropped: the peer does not read")

    async def test_that_do_not_read_are_dropped_after_a_while(self) -> None:
        heard = Heard()
        paused = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accept_handshake(reader, writer)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while True:  # it talks, so that no ping is missing
                writer.write(frame(1, b"still here"))
                await asyncio.sleep(0.05)

        async with raw(deaf) as url:
            websocket = await opened(url, heard, stalled_after_s=0.3)
            while not websocket._paused:
                websocket.send(b"x" * 100_000)
                await asyncio.sleep(0)
            paused.set()
            assert await heard.reason() == "dropped: the peer has not read for 0.3 s"


async def test_sends_on_purpose_what_no_station_should() -> None:
    got: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                got.put_nowait(message)

    async with served(handler) as url:
        websocket = await opened(url, Heard())
        websocket.send(BinaryMessage(b"\x00\x01"))
        assert await asyncio.wait_for(got.get(), DEADLINE_S) == b"\x00\x01"
        await websocket.close()


@pytest.mark.parametrize(
    "scenario",
    [
        TestTexts().test_go_both_ways_whole,
        TestTexts().test_in_fragments_are_put_together_also_around_a_ping,
        TestTexts().test_that_come_with_the_handshake_are_handed_on_after_the_caller_has_its_socket,
        TestHandshake().test_follows_no_redirect,
        TestHandshake().test_gives_up_in_time_and_leaves_no_connection_behind,
        TestHandshake().test_a_cancelled_dial_leaves_no_connection_behind,
        TestHandshake().test_says_where_nobody_listens,
        TestHandshake().test_connects_from_the_source_address_given,
        TestHandshake().test_finds_its_server_by_name,
        TestTls().test_says_so_where_the_server_speaks_none,
        TestEnd().test_closes_with_its_code_and_waits_for_the_peer,
        TestEnd().test_notices_a_connection_that_breaks,
        TestEnd().test_is_told_once_whatever_is_asked_afterwards,
        TestBadPeers().test_that_say_nothing_are_dropped_by_ping,
        TestBadPeers().test_that_do_not_read_are_dropped_when_too_much_waits,
        TestBadPeers().test_that_do_not_read_are_dropped_after_a_while,
    ],
    ids=lambda scenario: scenario.__name__.removeprefix("test_"),
)
def test_holds_on_the_event_loop_of_the_services_too(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
