"""One driver: sends a request, waits for its end, pauses, sends the next. An end is what Central says, nothing else."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from evcharging.apps.ev_driver.request_book import Entry, RequestBook
from evcharging.apps.ev_driver.requests_file import Wish
from evcharging.apps.ev_driver.summary import Summary
from evcharging.apps.ev_driver.wording import asked, told
from evcharging.bus.protocol import Bus, BusError, BusStopped
from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind
from evcharging.messages.envelope import Event, new_traceparent
from evcharging.messages.topics import DRIVER_REQUESTS

__all__ = ["Driver", "Patience"]

RESEND_AFTER_S = 1.0
CANCELLED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How a driver waits, in seconds.

    ``pause_s`` lies between the end of a request and the next; ``say_after_s`` without a word on a request the log says
    that it waits; ``give_up_after_s`` without a word it is cancelled (0: never).
    """

    pause_s: float
    say_after_s: float
    give_up_after_s: float = 0.0


class Driver:
    """One driver and its way through a list of requests.

    Args:
        book: its requests, with those of earlier runs noted where `resume` is to deal with them.
        wishes: what to ask for, in order.
        bus: where requests go.
        patience: how it waits.
        repeat: begin again at the end of ``wishes``.
        now: the wall clock.
        new_request_id: makes a request's id.
    """

    def __init__(
        self,
        book: RequestBook,
        wishes: Sequence[Wish],
        *,
        bus: Bus,
        patience: Patience,
        repeat: bool,
        now: Callable[[], datetime],
        new_request_id: Callable[[], str],
    ) -> None:
        self.book = book
        self.summary = Summary()
        self.earlier = Summary()
        self._wishes = wishes
        self._bus = bus
        self._patience = patience
        self._repeat = repeat
        self._now = now
        self._new_request_id = new_request_id
        self._returning = True
        self._word = asyncio.Event()
        self._traces: dict[str, str] = {}
        self._log = structlog.get_logger().bind(who=f"Driver:{book.driver_id}")

    def hear(self, event_id: str, update: DriverUpdate) -> None:
        """Take an update of this driver's in; a repeat and what concerns no request of its own change nothing."""
        if self.book.hear(event_id, update, adopt=self._returning) is None:
            return
        self._word.set()
        if not self._returning:
            self._log.info(told(update))

    async def run(self) -> None:
        """Learn what became of the requests of an earlier run, then work through the list."""
        await self._resume()
        rounds = itertools.repeat(self._wishes) if self._repeat and self._wishes else [self._wishes]
        for number, wish in enumerate(itertools.chain.from_iterable(rounds)):
            if number:
                await asyncio.sleep(self._patience.pause_s)
            await self._charge(wish)

    async def leave(self, *, cancel: bool) -> None:
        """Say what becomes of the requests that are open, or cancel them and wait a moment for their end."""
        if self._returning:
            return  # stopped before it was known what is open
        for entry in self.book.open_requests():
            if not cancel:
                what = "the request stands" if entry.last is None else "the session goes on"
                self._log.info(f"{entry.cp_id} | {what} without the driver; its outcome is told at the next start")
                continue
            try:
                async with asyncio.timeout(CANCELLED_WITHIN_S):
                    await self._cancel(entry)
                    while not entry.ended:
                        self._word.clear()
                        await self._word.wait()
            except (TimeoutError, BusError):
                self._log.warning(f"{entry.cp_id} | cancelled; Central has not confirmed it yet")
            else:
                self._count(entry)

    async def _resume(self) -> None:
        self._returning = False
        unheard = self.book.perhaps_unheard()
        if unheard is not None and unheard.last is not None:
            self._log.info(f"{told(unheard.last)} | outcome of the last request of an earlier run")
            self._count(unheard, earlier=True)
        self.book.forget_ended()
        for entry in self.book.open_requests():
            self._log.info(f"{entry.cp_id} | open since an earlier run; waiting for its end")
            await self._until_ended(entry)
            self._count(entry, earlier=True)

    async def _charge(self, wish: Wish) -> None:
        request = DriverRequest(
            ts=self._now(),
            request_id=self._new_request_id(),
            driver_id=self.book.driver_id,
            cp_id=wish.cp_id,
            kwh=wish.kwh,
        )
        entry = self.book.note(request)
        self.summary.requests += 1
        self._log.info(asked(request))
        await self._send(request)
        await self._until_ended(entry)
        self._count(entry)

    async def _until_ended(self, entry: Entry) -> None:
        """Wait for the end, for as long as it takes; say so now and then, cancel where patience has an end."""
        loop = asyncio.get_running_loop()
        while not entry.ended:
            heard, heard_s = entry.last, loop.time()
            say_s = heard_s + self._patience.say_after_s
            give_up_s = heard_s + (self._patience.give_up_after_s or math.inf)
            while entry.last is heard:
                if entry.cancelling:
                    give_up_s = math.inf
                if await self._hears_by(min(say_s, give_up_s)):
                    continue
                if give_up_s <= say_s:
                    await self._give_up(entry, loop.time() - heard_s)
                else:
                    self._say_that_it_waits(entry, loop.time() - heard_s)
                    say_s += self._patience.say_after_s

    async def _hears_by(self, deadline_s: float) -> bool:
        """Whether any word came before the deadline on the loop's clock."""
        self._word.clear()
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._word.wait()
        except TimeoutError:
            return False
        return True

    async def _give_up(self, entry: Entry, silent_s: float) -> None:
        self._log.warning(f"{entry.cp_id} | no word for {silent_s:.0f} s; giving up: cancelling the request")
        await self._cancel(entry)

    def _say_that_it_waits(self, entry: Entry, silent_s: float) -> None:
        awaited = "its cancellation" if entry.cancelling else "an answer" if entry.last is None else "its end"
        self._log.warning(f"{entry.cp_id} | no word for {silent_s:.0f} s; still waiting for {awaited}")

    async def _cancel(self, entry: Entry) -> None:
        asked_for = entry.request.cp_id if entry.request is not None else entry.cp_id
        request = DriverRequest(
            ts=self._now(),
            request_id=entry.request_id,
            driver_id=self.book.driver_id,
            kind=RequestKind.CANCEL,
            cp_id=asked_for,  # the key: it must follow the request on its partition
        )
        self.book.note(request)
        await self._send(request)

    async def _send(self, request: DriverRequest) -> None:
        """Have the broker take a request; until it has, keep trying with the same ids."""
        trace = self._traces.setdefault(request.request_id, new_traceparent())
        event = Event(
            DRIVER_REQUESTS, request, request.body_id(), source=f"driver/{request.driver_id}", traceparent=trace
        )
        while True:
            try:
                accepted = await self._bus.publish(event)
                await asyncio.shield(accepted)
            except BusStopped:
                raise
            except BusError as error:
                self._log.warning(f"{request.cp_id} | the request is not sent yet: {error}; trying again")
                await asyncio.sleep(RESEND_AFTER_S)
            else:
                return

    def _count(self, entry: Entry, *, earlier: bool = False) -> None:
        assert entry.last is not None  # noqa: S101 - it has ended
        if earlier:
            self.earlier.requests += 1
        (self.earlier if earlier else self.summary).count(entry.last)
        self._traces.pop(entry.request_id, None)
        self.book.forget(entry)
