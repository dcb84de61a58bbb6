"""What the book keeps of one station: what was said of it last, and what makes it worth saying again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from evcharging.messages.network import SwarmState
from evcharging.ocpp.station.interfaces import StationSnapshot
from evcharging.ocpp.station.outbox import Kind

__all__ = [
    "BookEntry",
    "Signature",
    "acknowledged",
    "everything_now",
    "everything_of",
    "resolve",
    "set_by_the_csms",
    "signature_of",
]

log = structlog.get_logger()

Signature = tuple[Any, ...]


class BookEntry:
    """One station in the book; ``read`` tells how it is, ``queue`` is the station's own.

    ``energy_wh`` is of each connector's transaction that runs, or ran last; ``kwh_before`` what the last worker said.
    """

    __slots__ = (
        "energy_wh",
        "kw",
        "kwh_before",
        "ocpp_version",
        "on_the_log",
        "queue",
        "read",
        "said_at",
        "said_last",
        "said_of",
        "said_to_be_set",
        "signature",
        "state",
        "term",
        "waiters",
    )

    def __init__(
        self,
        term: int,
        read: Callable[[], StationSnapshot],
        queue: Sequence[dict[str, Any]],
        kwh_before: float = 0.0,
        ocpp_version: str = "1.6",
    ) -> None:
        self.term = term
        self.read = read
        self.queue = queue
        self.said_at = float("-inf")
        self.said_last: asyncio.Future[None] | None = None
        self.said_of: Signature = ()
        self.said_to_be_set: Signature = (None, ())
        self.signature: Signature = ()
        self.state = SwarmState.OFFLINE
        self.kw = 0.0
        self.energy_wh: dict[int, int] = {}
        self.kwh_before = kwh_before
        self.ocpp_version = ocpp_version
        self.on_the_log = False
        self.waiters: list[asyncio.Future[None]] = []

    @property
    def set_anew(self) -> bool:
        """Whether the CSMS has set something since the station was last told of."""
        try:
            return set_by_the_csms(self.read()) != self.said_to_be_set
        except Exception:  # noqa: BLE001 - it is logged when the station is to be told of
            return False

    @property
    def kwh(self) -> float:
        """Energy of the transactions that run, or ran last."""
        return sum(self.energy_wh.values()) / 1000 if self.energy_wh else self.kwh_before


def signature_of(snapshot: StationSnapshot, queue: Sequence[dict[str, Any]]) -> Signature:
    """What makes a station another one to others; its meter, and what it has to say of that, does not."""
    return (
        snapshot.running,
        snapshot.connected,
        snapshot.policy,
        *set_by_the_csms(snapshot),
        tuple(entry["key"] for entry in queue if entry.get("kind") != Kind.METER),
        tuple(
            (
                connector.state,
                None
                if (record := connector.transaction) is None
                else (record.local_id, record.transaction_id, record.ended_at_s),
            )
            for connector in snapshot.connectors
        ),
    )


def set_by_the_csms(snapshot: StationSnapshot) -> Signature:
    """What the CSMS has set at the station."""
    return snapshot.orders, snapshot.charging_profiles


def everything_of(snapshot: StationSnapshot, queue: Sequence[dict[str, Any]]) -> Signature:
    """All that a status says of a station."""
    meters_wh = [one.transaction.meter_wh for one in snapshot.connectors if one.transaction is not None]
    waiting = [entry["key"] for entry in queue]
    return (signature_of(snapshot, queue), snapshot.register_wh, snapshot.kw, meters_wh, waiting)


def everything_now(entry: BookEntry) -> Signature:
    """`everything_of` as it is now; nothing that was ever said where the station cannot be read."""
    try:
        return everything_of(entry.read(), entry.queue)
    except Exception:  # noqa: BLE001 - it is logged when the station is to be told of
        return ()


def acknowledged(entry: BookEntry, waiters: list[asyncio.Future[None]], done: asyncio.Future[None]) -> None:
    """A status is on the log, or will never be: let those go on who waited for it."""
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.warning("a status did not reach the log", error=repr(error))
    entry.on_the_log = entry.on_the_log or (error is None and not done.cancelled())
    resolve(waiters)


def resolve(waiters: list[asyncio.Future[None]]) -> None:
    """Let those go on who wait, as far as they still do."""
    for waiter in waiters:
        with contextlib.suppress(asyncio.InvalidStateError):
            waiter.set_result(None)
