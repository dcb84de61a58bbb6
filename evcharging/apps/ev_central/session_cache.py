"""Running sessions in memory, so that an interval costs no query. Equal to the database, or empty.

Only a write transaction touches it, and SQLite admits one of those at a time; a transaction that fails empties it. With
PostgreSQL several copies of Central write, so there is none and every batch reads its rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from evcharging.store.simulator.rows import SessionRow

__all__ = ["SessionCache"]

MOST_SESSIONS = 100_000


class SessionCache:
    """Active sessions by id, the least recently metered dropped first."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._rows: OrderedDict[str, SessionRow] = OrderedDict()

    def find(self, session_ids: Iterable[str]) -> dict[str, SessionRow]:
        """Those of the sessions that are here."""
        return {session_id: self._rows[session_id] for session_id in session_ids if session_id in self._rows}

    def keep(self, rows: Iterable[SessionRow]) -> None:
        """Take over what is being written: active sessions are kept, others dropped."""
        for row in rows:
            if row.status == "ACTIVE":
                self._rows[row.session_id] = row
                self._rows.move_to_end(row.session_id)
            else:
                self._rows.pop(row.session_id, None)
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: what is here may not be what was stored."""
        self._rows.clear()
