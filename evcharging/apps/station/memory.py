"""What a station has to know again after a kill: its open transactions, and its meters' registers.

A small file, put in the place of the last one at once or not at all. The messages themselves are in the queue file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from evcharging.ocpp.station.interfaces import TransactionRecord

__all__ = ["BadMemory", "StationMemory"]


class BadMemory(Exception):
    """The file cannot be read or written; the message names it."""


class StationMemory:
    """The memory in ``path`` of the station ``station_id``.

    Raises:
        BadMemory: there is a file, and it is no such memory or another station's.
    """

    def __init__(self, path: Path, station_id: str) -> None:
        self._path = path
        self._station_id = station_id
        self._written: bytes | None = None
        content = self._read()
        self.transactions: tuple[TransactionRecord, ...] = content[0]
        """Those that were open, or whose end the CSMS had not answered."""
        self.registers_wh: tuple[float, ...] = content[1]
        """By connector, from 1 on."""

    def keep(self, transactions: Iterable[TransactionRecord], registers_wh: Sequence[float]) -> None:
        """Write what is true now; nothing is written where nothing changed.

        Raises:
            BadMemory: it cannot be written.
        """
        content = orjson.dumps(
            {
                "station_id": self._station_id,
                "registers_wh": list(registers_wh),
                "transactions": [asdict(record) for record in transactions],
            }
        )
        if content == self._written:
            return
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise BadMemory(f"{self._path}: cannot be written ({error.strerror})") from None
        self._written = content

    def _read(self) -> tuple[tuple[TransactionRecord, ...], tuple[float, ...]]:
        try:
            content: dict[str, Any] = orjson.loads(self._path.read_bytes())
            if content["station_id"] != self._station_id:
                raise BadMemory(f"{self._path}: is of station {content['station_id']}, not of {self._station_id}")
            records = tuple(TransactionRecord(**one) for one in content["transactions"])
            return records, tuple(float(one) for one in content["registers_wh"])
        except FileNotFoundError:
            return (), ()
        except OSError as error:
            raise BadMemory(f"{self._path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BadMemory(f"{self._path}: is no memory of a station ({error}); move it away to begin anew") from None
