"""What lies between a station and its socket in a load run: protocol faults, then the network's, then the ledger's ear.

One a station; a `SendFilter`. With no fault asked for, a frame costs one look at its first bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from evcharging.apps.load_run.network_faults import FrameFaults
from evcharging.apps.load_run.wire_tap import WireTap
from evcharging.ocpp.station.interfaces import SendFilter

__all__ = ["StationWire"]

Pass = Callable[[bytes], None]
Drop = Callable[[], None]


class StationWire:
    """The chain of one station.

    Args:
        tap: Hears what really goes over the socket.
        protocol: Breaks the protocol on purpose; None does not.
        out, back: The network to the CSMS and from it; None leaves frames alone.
    """

    __slots__ = ("_back", "_on", "_out", "_protocol", "_send", "_tap")

    def __init__(
        self,
        tap: WireTap,
        *,
        protocol: SendFilter | None = None,
        out: FrameFaults | None = None,
        back: FrameFaults | None = None,
    ) -> None:
        self._tap = tap
        self._protocol = protocol
        self._out = out
        self._back = back
        self._send: Pass | None = None
        self._on: Pass | None = None

    def outgoing(self, data: bytes, send: Pass, drop: Drop, left_late: Callable[[str], None]) -> None:
        """Carry a frame of the station's to its socket."""
        if send != self._send or self._on is None:
            self._on = self._connected(send, drop)
        if self._protocol is None:
            self._on(data)
        else:
            self._protocol.outgoing(data, self._on, drop, left_late)

    def incoming(self, data: bytes, receive: Pass, drop: Drop) -> None:
        """Carry a frame of the CSMS's to the station."""
        if self._back is None:
            self._arrived(data, receive, drop)
        else:
            self._back.carry(data, lambda frame: self._arrived(frame, receive, drop), drop)

    def _arrived(self, data: bytes, receive: Pass, drop: Drop) -> None:
        self._tap.received(data)
        if self._protocol is None:
            receive(data)
        else:
            self._protocol.incoming(data, receive, drop)

    def _connected(self, send: Pass, drop: Drop) -> Pass:
        """A socket is new: make the way to it. What was under way on the old one never arrives."""
        self._send = send
        self._tap.reconnected()
        for network in (self._out, self._back):
            if network is not None:
                network.reconnected()

        def put(data: bytes) -> None:
            self._tap.sent(data)
            send(data)

        out = self._out
        return put if out is None else lambda data: out.carry(data, put, drop)
