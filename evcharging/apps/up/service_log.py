"""The log file of one service, bounded, and the lines of it that a person at the terminal should see."""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["KEPT_FILES", "LOG_FILE_BYTES", "ServiceLog", "Show"]

Show = Callable[[str, str, int], None]
"""Takes a service's name, a line and its level (`logging.WARNING`, …)."""

LOG_FILE_BYTES = 2_000_000
KEPT_FILES = 2
LAST_LINES = 20
TEXT_LEVEL = re.compile(r"^[^|]{0,40} \| (DEBUG|INFO|WARNING|ERROR|CRITICAL) \| ")
JSON_LEVEL = re.compile(r'^\{.*"level": ?"(debug|info|warning|error|critical)"')


class ServiceLog:
    """Keeps every line in ``<directory>/<name>.log`` and hands each with its level to ``show``.

    Three files of 2 MB at most. A line without a level belongs to the one above it (a traceback); on standard error
    it is an error.
    """

    def __init__(self, directory: Path, name: str, show: Show) -> None:
        self.name = name
        self.path = directory / f"{name}.log"
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.last_error: str | None = None
        self._show = show
        self._level = logging.INFO
        self._file = _BoundedFile(
            self.path, maxBytes=LOG_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
        self._file_failed = False

    def take_line(self, line: str, is_error: bool) -> None:
        """Keep and show one line of the service's output."""
        if is_error:
            level = _level_of(line) or logging.ERROR
        else:
            level = self._level = _level_of(line) or self._level
        if level >= logging.ERROR and line.strip():
            self.last_error = line.strip()
        self.last_lines.append(line)
        self._write(line, level)
        self._show(self.name, line, level)

    def note(self, line: str) -> None:
        """Put a line of the supervisor's own between those of the service: it was started, it ended."""
        self._level = logging.INFO
        self._write(line, logging.INFO)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: str, level: int) -> None:
        self._file.handle(logging.LogRecord(self.name, level, "", 0, line, None, None))
        if self._file.failure is not None and not self._file_failed:
            self._file_failed = True
            self._show(self.name, f"{self.path} cannot be written to: {self._file.failure}", logging.WARNING)


class _BoundedFile(RotatingFileHandler):
    """Remembers why a line could not be written, in place of a traceback for each."""

    failure: BaseException | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Called by the library where a line cannot be written."""
        self.failure = sys.exception()


def _level_of(line: str) -> int | None:
    match = TEXT_LEVEL.match(line) or JSON_LEVEL.match(line)
    return logging.getLevelNamesMapping()[match[1].upper()] if match else None
