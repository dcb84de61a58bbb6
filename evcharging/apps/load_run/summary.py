"""A run's outcome as the few lines that stay on the terminal at its end."""

from __future__ import annotations

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.outcome import ConnectionFigures, RunOutcome
from evcharging.apps.load_run.quantities import told_duration

__all__ = ["summary"]

_PROBLEMS_SHOWN = 10
_COLUMNS = ("action", "calls", "failed", "timeouts", "lost", "p50", "p95", "p99", "max")


def summary(outcome: RunOutcome) -> str:
    """Return the lines, without a line end at the last."""
    sockets, ledger = outcome.connections, outcome.ledger
    lines = [
        f"{outcome.title}, {told_duration(outcome.elapsed_s)}, seed {outcome.seed}"
        + (", stopped early" if outcome.stopped_early else ""),
        "",
        *_aligned([_COLUMNS, *(_row(figures) for figures in (*outcome.actions, outcome.overall))]),
        "",
        f"calls a second  {outcome.calls_per_s:,.1f}",
        f"sockets         {sockets.connects:,} opened, {sockets.reconnects:,} of them again, {_lost(sockets)}",
        f"sessions        {outcome.stations.sessions:,}, {outcome.stations.energy_kwh:,.3f} kWh",
        f"ledger          {_ledger(outcome)}",
    ]
    lines += [f"                {problem}" for problem in ledger.problems[:_PROBLEMS_SHOWN]]
    lines += [f"failures        {_failures(figures)}" for figures in outcome.actions if figures.failures]
    lines += [
        f"{'crossed' if verdict.failed else 'held':<15} {verdict.expression} (measured {verdict.measured})"
        for verdict in outcome.verdicts
    ]
    return "\n".join(lines)


def _lost(sockets: ConnectionFigures) -> str:
    return f"{sockets.disconnects:,} lost, {sockets.failed_attempts:,} attempts failed"


def _ledger(outcome: RunOutcome) -> str:
    ledger = outcome.ledger
    state = "clean" if ledger.clean else f"{len(ledger.problems) + ledger.more_problems} do not add up"
    return (
        f"{state}: {ledger.acknowledged:,} of {ledger.began:,} transactions, "
        f"{ledger.acknowledged_wh:,} of {ledger.metered_wh:,} Wh, "
        f"{ledger.kept_messages:,} messages kept while offline, {ledger.left_messages + ledger.dropped_messages:,} of "
        "all not delivered"
    )


def _failures(figures: ActionFigures) -> str:
    return f"{figures.action}: " + ", ".join(f"{code} {count:,}" for code, count in figures.failures.items())


def _row(figures: ActionFigures) -> tuple[str, ...]:
    latencies_s = (figures.p50_s, figures.p95_s, figures.p99_s, figures.max_s)
    return (
        figures.action,
        f"{figures.calls:,}",
        f"{figures.failed:,}",
        f"{figures.timeouts:,}",
        f"{figures.lost:,}",
        *("-" if latency_s is None else told_duration(latency_s) for latency_s in latencies_s),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(map(_padded, range(len(row)), row, widths)) for row in rows]


def _padded(index: int, cell: str, width: int) -> str:
    return cell.rjust(width) if index else cell.ljust(width)
