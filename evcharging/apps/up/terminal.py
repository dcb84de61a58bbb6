"""What a person sees of a run: sentences, lines of services, and one line that is kept up to date below them.

Where the output is no terminal, the line that is kept up to date is printed every ten seconds instead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

__all__ = ["Terminal"]

REFRESHES_PER_S = 2
STATUS_EVERY_S = 10.0
STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}


class Terminal:
    """Writes to ``console``. ``verbose`` shows every line of a service, otherwise warnings and errors only."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._least_level = logging.DEBUG if verbose else logging.WARNING
        self._live: Live | None = None
        self._status_at = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=REFRESHES_PER_S, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, sentence: str, *, style: str = "") -> None:
        """Print one line."""
        self._console.print(Text(sentence, style), soft_wrap=True)

    def say_table(self, rows: Mapping[str, str]) -> None:
        """Print names and values in two columns."""
        width = max(map(len, rows))
        for name, value in rows.items():
            self.say(f"  {name:<{width}}  {value}")

    def service_line(self, name: str, line: str, level: int) -> None:
        """Print one line of a service's, if it matters enough."""
        if level >= self._least_level and line:
            self._console.print(Text(f"{name} | {line}", STYLES.get(level, "")), soft_wrap=True)

    def status(self, line: str) -> None:
        """Show ``line`` as what is so now."""
        if self._live is not None:
            self._live.update(Text(line, "cyan", overflow="ellipsis", no_wrap=True))
        elif time.monotonic() - self._status_at >= STATUS_EVERY_S:
            self._status_at = time.monotonic()
            self.say(line)
