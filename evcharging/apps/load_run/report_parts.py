"""What the HTML report is put together from: sections, tables, and figures as people read them. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from evcharging.apps.load_run.quantities import told_duration

__all__ = ["DASH", "counted", "latency", "plain", "power", "section", "share", "table_of"]

KW_PER_MW: Final = 1000.0
DASH: Final = "\N{EN DASH}"


def section(title: str, body: str) -> str:
    """One section under its title; ``body`` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table_of(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int, last_is_text: bool = False
) -> str:
    """A table. Cells are HTML already. Columns from ``numbers_from`` on are set as figures."""

    def css(index: int) -> str:
        text = index < numbers_from or (last_is_text and index == len(columns) - 1)
        return "" if text else ' class="number"'

    head = "".join(f'<th scope="col"{css(index)}>{name}</th>' for index, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{css(index)}>{cell}</td>" for index, cell in enumerate(row)) + "</tr>" for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def counted(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


def plain(value: float) -> str:
    """A number by its four leading digits."""
    return f"{value:,.4g}"


def latency(seconds: float | None) -> str:
    """A latency in the unit that fits, a dash where none was measured."""
    return DASH if seconds is None else told_duration(seconds)


def share(part: int, whole: int) -> str:
    """A part of all calls."""
    return f"{part / whole:.2%} of calls" if whole else DASH


def power(kw: float) -> str:
    """Power in kW, or in MW where it is that much."""
    return f"{kw:.4g} kW" if kw < KW_PER_MW else f"{kw / KW_PER_MW:,.4g} MW"
