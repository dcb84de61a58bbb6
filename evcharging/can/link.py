"""An engine's end of the channel to its charger: the latest readings, commands, and news as events.

It repeats the set point each second, because a charger that hears none goes to 0 A, and repeats a stop for as long as
the charger still charges. It believes a status only if its CRC fits and its rolling counter moved; what it does not
believe it counts under a word in ``dropped`` and leaves out. It opens and closes no bus, and it decides nothing: what a
fault or a silence means for a session is the engine's business.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import structlog
from can import Message

from evcharging.can.bus import CanBus, CanError
from evcharging.can.frame_fields import FrameError
from evcharging.can.frames import (
    COMMAND_IDS,
    ChargerStatus,
    Condition,
    CurrentLimit,
    Frame,
    Inject,
    InjectKind,
    MeasuredCurrent,
    Meter,
    StartCharging,
    StopCharging,
    decode,
    encode,
)
from evcharging.can.link_news import ChargerReadings, LinkClosed, LinkEvent, LinkEventKind, RegisterTrack, Waiters
from evcharging.domain.charger import ChargerState, FaultCode

__all__ = ["ChargerLink", "ChargerReadings", "ChargerUnanswered", "LinkEvent", "LinkEventKind"]

log = structlog.get_logger()

REPEAT_S: Final = 1.0
SILENT_AFTER_S: Final = 1.0
"""Without any frame; a charger sends one each 0.1 s."""
STATUS_LOST_AFTER_S: Final = 3.0
"""Without a status that can be believed, whatever else is heard: three missed."""
LATE_S: Final = 0.5
"""A watch that comes later than this was held up itself; frames may be waiting that it has not seen."""
LOOK_AGAIN_S: Final = 0.25
"""A silence counts when it is found again so much later: after a shorter hold-up, what waited is heard by then."""

_RUNNING: Final = frozenset({ChargerState.CHARGING, ChargerState.SUSPENDED})


class ChargerUnanswered(CanError):
    """The charger did not say in time what was waited for."""


class ChargerLink:
    """What an engine knows of its charger and may ask of it: ``async with ChargerLink(bus) as link``.

    ``clock`` gives monotonic seconds.
    """

    def __init__(self, bus: CanBus, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.readings = ChargerReadings()
        self.dropped: Counter[str] = Counter()
        """Frames left out, by reason."""
        self.missed_status = 0
        """Statuses that never came, by the gaps in the rolling counter."""
        self.unsent = 0
        """Set points and stops that could not be sent when their time came; each is repeated."""
        self._bus = bus
        self._clock = clock
        self._register = RegisterTrack()
        self._listeners: tuple[Callable[[LinkEvent], None], ...] = ()
        self._waiters = Waiters()
        self._limit_amps: float | None = None
        self._ending = False
        self._ended = False
        self._counter: int | None = None
        self._heard = False
        self._last_status_s = 0.0
        self._meters = 0
        self._repeat: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_due_s = 0.0
        self._doubted = False
        self._deaf: Callable[[], None] | None = None

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen and to watch for silence. Call it on the event loop."""
        if self._deaf is None:
            self._deaf = self._bus.add_listener(self._hear)
            self.readings.last_frame_monotonic_s = self._last_status_s = self._clock()
            self._watch_in(SILENT_AFTER_S)
            self._repeat = asyncio.get_running_loop().call_later(REPEAT_S, self._say_again)

    def close(self) -> None:
        """Stop listening and repeating; whoever waits is told `ChargerUnanswered`. The bus stays open. Idempotent."""
        if self._deaf is not None:
            self._deaf()
            self._deaf = None
        for handle in (self._repeat, self._watch):
            if handle is not None:
                handle.cancel()
        self._waiters.close()

    @property
    def silent(self) -> bool:
        """Whether nothing that can be believed comes from the charger, be it for now or not yet."""
        return not self._heard

    @property
    def limit_amps(self) -> float | None:
        """The set point that is repeated, in A per phase; None until the first."""
        return self._limit_amps

    def on_event(self, listener: Callable[[LinkEvent], None]) -> Callable[[], None]:
        """Have ``listener`` called with each event, on the event loop; returns what takes it away again."""
        self._listeners = (*self._listeners, listener)

        def remove() -> None:
            self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

        return remove

    def start(self) -> None:
        """Ask the charger to charge (0x200), and tell it the set point once more.

        A vehicle that charges or is suspended goes on; where none waits on the cable, a fresh one is plugged in.

        Raises:
            CanDisconnected, CanOverloaded, CanClosed: it was not asked.
        """
        self._bus.post(encode(StartCharging()))
        self._ending = self._ended = False
        self._say_limit()

    def stop(self) -> None:
        """Ask the charger to end the session (0x201), again each second until it has. See `wait_register`."""
        self._ending = True
        self._ended = False
        self._try(StopCharging())

    def set_limit(self, limit_amps: float) -> None:
        """Set the current on offer, in A per phase, and repeat it each second from now on.

        Raises:
            WrongValue: the limit is below 0 or above 65,535 A.
        """
        encode(CurrentLimit(limit_amps))
        self._limit_amps = limit_amps
        self._say_limit()

    def inject(self, kind: InjectKind, fault_code: FaultCode = FaultCode.NONE) -> None:
        """Make something happen at the cable or in the hardware (0x2F0).

        Raises:
            WrongValue: a fault without its code.
            CanDisconnected, CanOverloaded, CanClosed: the charger was not told.
        """
        self._bus.post(encode(Inject(kind, fault_code)))

    async def wait_until(self, condition: Callable[[ChargerReadings], bool], timeout_s: float) -> None:
        """Return once ``condition`` holds for the readings; it is looked at with each frame.

        Raises:
            ChargerUnanswered: it did not hold within ``timeout_s``.
        """
        await self._wait(lambda: condition(self.readings), timeout_s, "what was waited for")

    async def wait_register(self, timeout_s: float = 3.0) -> float:
        """The energy register, in Wh, from a frame that comes after this call; after `stop`, when the session is over.

        Raises:
            ChargerUnanswered: no such frame within ``timeout_s``; ``readings.register_wh`` has the last one.
        """
        before = self._meters
        await self._wait(lambda: self._meters > before and not self._ending, timeout_s, "its energy register")
        assert self.readings.register_wh is not None  # noqa: S101 - a meter frame was just counted
        return self.readings.register_wh

    async def _wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        try:
            await self._waiters.wait(condition, timeout_s)
        except TimeoutError:
            raise ChargerUnanswered(f"charger {self._bus.channel} did not say {what} within {timeout_s:g} s") from None
        except LinkClosed:
            raise ChargerUnanswered(f"the link to charger {self._bus.channel} was closed") from None

    def _hear(self, message: Message) -> None:
        if message.arbitration_id in COMMAND_IDS:
            # Another engine or a tool on the same channel; a CAN bus does not say who.
            self.dropped["foreign_command"] += 1
            return
        try:
            frame = decode(message)
        except FrameError as error:
            self.dropped[error.reason] += 1
            return
        if self._take(frame):
            self.readings.last_frame_monotonic_s = self._clock()
            self._waiters.wake()

    def _take(self, frame: Frame) -> bool:
        match frame:
            case MeasuredCurrent(current_a):
                self.readings.current_a = current_a
            case ChargerStatus():
                return self._take_status(frame)
            case Meter(register_wh, voltage_v):
                return self._take_meter(register_wh, voltage_v)
            case Condition(temperature_c, soc):
                self.readings.temperature_c = temperature_c
                self.readings.soc = soc
        return True

    def _take_status(self, status: ChargerStatus) -> bool:
        if self._counter is not None:
            steps = (status.counter - self._counter) % 256
            if steps == 0:
                self.dropped["stale_counter"] += 1
                return False
            self.missed_status += steps - 1
        self._counter = status.counter
        self._last_status_s = self._clock()
        before = self.readings.state
        changed = self.readings.take_status(status)
        if self._ending and status.state not in _RUNNING:
            self._ended = True
        if not self._heard:
            self._heard = True
            self._watch_in(SILENT_AFTER_S)
            self._tell(LinkEventKind.HEARD, before)
        if changed:
            self._tell(LinkEventKind.STATUS, before)
        return True

    def _take_meter(self, register_wh: float, voltage_v: float) -> bool:
        counted_wh, fell = self._register.take(register_wh)
        if counted_wh is None:
            self.dropped["register_fell"] += 1
            return False
        self.readings.register_wh = counted_wh
        self.readings.voltage_v = voltage_v
        self._meters += 1
        if self._ended:
            # The status that ended the session came first, so this reading holds all of its energy.
            self._ending = self._ended = False
        if fell:
            self._tell(LinkEventKind.METER_FELL, self.readings.state)
        return True

    def _tell(self, kind: LinkEventKind, previous_state: ChargerState | None, detail: str | None = None) -> None:
        readings = self.readings
        event = LinkEvent(kind, readings.state, previous_state, readings.fault_code, readings.plugged, detail)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on news of a charger", channel=self._bus.channel, news=kind)

    def _say_again(self) -> None:
        self._repeat = asyncio.get_running_loop().call_later(REPEAT_S, self._say_again)
        if self._ending and not self._ended:
            self._try(StopCharging())
        self._say_limit()

    def _say_limit(self) -> None:
        if self._limit_amps is not None:
            self._try(CurrentLimit(self._limit_amps))

    def _try(self, frame: Frame) -> None:
        try:
            self._bus.post(encode(frame))
        except CanError:
            self.unsent += 1

    def _watch_in(self, delay_s: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch_due_s = self._clock() + delay_s
        self._watch = asyncio.get_running_loop().call_later(delay_s, self._look_for_silence)

    def _look_for_silence(self) -> None:
        self._watch = None
        now_s = self._clock()
        if now_s - self._watch_due_s > LATE_S:
            self._watch_in(LATE_S)
            return
        assert self.readings.last_frame_monotonic_s is not None  # noqa: S101 - set by open()
        until_silent_s = self.readings.last_frame_monotonic_s + SILENT_AFTER_S - now_s
        until_lost_s = self._last_status_s + STATUS_LOST_AFTER_S - now_s
        if until_silent_s > 0.0 and until_lost_s > 0.0:
            self._doubted = False
            self._watch_in(min(until_silent_s, until_lost_s))
            return
        if not self._doubted:
            self._doubted = True
            self._watch_in(LOOK_AGAIN_S)
            return
        self._doubted = False
        heard_frames = until_silent_s > 0.0
        self._heard = False
        self._counter = None
        detail = (
            f"no status that can be believed for {STATUS_LOST_AFTER_S:g} s"
            if heard_frames
            else f"no frame for {SILENT_AFTER_S:g} s"
        )
        self._tell(LinkEventKind.SILENT, self.readings.state, detail)
