"""Writes the report of a run, in the form that the file's suffix names."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import orjson

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.outcome import RunOutcome
from evcharging.apps.load_run.report_html import page

__all__ = ["SUFFIXES", "rendered", "write_report"]

SUFFIXES: Final = (".html", ".json", ".csv")

_COLUMNS: Final = (
    "action",
    "calls",
    "answered",
    "timeouts",
    "lost",
    "failed",
    "failures_by_code",
    "p50_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
    "mean_ms",
)


def write_report(outcome: RunOutcome, file: Path) -> None:
    """Write the report to ``file``, whole or not at all. Raises OSError."""
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(rendered(outcome, file.suffix), encoding="utf-8")
    unfinished.replace(file)


def rendered(outcome: RunOutcome, suffix: str) -> str:
    """The report as the text of a file that ends with ``suffix``, one of `SUFFIXES`."""
    if suffix == ".html":
        return page(outcome)
    if suffix == ".json":
        return orjson.dumps(outcome.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n"
    return _csv(outcome)


def _csv(outcome: RunOutcome) -> str:
    """A line an action and one for all; what is of the whole run is in the other two forms."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for figures in (*outcome.actions, outcome.overall):
        writer.writerow(
            [
                figures.action,
                figures.calls,
                figures.answered,
                figures.timeouts,
                figures.lost,
                figures.failed,
                " ".join(f"{code}={count}" for code, count in figures.failures.items()),
                *_milliseconds(figures),
            ]
        )
    return text.getvalue()


def _milliseconds(figures: ActionFigures) -> list[str]:
    latencies_s = (figures.p50_s, figures.p90_s, figures.p95_s, figures.p99_s, figures.max_s, figures.mean_s)
    return ["" if latency_s is None else f"{latency_s * 1000:.3f}" for latency_s in latencies_s]
