"""Transaction messages on disk: an append-only file of JSON lines that is read at power-up and written anew when long.

Each line is an entry as it stands (`put`) or the key of one that is over (`end`). A line that a power loss cut short is
the last one and is dropped; anything else that cannot be read is an error, since money may depend on it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import orjson

REWRITE_AFTER: Final = 1_000
"""Lines that say nothing any more, after which the file is written anew."""

_NEWLINE: Final = b"\n"


class QueueFileError(Exception):
    """The file holds a line that is no entry; the message names it. Move the file away to begin without it."""


class QueueFile:
    """A `QueueStore` in one file; a station has its own.

    Args:
        path: The file; it and its folder are made where there is none.
        sync: Whether every change is forced to the medium, which survives a power loss and costs about a ms.
    """

    __slots__ = ("_entries", "_file", "_spent", "_sync", "path")

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self.path = path
        self._sync = sync
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries = _read(path)
        self._spent = 0
        self._file = path.open("ab", buffering=0)
        self._rewrite()

    def load(self) -> list[dict[str, Any]]:
        """Return what was kept, oldest first."""
        return list(self._entries.values())

    def append(self, entry: dict[str, Any]) -> None:
        """Keep `entry` behind the others."""
        self._entries[entry["key"]] = entry
        self._write({"put": entry})

    def update(self, entry: dict[str, Any]) -> None:
        """Keep the new contents of an entry."""
        self._entries[entry["key"]] = entry
        self._spent += 1
        self._write({"put": entry})

    def remove(self, entry: dict[str, Any]) -> None:
        """Forget an entry."""
        if self._entries.pop(entry["key"], None) is None:
            return
        self._spent += 2
        self._write({"end": entry["key"]})
        if self._spent > REWRITE_AFTER and self._spent > 2 * len(self._entries):
            self._rewrite()

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(line) + _NEWLINE)
        if self._sync:
            os.fsync(self._file.fileno())

    def _rewrite(self) -> None:
        """Put a file with only what still counts in the place of this one, at once or not at all."""
        fresh = self.path.with_suffix(self.path.suffix + ".new")
        with fresh.open("wb") as file:
            file.writelines(orjson.dumps({"put": entry}) + _NEWLINE for entry in self._entries.values())
            file.flush()
            if self._sync:
                os.fsync(file.fileno())
        fresh.replace(self.path)
        self._file.close()
        self._file = self.path.open("ab", buffering=0)
        self._spent = 0


def _read(path: Path) -> dict[int, dict[str, Any]]:
    entries: dict[int, dict[str, Any]] = {}
    if not path.exists():
        return entries
    *lines, rest = path.read_bytes().split(_NEWLINE)
    del rest  # empty, or cut short in the middle of a write
    for number, line in enumerate(lines, start=1):
        try:
            content = orjson.loads(line)
            if "end" in content:
                entries.pop(content["end"], None)
            else:
                entries[content["put"]["key"]] = content["put"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise QueueFileError(f"{path}: line {number} is no kept message ({error!r})") from None
    return entries
