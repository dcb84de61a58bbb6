"""Energy registers in a file, as a meter keeps its register without power: one JSON object, cp_id to Wh.

The file is replaced whole, so that it can be read at any moment, and it is written before a register is said on the
wire: after SIGKILL no register is lower than one that somebody has heard. Only a power cut can cost what the disk had
not yet taken; a stop in good order waits for the disk.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import structlog

__all__ = ["BadRegisterFile", "RegisterFile"]

log = structlog.get_logger()


class BadRegisterFile(Exception):
    """The file cannot be read as registers. A meter is not set to 0 for that: mend the file, or take it away."""


class RegisterFile:
    """The registers of a process's chargers.

    Raises:
        BadRegisterFile: the file is there and cannot be read as registers, or its folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._registers = _read(path)
        self._changed = False
        self._failing = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._replace(durably=False)
        except OSError as error:
            raise BadRegisterFile(f"{path}: cannot be written ({error.strerror})") from error

    def get(self, cp_id: str) -> float:
        """The register of a charger in Wh; 0 for one that is not in the file."""
        return self._registers.get(cp_id, 0.0)

    def put(self, cp_id: str, register_wh: float) -> None:
        """Take note of a register; it is in the file after the next `save`."""
        self._registers[cp_id] = register_wh
        self._changed = True

    def save(self, *, durably: bool = False) -> None:
        """Write what was noted; ``durably`` also waits for the disk. A failure is logged once and tried again."""
        if not self._changed and not durably:
            return
        try:
            self._replace(durably=durably)
        except OSError as error:
            if not self._failing:
                log.error("registers cannot be saved", file=str(self._path), reason=error.strerror)  # noqa: TRY400
            self._failing = True
            return
        if self._failing:
            log.info("registers are saved again", file=str(self._path))
        self._changed = self._failing = False

    def _replace(self, *, durably: bool) -> None:
        partial = self._path.with_name(self._path.name + ".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(self._registers, file)
            if durably:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(self._path)


def _read(path: Path) -> dict[str, float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadRegisterFile(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BadRegisterFile(f"{path}: no JSON ({error}); mend it, or take it away to begin at 0") from error
    if not isinstance(content, dict):
        raise BadRegisterFile(f"{path}: got a {type(content).__name__}, expected an object of cp_id to Wh")
    for cp_id, register_wh in content.items():
        if isinstance(register_wh, bool) or not isinstance(register_wh, int | float) or not 0 <= register_wh < math.inf:
            raise BadRegisterFile(f"{path}: {cp_id} has {register_wh!r}, expected Wh of 0 or more")
    return {cp_id: float(register_wh) for cp_id, register_wh in content.items()}
