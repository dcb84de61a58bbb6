"""Transaction messages that outlive the process: a station's queue in a SQLite file.

Every change is on the disk before the call returns, so that a kill at any point loses no message that was kept and
brings back none that was answered. Knows nothing of what the messages say.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

__all__ = ["BadQueueFile", "QueueFile"]

LOCKED_FOR_S: Final = 2.0
"""How long a process that ends may hold the file."""


class BadQueueFile(Exception):
    """The file cannot be used as a queue; the message names it."""


class QueueFile:
    """A `QueueStore` in ``path``. One process at a time has the file; what another station left in it stays there.

    Raises:
        BadQueueFile: the file cannot be opened, is no queue, or another process has it open.
    """

    def __init__(self, path: Path, station_id: str) -> None:
        self._path = path
        self._station_id = station_id
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=LOCKED_FOR_S)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS waiting ("
                " station_id TEXT NOT NULL, key INTEGER NOT NULL, entry TEXT NOT NULL,"
                " PRIMARY KEY (station_id, key)) WITHOUT ROWID"
            )
        except sqlite3.Error as error:
            with contextlib.suppress(AttributeError):
                self._database.close()
            raise BadQueueFile(f"{path}: cannot be used as a queue file ({error})") from None

    def load(self) -> list[dict[str, Any]]:
        """Return what was kept, oldest first.

        Raises:
            BadQueueFile: an entry cannot be read.
        """
        rows = self._database.execute(
            "SELECT entry FROM waiting WHERE station_id = ? ORDER BY key", (self._station_id,)
        )
        try:
            return [json.loads(entry) for (entry,) in rows]
        except ValueError as error:
            raise BadQueueFile(f"{self._path}: an entry of {self._station_id} is damaged ({error})") from None

    def append(self, entry: dict[str, Any]) -> None:
        """Keep ``entry`` behind the others."""
        self._database.execute(
            "INSERT INTO waiting VALUES (?, ?, ?)", (self._station_id, entry["key"], json.dumps(entry))
        )

    def update(self, entry: dict[str, Any]) -> None:
        """Keep the new contents of an entry."""
        self._database.execute(
            "UPDATE waiting SET entry = ? WHERE station_id = ? AND key = ?",
            (json.dumps(entry), self._station_id, entry["key"]),
        )

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget an entry."""
        self._database.execute("DELETE FROM waiting WHERE station_id = ? AND key = ?", (self._station_id, entry["key"]))

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._database.close()
