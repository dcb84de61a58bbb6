"""Readings as coloured lines. What a record says can neither forge a line nor steer the terminal."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from evcharging.apps.topics.reading import Reading

__all__ = ["render"]

LONGEST_RAW = 300
STATE_STYLES = {
    "SUPPLYING": "bold green",
    "ACTIVATED": "green",
    "STOPPED": "yellow",
    "FAULT": "bold red",
    "DISCONNECTED": "red",
    "ACCEPTED": "green",
    "IN_PROGRESS": "green",
    "COMPLETED": "bold green",
    "DENIED": "yellow",
    "CANCELLED": "yellow",
    "FAILED": "bold red",
    "REJECTED": "red",
    "EXPIRED": "red",
}
SHOWN_APART = {"ts"}


def render(reading: Reading) -> Text:
    """One line: time, place, key, and each field with its value."""
    record = reading.record
    line = Text()
    line.append(f"{reading.moment.astimezone():%H:%M:%S.%f}"[:-3], "dim")
    line.append(f" {record.partition}@{record.offset}", "dim")
    line.append(f" {_plain(reading.key) if reading.key is not None else '-'}", "bold cyan")
    if reading.dead_because is not None:
        line.append(f" set aside: {_plain(reading.dead_because)}", "magenta")
    if reading.fields is None:
        line.append(f" undecodable: {_plain(reading.problem or '')}", "bold red")
        if reading.raw is not None:
            line.append(f" {_plain(reading.raw[:LONGEST_RAW])}", "dim")
        return line
    for name, value in reading.fields.items():
        if name in SHOWN_APART or value == reading.key:
            continue
        line.append(f" {_plain(name)}=", "dim")
        line.append(*_value(value))
    return line


def _value(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return _plain(value), STATE_STYLES.get(value, "")
    if isinstance(value, bool):
        return str(value).lower(), "magenta"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value), "yellow"
    return _plain(json.dumps(value, ensure_ascii=False)), ""


def _plain(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
