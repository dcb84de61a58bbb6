"""The conversation on one TCP control connection, both sides, without I/O: bytes and moments in, bytes and answers out.

The client opens with ENQ; the server answers ACK, or NACK: not now. Each frame is answered ACK or NACK within 2 s, and
the client repeats it up to three times. EOT closes. NACK with EOT behind it says "never": the frame was whole but no
message, or the peer is out of step.

Answers carry no number. TCP keeps order and the server answers each transmission once, so the client counts what it
sent: when an ACK comes after it had repeated a frame, one more answer is on its way, and it does not take that one for
the next frame's. Moments are seconds of any steady clock; nothing here reads one.
"""

from __future__ import annotations

import enum

from evcharging.apps.ev_central.framing import Fault, Frame, FrameDecoder, LinkBroken, Signal, encode_frame

__all__ = ["ANSWER_WITHIN_S", "IDLE_S", "RETRIES", "Answer", "ClientLink", "ServerLink"]

RETRIES = 3
ANSWER_WITHIN_S = 2.0
IDLE_S = 60.0


class ServerLink:
    """The answering side.

    `feed` it, then call `next_event` until it returns None and answer each event by `accept`, `refuse` or `reject`;
    send what `take` returns; call `expire` at ``deadline_s``. It has ended once ``closed``.

    Args:
        now_s: the moment of the connection.
        idle_s: how long an open link may say nothing.
    """

    def __init__(self, now_s: float, *, idle_s: float = IDLE_S) -> None:
        self.closed = False
        self.deadline_s = now_s + ANSWER_WITHIN_S
        self._decoder = FrameDecoder()
        self._idle_s = idle_s
        self._open = False
        self._mid_frame = False
        self._strikes = 0
        self._out = bytearray()

    def feed(self, piece: bytes) -> None:
        """Add what was received."""
        self._decoder.feed(piece)

    def next_event(self, now_s: float) -> Signal | Frame | None:
        """Return ENQ or a frame to be answered; None when more bytes are needed or the link is closed.

        A frame that is not intact has been answered already, with NACK.

        Raises:
            LinkBroken: the peer is out of step; the link is closed, NACK and EOT are to be sent.
        """
        if self.closed:
            return None
        try:
            event = self._judged(self._decoder.next())
        except LinkBroken:
            self.reject()
            raise
        began = self._decoder.mid_frame and (event is not None or not self._mid_frame)
        self._mid_frame = self._decoder.mid_frame
        if began:
            self.deadline_s = now_s + ANSWER_WITHIN_S
        elif event is not None:
            self.deadline_s = now_s + self._idle_s
        return event

    def accept(self) -> None:
        """Answer the last event with ACK."""
        if not self._open:
            self._open = True
            self._strikes = 0
        self._out.append(Signal.ACK)

    def refuse(self) -> None:
        """Answer the last event with NACK: not now."""
        self._out.append(Signal.NACK)

    def reject(self) -> None:
        """Answer the last event with NACK and close: repeating it would not help."""
        self.refuse()
        self.close()

    def close(self) -> None:
        """Send EOT, unless the link is closed already."""
        if not self.closed:
            self.closed = True
            self._out.append(Signal.EOT)

    def expire(self, now_s: float) -> None:
        """Close the link if its deadline has passed.

        Raises:
            LinkBroken: it has; no ENQ, no rest of a frame, or nothing at all came in time.
        """
        if not self.closed and now_s >= self.deadline_s:
            awaited = "the rest of a frame" if self._mid_frame else "a frame" if self._open else "ENQ"
            self.close()
            raise LinkBroken(Fault.SLOW, f"{awaited} did not come in time")

    def take(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def _judged(self, token: Signal | Frame | None) -> Signal | Frame | None:
        if token is Signal.EOT:
            self.closed = True
            return None
        if isinstance(token, Frame):
            if not self._open:
                raise LinkBroken(Fault.GARBAGE, "a frame before ENQ was accepted")
            if token.intact:
                self._strikes = 0
            else:
                self._strike(Fault.DAMAGED, "damaged frames")
                self.refuse()
        elif token is Signal.ENQ:
            self._strike(Fault.GARBAGE, "ENQs")
        elif token is not None:
            raise LinkBroken(Fault.GARBAGE, f"{token.name} from a client; expected ENQ, a frame or EOT")
        return token

    def _strike(self, fault: Fault, what: str) -> None:
        self._strikes += 1
        if self._strikes > 1 + RETRIES:
            raise LinkBroken(fault, f"{what} without a whole frame between them, {self._strikes} in a row")


class Answer(enum.Enum):
    """What became of what a client sent."""

    ACCEPTED = "accepted"
    NOT_NOW = "not now"
    """NACK to every repetition; the link stays open."""
    REJECTED = "rejected"
    """NACK and EOT; the link is closed."""
    SILENT = "silent"
    """No answer to any repetition; the link is closed."""
    LOST = "lost"
    """The server closed, or sent what no server sends; the link is closed."""


class ClientLink:
    """The asking side: one thing on its way at a time, ENQ first.

    `enquire` or `send`; send what `take` returns; `receive` what comes, and call `expire` at ``deadline_s``, until one
    of the two returns an `Answer`. It has ended once ``closed``.
    """

    def __init__(self) -> None:
        self.closed = False
        self.deadline_s: float | None = None
        self._decoder = FrameDecoder()
        self._payload = b""
        self._tries_left = 0
        self._unanswered = 0
        self._stale = 0
        self._refused = False
        self._out = bytearray()

    def enquire(self, now_s: float) -> None:
        """Ask whether the server takes frames now."""
        self._begin(bytes([Signal.ENQ]), now_s)

    def send(self, data: bytes, now_s: float) -> None:
        """Send one frame.

        Raises:
            ValueError: see `evcharging.apps.ev_central.framing.encode_frame`.
        """
        self._begin(encode_frame(data), now_s)

    def receive(self, piece: bytes, now_s: float) -> Answer | None:
        """Take what was received; return what became of what is on its way, None while that is open."""
        answer: Answer | None = None
        self._decoder.feed(piece)
        try:
            while not self.closed and (token := self._decoder.next()) is not None:
                answer = self._heard(token, now_s) or answer
        except LinkBroken:
            self.close()
            return Answer.LOST
        return answer

    def expire(self, now_s: float) -> Answer | None:
        """Repeat what was not answered by the deadline; close and return SILENT after three repetitions."""
        if self.deadline_s is None or now_s < self.deadline_s:
            return None
        if self._tries_left == 0:
            self.close()
            return Answer.SILENT
        self._transmit(now_s)
        return None

    def close(self) -> None:
        """Send EOT, unless the link is closed already."""
        if not self.closed:
            self._out.append(Signal.EOT)
            self._end()

    def take(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def _begin(self, payload: bytes, now_s: float) -> None:
        if self.closed or self.deadline_s is not None:
            raise RuntimeError("the link is closed" if self.closed else "something is still on its way")
        self._payload = payload
        self._tries_left = 1 + RETRIES
        self._refused = False
        self._transmit(now_s)

    def _transmit(self, now_s: float) -> None:
        self._tries_left -= 1
        self._unanswered += 1
        self.deadline_s = now_s + ANSWER_WITHIN_S
        self._out += self._payload

    def _heard(self, token: Signal | Frame, now_s: float) -> Answer | None:
        if token is Signal.EOT:
            waiting = self.deadline_s is not None
            self._out.clear()
            self._end()
            return (Answer.REJECTED if self._refused else Answer.LOST) if waiting else None
        if token not in (Signal.ACK, Signal.NACK):
            raise LinkBroken(Fault.GARBAGE, "expected ACK, NACK or EOT from a server")
        if self._stale:
            self._stale -= 1
            return None
        if not self._unanswered:
            raise LinkBroken(Fault.GARBAGE, "an answer to nothing")
        self._unanswered -= 1
        if token is Signal.ACK:
            return self._settle(Answer.ACCEPTED)
        self._refused = True
        if self._unanswered:
            return None
        if self._tries_left:
            self._transmit(now_s)
            return None
        return self._settle(Answer.NOT_NOW)

    def _settle(self, answer: Answer) -> Answer:
        self._stale += self._unanswered
        self._unanswered = 0
        self.deadline_s = None
        return answer

    def _end(self) -> None:
        self.closed = True
        self.deadline_s = None
