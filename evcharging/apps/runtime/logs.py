"""Log lines: ``time | LEVEL | who | message`` for people, JSON for machines. Libraries log through the same format."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, TextIO

import structlog

__all__ = ["configure_logging"]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NOISY = {
    "alembic": logging.WARNING,
    "aiokafka": logging.ERROR,
    "httpx": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}


def configure_logging(*, level: str, log_format: str, who: str, stream: TextIO | None = None) -> None:
    """Set structlog and the standard library's logging up for one process.

    Args:
        level: least level that is written.
        log_format: ``text`` or ``json``.
        who: the name shown where a logger was not bound to one of its own.
        stream: where lines go; standard output by default, which tools keep for their results.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    renderer: Any
    if log_format == "json":
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"))
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = _TextRenderer(who)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,  # a logger made before this call must not keep the default
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


class _TextRenderer:
    def __init__(self, who: str) -> None:
        self._who = who

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        exception = event.pop("exception", None)
        level = str(event.pop("level", name)).upper()
        who = event.pop("who", self._who)
        message = event.pop("event", "")
        extra = "".join(f" {key}={value}" for key, value in event.items() if not key.startswith("_"))
        told = CONTROL.sub(_escaped, f"{message}{extra}")  # a peer's text must not forge a line or steer the terminal
        line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} | {level} | {who} | {told}"
        return f"{line}\n{exception}" if exception else line


def _escaped(control: re.Match[str]) -> str:
    return repr(control[0])[1:-1]
