"""A load run while it runs, on the terminal: progress, figures, the busiest actions. It only looks."""

from __future__ import annotations

import asyncio

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.quantities import told_duration
from evcharging.apps.load_run.run import LoadRun

__all__ = ["frame", "show"]

REFRESH_S = 1.0
_ACTIONS_SHOWN = 10
_BLOCKS = " ▁▂▃▄▅▆▇█"
_POINTS_SHOWN = 60


async def show(run: LoadRun, console: Console) -> None:
    """Show a run until cancelled, in place; what was shown last stays."""
    with Live(frame(run), console=console, refresh_per_second=4, transient=False) as live:
        try:
            while True:
                await asyncio.sleep(REFRESH_S)
                live.update(frame(run))
        finally:
            live.update(frame(run))


def frame(run: LoadRun) -> Group:
    """What is shown now."""
    group, shape = run.measured, run.plan.shape
    last = group.timeline.last
    stations, messages = group.to_deliver() if run.phase == "ending" else (0, 0)
    waiting = f" ({messages:,} messages of {stations:,} stations still to deliver)" if stations else ""
    elapsed_s = run.elapsed_s
    rate = 0.0 if last is None else last.calls_per_s
    head = Text.assemble(
        (run.plan.title, "bold"),
        f"  {run.phase}{waiting}  {told_duration(elapsed_s)} of {told_duration(shape.duration_s)}",
    )
    figures = Table.grid(padding=(0, 3))
    figures.add_row(
        f"stations {group.connections.now}/{run.wanted}",
        f"calls/s {rate:,.0f}",
        f"calls {group.latencies.calls:,}",
        f"failures {group.latencies.failed:,}",
        f"timeouts {group.latencies.timeouts:,}",
        f"reconnects {group.connections.reconnects:,}",
        f"sessions {group.listener.running_sessions:,}/{group.listener.sessions:,}",
        f"{0.0 if last is None else last.power_kw:,.1f} kW",
    )
    bar = ProgressBar(total=max(shape.duration_s, 0.001), completed=min(elapsed_s, shape.duration_s), width=60)
    rates = [point.calls_per_s for point in group.timeline.points[-_POINTS_SHOWN:]]
    return Group(head, bar, figures, Text(_sparkline(rates), style="blue"), _actions(group.latencies.lately()))


def _actions(figures: list[ActionFigures]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("action")
    for column in ("calls", "failed", "timeouts", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="right")
    for one in figures[:_ACTIONS_SHOWN]:
        latencies_s = (one.p50_s, one.p95_s, one.p99_s, one.max_s)
        told = ["-" if latency_s is None else told_duration(latency_s) for latency_s in latencies_s]
        table.add_row(one.action, f"{one.calls:,}", f"{one.failed:,}", f"{one.timeouts:,}", *told)
    return table


def _sparkline(values: list[float]) -> str:
    highest = max(values, default=0.0)
    if highest <= 0.0:
        return ""
    return "".join(_BLOCKS[round(value / highest * (len(_BLOCKS) - 1))] for value in values)
