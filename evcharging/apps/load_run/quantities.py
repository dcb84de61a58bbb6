"""Durations and shares as people type them: ``500ms``, ``2m``, ``1h30m``, ``25%``."""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["BadQuantity", "duration_s", "share", "told_duration"]

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_PERCENT: Final = 100.0


class BadQuantity(ValueError):
    """Text that is no such quantity; says what was got and what would be right."""


def duration_s(value: object) -> float:
    """Return a duration in seconds: a number is seconds, text is as ``500ms``, ``90s``, ``1h30m``.

    Raises:
        BadQuantity: it is neither, or negative, or not finite.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if 0.0 <= value < math.inf:
            return float(value)
    elif isinstance(value, str):
        text = value.strip().replace(" ", "")
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            return float(text)
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    raise BadQuantity(f"{value!r} is no duration; expected seconds, or as 500ms, 90s, 5m, 1h30m")


def share(value: object) -> float:
    """Return a share from 0 to 1: ``25%`` or ``0.25``.

    Raises:
        BadQuantity: it is neither.
    """
    try:
        found = float(value[:-1]) / _PERCENT if isinstance(value, str) and value.endswith("%") else float(str(value))
    except ValueError:
        found = math.nan
    if isinstance(value, bool) or not 0.0 <= found <= 1.0:
        raise BadQuantity(f"{value!r} is no share; expected as 25%, or from 0 to 1")
    return found


def told_duration(seconds: float) -> str:
    """Return a duration as people read it: ``350 ms``, ``4.2 s``, ``1 min 30 s``, ``2 h 5 min``."""
    if seconds < 1.0:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60.0:
        return f"{seconds:.3g} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min {rest_s} s" if rest_s else f"{minutes} min"
