"""Calls of one station in the order they arose. Transaction messages outlive connections and are sent until answered.

What is posted is worth something now or never: it is dropped while the CSMS cannot be reached. What is kept waits, in
order, for a connection and for its answer; refused, it is sent again after a pause that grows, and given up in the end.
Nothing here knows what a message means.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from evcharging.ocpp.errors import CallFailed, CallTimedOut, ConnectionLost, InvalidAnswer, OcppError
from evcharging.ocpp.exchange import Payload, Then
from evcharging.ocpp.station.interfaces import QueueStore, StationClock, Timer
from evcharging.ocpp.station.parameters import Parameters
from evcharging.ocpp.station.wire import Request

MOST_KEPT: Final = 2_000
"""Messages kept before meter values are thinned out: every other one, as section 3.7 of OCPP 1.6 allows."""

Entry = dict[str, Any]
"""A kept message: `key`, `action`, `payload`, `local_id` of its transaction, `attempts`, `kind`."""
_Posted = tuple[int, Request, Then | None]


class Kind(StrEnum):
    """What a kept message tells of its transaction; only meter values may be thinned out."""

    BEGIN = "begin"
    METER = "meter"
    END = "end"


class Outbox:
    """The calls that a station has still to make.

    Args:
        clock, parameters: For the pauses between attempts.
        on_failure: Hears what went wrong in the station itself while a message was handled.
        transmit: Makes a call, of an action with a payload, and tells its answer or the error that came of it.
        on_answer: Hears the answer to a kept message, before it is forgotten.
        on_given_up: Hears of a kept message that is forgotten without one, and why.
        store: Where kept messages are, None for memory alone.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_hurried",
        "_idle",
        "_kept",
        "_lost",
        "_next_key",
        "_on_answer",
        "_on_failure",
        "_on_given_up",
        "_open",
        "_parameters",
        "_posted",
        "_reopening",
        "_retry",
        "_sending",
        "_store",
        "_transmit",
        "_under_way",
    )

    def __init__(
        self,
        *,
        clock: StationClock,
        parameters: Parameters,
        on_failure: Callable[[Exception], None],
        transmit: Callable[[str, Payload, Then], None],
        on_answer: Callable[[Entry, Payload], None],
        on_given_up: Callable[[Entry, str], None],
        store: QueueStore | None = None,
    ) -> None:
        self._clock = clock
        self._parameters = parameters
        self._on_failure = on_failure
        self._transmit = transmit
        self._on_answer = on_answer
        self._on_given_up = on_given_up
        self._store = store
        self._open = False
        self._closed = False
        self._hurried = False
        self._under_way: Entry | _Posted | None = None
        """The message that was sent, until all that follows from its answer is done."""
        self._sending = False
        self._lost = False
        """Whether the connection turned out to be gone: what is next waits until something is sent again."""
        self._idle: asyncio.Future[None] | None = None
        self._reopening: asyncio.Future[None] | None = None
        self._posted: list[_Posted] = []
        self._kept: list[Entry] = [] if store is None else store.load()
        self._next_key = 1 + max((entry["key"] for entry in self._kept), default=0)
        self._retry: Timer | None = None

    @property
    def kept(self) -> int:
        """Kept messages that wait for their answer."""
        return len(self._kept)

    @property
    def waiting(self) -> frozenset[str]:
        """The local ids of the transactions of which they tell."""
        return frozenset(entry["local_id"] for entry in self._kept)

    @property
    def disconnected(self) -> bool:
        """Whether nothing can be sent until the next `open`."""
        return self._lost or not self._open

    def post(self, request: Request, then: Then | None = None) -> None:
        """Send `request` if there is a connection, else forget it; `then` is told the answer or what went wrong."""
        if not self._open:
            if then is not None:
                then(ConnectionLost("not connected"))
            return
        self._posted.append((self._next_key, request, then))
        self._next_key += 1
        self._send()

    def keep(self, request: Request, *, local_id: str, kind: Kind) -> None:
        """Send `request` as soon as may be, after what was kept before, until it is answered or given up."""
        entry: Entry = {
            "key": self._next_key,
            "action": request.action,
            "payload": request.payload,
            "local_id": local_id,
            "attempts": 0,
            "kind": kind.value,
        }
        self._next_key += 1
        self._kept.append(entry)
        if self._store is not None:
            self._store.append(entry)
        if len(self._kept) > MOST_KEPT:
            self._thin_out()
        self._send()

    def open(self) -> None:
        """Begin to send: the CSMS can be reached and takes calls."""
        self._open = True
        self._send()
        if self._reopening is not None and not self._reopening.done():
            self._reopening.set_result(None)

    def shut(self) -> None:
        """Stop sending; what was posted is forgotten."""
        self._open = False
        posted, self._posted = self._posted, []
        for _, _, then in posted:
            if then is not None:
                then(ConnectionLost("not connected"))
        self._end_retry()

    def keeps(self, local_id: str, kind: Kind) -> bool:
        """Return whether a message of that kind waits for a transaction."""
        return any(entry["local_id"] == local_id and entry["kind"] == kind for entry in self._kept)

    def change(self, local_id: str, change: Callable[[Payload], None]) -> None:
        """Change the payload of every kept message of a transaction."""
        for entry in self._kept:
            if entry["local_id"] == local_id:
                change(entry["payload"])
                if self._store is not None:
                    self._store.update(entry)

    def forget_meters(self, local_id: str) -> None:
        """Forget the meter values of a transaction that the CSMS will never know."""
        for entry in [entry for entry in self._kept if entry["kind"] == Kind.METER and entry["local_id"] == local_id]:
            self._remove(entry)

    async def drained(self) -> None:
        """Return when all that can be sent was answered, the message under way among it, or the connection is lost."""
        while self._under_way is not None and self._open:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    async def opened(self) -> None:
        """Return once what is kept can be sent."""
        while self.disconnected:
            self._reopening = asyncio.get_running_loop().create_future()
            await self._reopening

    def hurry(self) -> None:
        """The station is to end: what was never answered is sent again without a pause, as often as it may be."""
        self._hurried = True
        if self._retry is not None:
            self._end_retry()
            self._send()

    def close(self) -> None:
        """Stop for good; the store keeps what was kept."""
        self.shut()
        self._closed = True
        if self._store is not None:
            self._store.close()

    def _send(self) -> None:
        """Send what is next, unless something is under way; what is answered at once is followed by the next."""
        if self._sending:
            return
        self._sending = True
        self._lost = False
        try:
            while self._open and self._under_way is None and not self._lost:
                posted_at = self._posted[0][0] if self._posted else None
                entry = self._kept[0] if self._kept and self._retry is None else None
                if entry is not None and (posted_at is None or entry["key"] < posted_at):
                    self._under_way = entry
                    self._transmit(entry["action"], entry["payload"], self._answered)
                elif posted_at is not None:
                    posted = self._under_way = self._posted.pop(0)
                    self._transmit(*posted[1], self._answered)
                else:
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this station's run
            self._on_failure(error)
        finally:
            self._sending = False
        self._tell_idle()

    def _answered(self, answer: Payload | OcppError) -> None:
        under_way = self._under_way
        try:
            if self._closed:
                pass
            elif isinstance(under_way, dict):
                self._lost = not self._follow(under_way, answer)
            elif under_way is not None and under_way[2] is not None:
                under_way[2](answer)
        except Exception as error:  # noqa: BLE001 - as above
            self._open = False
            self._on_failure(error)
        self._under_way = None
        if self._lost or not (self._kept or self._posted):
            self._tell_idle()
        else:
            self._send()

    def _tell_idle(self) -> None:
        if self._idle is not None and self._under_way is None:
            idle, self._idle = self._idle, None
            idle.set_result(None)

    def _follow(self, entry: Entry, answer: Payload | OcppError) -> bool:
        """Return whether it was answered; not where its connection was lost, and it is sent over the next."""
        if isinstance(answer, OcppError):
            if not isinstance(answer, (CallFailed, CallTimedOut, InvalidAnswer)):
                return False
            self._try_again(entry, answer)
        elif entry in self._kept:
            self._on_answer(entry, answer)
            self._remove(entry)
        return True

    def _try_again(self, entry: Entry, error: OcppError) -> None:
        entry["attempts"] += 1
        if entry["attempts"] >= self._parameters.message_attempts:
            self._remove(entry)
            self._on_given_up(entry, str(error))
            return
        if self._store is not None:
            self._store.update(entry)
        if self._hurried and isinstance(error, CallTimedOut):
            return
        pause_s = self._parameters.message_retry_s * entry["attempts"]
        self._retry = self._clock.call_later(pause_s, self._retry_now)

    def _retry_now(self) -> None:
        self._retry = None
        self._send()

    def _end_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _remove(self, entry: Entry) -> None:
        self._kept.remove(entry)
        if self._store is not None:
            self._store.remove(entry)

    def _thin_out(self) -> None:
        """Drop every other meter message but the newest; beginnings and ends are never dropped."""
        meters = [entry for entry in self._kept[1:-1] if entry["kind"] == Kind.METER]
        for entry in meters[::2]:
            self._remove(entry)
