"""One unit of Central's work: what a transaction loaded, what it changed, what is to be published once it commits.

Handlers change the rows they get from here and `send` events; `save` writes both in the same transaction. Nothing of it
counts until the transaction has committed, and nothing of it is shared with another transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.apps.ev_central.session_cache import SessionCache
from evcharging.messages.base import Message
from evcharging.messages.commands import Command, CommandAction
from evcharging.messages.envelope import Event, child_of, derived_id
from evcharging.messages.topics import COMMANDS, Topic
from evcharging.store import outbox
from evcharging.store.outbox import Waiting
from evcharging.store.simulator import network, tables
from evcharging.store.simulator.rows import ChargePointRow, CommandRow, Phase, RequestRow, SessionRow

__all__ = ["Work"]

M = TypeVar("M", bound=Message)


class Work:
    """What one transaction does. Made when it begins, thrown away when it ends."""

    def __init__(
        self, transaction: AsyncConnection, *, now: datetime, instance_id: str, cache: SessionCache | None = None
    ) -> None:
        self.transaction = transaction
        self._cache = cache
        self.now = now
        self._instance_id = instance_id
        self.charge_points: dict[str, ChargePointRow] = {}
        self.sessions: dict[str, SessionRow] = {}
        self.requests: dict[str, RequestRow] = {}
        self.commands: dict[str, CommandRow] = {}
        self._at: dict[str, dict[str, SessionRow]] = {}
        self._changed: dict[int, ChargePointRow | SessionRow | RequestRow | CommandRow] = {}
        self._metered: dict[str, SessionRow] = {}
        self._closed: list[SessionRow] = []
        self._events: list[Event[Any]] = []
        self.asides: list[Event[Any]] = []
        """Published after the commit, before what was sent, and not kept: the next of their kind replaces them."""

    async def load(
        self,
        *,
        cp_ids: Iterable[str] = (),
        session_ids: Iterable[str] = (),
        request_ids: Iterable[str] = (),
        command_ids: Iterable[str] = (),
    ) -> None:
        """Fetch what is not here yet: charge points with their active sessions, sessions, requests, commands."""
        wanted = [cp_id for cp_id in cp_ids if cp_id not in self.charge_points]
        if wanted:
            self.charge_points.update(await network.charge_points(self.transaction, wanted))
            self.know(await network.active_sessions_at(self.transaction, wanted))
        missing = {session_id for session_id in session_ids if session_id not in self.sessions}
        if missing and self._cache is not None:
            cached = self._cache.find(missing)
            self.know(cached.values())
            missing -= cached.keys()
        if missing:
            self.know((await network.sessions(self.transaction, missing)).values())
        unknown = [request_id for request_id in request_ids if request_id not in self.requests]
        if unknown:
            self.requests.update(await network.requests(self.transaction, unknown))
        orders = [command_id for command_id in command_ids if command_id not in self.commands]
        if orders:
            self.commands.update(await network.commands(self.transaction, orders))

    def charge_point(self, cp_id: str) -> ChargePointRow:
        """The charge point of that id, entered now if it was never heard of. `load` it first."""
        row = self.charge_points.get(cp_id)
        if row is None:
            row = self.charge_points[cp_id] = ChargePointRow(cp_id=cp_id, registered_at=self.now)
            self.changed(row)
        return row

    def know(self, sessions: Iterable[SessionRow]) -> None:
        """Take sessions in; one that is here already stays as it is."""
        for session in sessions:
            if self.sessions.setdefault(session.session_id, session) is session:
                self._at.setdefault(session.cp_id, {})[session.session_id] = session

    def active_sessions(self, cp_id: str, connector_id: int | None = None) -> list[SessionRow]:
        """The sessions that run at the charge point (or one connector of it), as far as they are here."""
        return [
            session
            for session in self._at.get(cp_id, {}).values()
            if session.status == "ACTIVE" and connector_id in (None, session.connector_id)
        ]

    def active_session(self, cp_id: str, connector_id: int | None = None) -> SessionRow | None:
        """One of them, if any."""
        return next(iter(self.active_sessions(cp_id, connector_id)), None)

    def changed(self, row: ChargePointRow | SessionRow | RequestRow | CommandRow) -> None:
        """Have `save` write the row."""
        self._changed[id(row)] = row

    def metered(self, row: SessionRow) -> None:
        """Have `save` write what an interval changes of a session, which costs less than the whole row."""
        self._metered[row.session_id] = row

    def closed(self, row: SessionRow) -> None:
        """Have `save` write the session, and its outcome on the request that it came from."""
        self.changed(row)
        self._closed.append(row)

    def send(self, topic: Topic[M], message: M, *, cause: str, kind: str, traceparent: str | None = None) -> None:
        """Have ``message`` published once this has committed; its id follows from ``cause`` and ``kind``."""
        self._events.append(
            Event(topic, message, derived_id(cause, kind), f"central/{self._instance_id}", child_of(traceparent))
        )

    def order(
        self,
        action: CommandAction,
        cp_id: str,
        *,
        cause: str,
        valid_s: float,
        connector_id: int = 1,
        session: SessionRow | None = None,
        id_tag: str | None = None,
        payload: dict[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Send a command and return its id, which follows from ``cause`` and ``action``."""
        command = Command(
            ts=self.now,
            command_id=derived_id(cause, action.value),
            cp_id=cp_id,
            connector_id=session.connector_id if session else connector_id,
            action=action,
            session_id=session.session_id if session else None,
            driver_id=session.driver_id if session else None,
            id_tag=id_tag,
            payload=payload,
            expires_at=self.now + timedelta(seconds=valid_s),
        )
        row = CommandRow(
            command_id=command.command_id,
            cp_id=cp_id,
            action=action.value,
            session_id=command.session_id,
            created_at=self.now,
            expires_at=command.expires_at,
        )
        self.commands[row.command_id] = row
        self.changed(row)
        self.send(COMMANDS, command, cause=command.command_id, kind="command", traceparent=traceparent)
        return command.command_id

    async def save(self) -> list[Waiting]:
        """Write every change and every event; returns the outbox rows, to hand over after the commit."""
        rows = list(self._changed.values())
        await network.save_charge_points(self.transaction, [r for r in rows if isinstance(r, ChargePointRow)])
        await network.save_requests(self.transaction, [r for r in rows if isinstance(r, RequestRow)])
        # Sessions that leave their connector are written first: the one that follows is then the only one on it.
        sessions = sorted((r for r in rows if isinstance(r, SessionRow)), key=_has_its_connector)
        await network.save_sessions(self.transaction, sessions)
        metered = [row for row in self._metered.values() if id(row) not in self._changed]
        await network.save_metering(self.transaction, metered)
        await network.end_requests(self.transaction, self._closed, self.now)
        if self._cache is not None:
            self._cache.keep([*sessions, *metered])
        await network.save_commands(self.transaction, [r for r in rows if isinstance(r, CommandRow)])
        return await outbox.enqueue(
            self.transaction, tables.outbox, self._events, owner=self._instance_id, now=self.now
        )


def _has_its_connector(row: SessionRow) -> bool:
    return row.status == "ACTIVE" and row.phase is not Phase.ENDING
