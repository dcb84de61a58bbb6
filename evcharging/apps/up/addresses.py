"""Where the services of a run on this machine are: written by `up`, read by the commands that look into it.

The file holds no secret. One that a killed run left behind is told by its process being gone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["DATA_DIR", "Addresses", "without_password"]

DATA_DIR = Path(".evcharging")
FILE_NAME = "addresses.json"


class Addresses(BaseModel):
    """The addresses of one run. ``pid`` is that of `evcharging up`; ``ocpp`` is without a charge point's id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    http: str
    kafka: str
    mqtt: str
    can: str
    tcp: str
    ocpp: str
    gateway_http: str = ""
    swarm_metrics: list[str] = []
    engine_health: str
    database: str
    pid: int

    def write(self, data_dir: Path) -> None:
        """Write the file whole or not at all."""
        path = data_dir / FILE_NAME
        partial = path.with_suffix(".partial")
        partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def read(cls, data_dir: Path = DATA_DIR) -> Self | None:
        """The addresses of the run in ``data_dir``; None where none runs."""
        try:
            addresses = cls.model_validate_json((data_dir / FILE_NAME).read_bytes())
        except (OSError, ValidationError):
            return None
        return addresses if _runs(addresses.pid) else None

    @staticmethod
    def remove(data_dir: Path) -> None:
        """Take the file away: the run has ended."""
        with contextlib.suppress(OSError):
            (data_dir / FILE_NAME).unlink()


def without_password(url: str) -> str:
    """The URL with ``***`` in place of its password; a path or a bare address as it is."""
    try:
        parts = urlsplit(url)
        if parts.password is None:
            return url
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
    except ValueError:
        return "***"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
