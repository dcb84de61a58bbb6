from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from evcharging.apps.swarm.gate import Gate, NotOurs
from evcharging.apps.swarm.lease import Lease

URL = "ws://127.0.0.1:1/ocpp/S-1"


class Socket:
    subprotocol = "ocpp1.6"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.aborted = False
        self.code: int | None = None
        self.pings = 0

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def ping(self) -> None:
        self.pings += 1

    async def close(self, code: int = 1000) -> None:
        self.code = code

    def abort(self) -> None:
        self.aborted = True


class Book:
    """Has nothing on the log until it is told to."""

    def __init__(self) -> None:
        self.has_it = asyncio.Event()
        self.asked: list[str] = []
        self.speaks_for = {"S-1"}
        self.changed: set[str] = set()

    def __contains__(self, station_id: str) -> bool:
        return station_id in self.speaks_for

    def set_anew(self, station_id: str) -> bool:
        return station_id in self.changed

    async def written(self, station_id: str) -> None:
        self.asked.append(station_id)
        await self.has_it.wait()

    claimed = written


class Rig:
    def __init__(self) -> None:
        self.at = 0.0
        self.may_dial = True
        self.sockets: list[Socket] = []
        self.closed: list[str] = []
        self.on_closed: Any = None
        self.book = Book()
        self.lease = Lease(lambda: self.at)
        self.gate = Gate(self._dial, lease=self.lease, may_dial=lambda: self.may_dial, book=self.book)  # type: ignore[arg-type]

    async def _dial(self, url: str, **how: Any) -> Any:
        self.sockets.append(Socket())
        self.on_closed = how["on_closed"]
        return self.sockets[-1]

    async def open(self) -> Any:
        return await self.gate.dial_for("S-1")(
            URL,
            subprotocols=["ocpp1.6"],
            headers={},
            ssl_context=None,
            source_address=None,
            on_text=lambda _data: None,
            on_closed=self.closed.append,
            max_frame_bytes=1024,
            open_timeout_s=1.0,
        )

    async def opened(self) -> tuple[Any, Socket]:
        self.book.has_it.set()
        gated = await self.open()
        self.book.has_it.clear()
        return gated, self.sockets[-1]


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def call(action: str, message_id: str = "x" * 36) -> bytes:
    return orjson.dumps([2, message_id, action, {}])


async def test_no_socket_is_opened_before_the_log_says_whose_the_station_is(rig):
    dialling = asyncio.create_task(rig.open())
    await settle()
    assert rig.sockets == []
    rig.book.has_it.set()
    await dialling
    assert len(rig.sockets) == 1


async def test_no_socket_is_opened_without_the_lease_or_without_kafka(rig):
    rig.book.has_it.set()
    rig.may_dial = False
    with pytest.raises(NotOurs):
        await rig.open()
    rig.may_dial = True
    rig.at = 60.0
    with pytest.raises(NotOurs):
        await rig.open()
    assert rig.sockets == []


async def test_the_lease_is_looked_at_again_after_the_wait(rig):
    dialling = asyncio.create_task(rig.open())
    await settle()
    rig.at = 60.0
    rig.book.has_it.set()
    with pytest.raises(NotOurs):
        await dialling
    assert rig.sockets == []


@pytest.mark.parametrize("action", ["StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent"])
async def test_a_message_about_a_transaction_waits_until_the_log_has_it(rig, action):
    gated, socket = await rig.opened()
    gated.send(call(action))
    await settle()
    assert socket.sent == []
    rig.book.has_it.set()
    await settle()
    assert socket.sent == [call(action)]


@pytest.mark.parametrize(
    "data",
    [call("Heartbeat"), call("StatusNotification"), orjson.dumps([3, "1", {"requestedMessage": "MeterValues"}])],
)
async def test_everything_else_goes_at_once(rig, data):
    gated, socket = await rig.opened()
    gated.send(data)
    assert socket.sent == [data]


async def test_an_answer_to_what_the_csms_has_set_waits_until_the_log_has_it_and_calls_pass(rig):
    gated, socket = await rig.opened()
    rig.book.changed.add("S-1")
    answer = orjson.dumps([3, "1", {"status": "Accepted"}])
    gated.send(answer)
    gated.send(call("Heartbeat"))
    await settle()
    assert socket.sent == [call("Heartbeat")]
    rig.book.has_it.set()
    await settle()
    assert socket.sent == [call("Heartbeat"), answer]


async def test_without_the_lease_a_frame_cuts_the_socket_instead(rig):
    gated, socket = await rig.opened()
    rig.at = 60.0
    gated.send(call("Heartbeat"))
    gated.ping()
    assert (socket.sent, socket.pings, socket.aborted) == ([], 0, True)


async def test_a_message_that_waited_past_the_lease_is_never_sent(rig):
    gated, socket = await rig.opened()
    gated.send(call("StopTransaction"))
    await settle()
    rig.at = 60.0
    rig.book.has_it.set()
    await settle()
    assert (socket.sent, socket.aborted) == ([], True)


async def test_what_waited_for_the_log_is_never_sent_once_the_station_is_anothers(rig):
    gated, socket = await rig.opened()
    gated.send(call("MeterValues"))
    await settle()
    rig.book.speaks_for.clear()
    rig.book.has_it.set()
    await settle()
    assert (socket.sent, socket.aborted) == ([], True)


async def test_no_word_and_no_dial_is_for_a_station_that_is_anothers(rig):
    gated, socket = await rig.opened()
    dialling = asyncio.create_task(rig.open())
    await settle()
    rig.book.speaks_for.clear()
    rig.book.has_it.set()
    with pytest.raises(NotOurs):
        await dialling
    gated.send(call("Heartbeat"))
    gated.ping()
    assert (len(rig.sockets), socket.sent, socket.pings, socket.aborted) == (1, [], 0, True)


async def test_sockets_close_as_their_station_says_and_with_1001_once_the_worker_leaves(rig):
    gated, socket = await rig.opened()
    await gated.close(1000)
    assert socket.code == 1000
    rig.gate.leaving = True
    await gated.close(1000)
    assert socket.code == 1001


async def test_a_goodbye_is_said_where_there_is_a_socket(rig):
    assert rig.gate.say_goodbye("S-1") is None
    _gated, socket = await rig.opened()
    await rig.gate.say_goodbye("S-1")
    assert socket.code == 1001
    rig.on_closed("gone")
    assert rig.gate.say_goodbye("S-1") is None
    assert rig.closed == ["gone"]
