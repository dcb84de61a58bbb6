"""Reads a requests file: one ``CP-001[,kwh]`` a line, ``any`` for a charge point that Central chooses.

``#`` begins a comment; blank lines are passed over. A bad line costs only itself. Pure: text in, requests out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from evcharging.messages.base import CpId

__all__ = ["LARGEST_KWH", "BadLine", "RequestsFile", "Wish", "parse_requests"]

LARGEST_KWH = 1000.0

_CP_ID: TypeAdapter[str] = TypeAdapter(CpId)
_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """One request to make: where (or ``any``), and how much, where that matters."""

    cp_id: str
    kwh: float | None
    line: int


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no request, by its number from 1, with what would be right."""

    line: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: skipped {self.text[:60]!r}: {self.why}"


@dataclass(frozen=True, slots=True)
class RequestsFile:
    """What a file asks for, in its order, and what was skipped."""

    wishes: tuple[Wish, ...]
    bad_lines: tuple[BadLine, ...]


def parse_requests(text: str) -> RequestsFile:
    """Read the text of a requests file; never raises."""
    wishes: list[Wish] = []
    bad_lines: list[BadLine] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        try:
            wishes.append(_wish(line, number))
        except ValueError as error:
            bad_lines.append(BadLine(number, line, str(error)))
    return RequestsFile(tuple(wishes), tuple(bad_lines))


def _wish(line: str, number: int) -> Wish:
    cp_id, *rest = (part.strip() for part in line.split(","))
    if len(rest) > 1:
        raise ValueError(f"{len(rest) + 1} fields; expected CP-001 or CP-001,10")
    try:
        _CP_ID.validate_python(cp_id)
    except ValidationError:
        raise ValueError(
            f"{cp_id[:60]!r} is no charge point id; expected letters, digits and _ . : @ | = * -, 48 at most"
        ) from None
    return Wish(cp_id, _kwh(rest[0]) if rest else None, number)


def _kwh(text: str) -> float:
    kwh = float(text) if _NUMBER.fullmatch(text) else 0.0
    if not 0 < kwh <= LARGEST_KWH:
        raise ValueError(f"{text[:60]!r} is no energy; expected kWh over 0, {LARGEST_KWH:g} at most, as in CP-001,10")
    return kwh
