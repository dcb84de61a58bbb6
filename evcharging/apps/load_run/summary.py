"""A run's outcome as the few lines that stay on the terminal at its end, and as one line where nothing ran."""

from __future__ import annotations

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.outcome import PROTOCOL_FAULTS, ConnectionFigures, FaultFigures, RunOutcome
from evcharging.apps.load_run.quantities import told_duration
from evcharging.apps.runtime.csms_reach import told_with_hint, what_to_check

__all__ = ["summary", "why_nothing_ran"]

_PROBLEMS_SHOWN = 10
_REASONS_SHOWN = 3
_LATE_S = 0.5
_BOOT = "BootNotification"
_COLUMNS = ("action", "calls", "failed", "timeouts", "lost", "p50", "p95", "p99", "max")


def summary(outcome: RunOutcome) -> str:
    """Return the lines, without a line end at the last."""
    sockets, ledger = outcome.connections, outcome.ledger
    lines = [
        f"{outcome.title}, {told_duration(outcome.elapsed_s)}, seed {outcome.seed}"
        + (", stopped early" if outcome.stopped_early else "")
        + (", cut off: stations had no time to end what they had begun" if outcome.cut_off else ""),
        "",
        *_aligned([_COLUMNS, *(_row(figures) for figures in (*outcome.actions, outcome.overall))]),
        "",
        f"calls a second  {outcome.calls_per_s:,.1f}",
        f"stations        {_stations(outcome)}",
        f"sockets         {sockets.connects:,} opened, {sockets.reconnects:,} of them again, {_lost(sockets)}",
        f"sessions        {outcome.stations.sessions:,}, {outcome.stations.energy_kwh:,.3f} kWh",
        f"ledger          {_ledger(outcome)}",
    ]
    lines += [f"                {problem}" for problem in ledger.problems[:_PROBLEMS_SHOWN]]
    lines += [
        f"{'of them' if not number else '':<15} {count:,} times: {reason}"
        for number, (reason, count) in enumerate(list(sockets.reasons.items())[:_REASONS_SHOWN])
    ]
    if outcome.stations.late_s > _LATE_S:
        lines.append(
            f"late            by up to {told_duration(outcome.stations.late_s)}: this machine was too busy for so many "
            "stations, and latencies contain that"
        )
    lines += [f"failures        {_failures(figures)}" for figures in outcome.actions if figures.failures]
    lines += _faults(outcome)
    if outcome.background is not None:
        lines.append(f"background      {_background(outcome.background)}")
    lines += [
        f"{'crossed' if verdict.failed else 'held':<15} {verdict.expression} (measured {verdict.measured})"
        for verdict in outcome.verdicts
    ]
    return "\n".join(lines)


def why_nothing_ran(outcome: RunOutcome, url: str) -> str:
    """Say what became of a run in which no boot was accepted, by numbers, and what to check."""
    sockets, wanted = outcome.connections, outcome.stations.most
    reason, times = next(iter(sockets.reasons.items()), ("", 0))
    if not sockets.connects:
        if not reason:
            return (
                f"no station could connect to {url}: of {wanted:,} stations none had an answer within the run; "
                f"check: {what_to_check('no websocket within')}"
            )
        return (
            f"no station could connect to {url}: 0 of {wanted:,} stations, {sockets.failed_attempts:,} attempts failed,"
            f" {times:,} of them so: {told_with_hint(reason)}"
        )
    boots = next((figures for figures in outcome.actions if figures.action == _BOOT), None)
    became = ["not one was sent" if boots is None else f"{boots.calls:,} sent"]
    if boots is not None:
        became += [
            f"{count:,} {word}"
            for count, word in (
                (boots.timeouts, "timed out"),
                (boots.lost, "lost with their socket or the end of the run"),
                (boots.failed, f"refused ({', '.join(boots.failures)})"),
                (boots.answered - boots.failed, "answered, and not with Accepted"),
            )
            if count
        ]
    unanswered = boots is None or not boots.answered
    hint = (
        f"does the CSMS speak OCPP {outcome.version} at this path, and is it too busy to answer?"
        if unanswered
        else "does the CSMS know these stations, and does it accept them?"
    )
    return (
        f"no station was accepted by {url}: {sockets.stations:,} of {wanted:,} connected, "
        f"{sockets.failed_attempts:,} attempts failed; {_BOOT}: {', '.join(became)}; check: {hint}"
    )


def _stations(outcome: RunOutcome) -> str:
    sockets, stations = outcome.connections, outcome.stations
    told = f"{sockets.stations_accepted:,} of {stations.most:,} accepted"
    if sockets.stations > sockets.stations_accepted:
        told += f", {sockets.stations - sockets.stations_accepted:,} connected and never accepted"
    if stations.most > sockets.stations:
        told += f", {stations.most - sockets.stations:,} never connected"
    if stations.ended_by_force:
        told += f"; {stations.ended_by_force:,} cut off at the end, before the CSMS had taken all they had to say"
    return told


def _lost(sockets: ConnectionFigures) -> str:
    return f"{sockets.disconnects:,} lost, {sockets.failed_attempts:,} attempts failed"


def _ledger(outcome: RunOutcome) -> str:
    ledger = outcome.ledger
    if ledger.empty:
        return "empty: no transaction began"
    state = "clean" if ledger.clean else f"{len(ledger.problems) + ledger.more_problems} do not add up"
    return (
        f"{state}: {ledger.acknowledged:,} of {ledger.began:,} transactions, "
        f"{ledger.acknowledged_wh:,} of {ledger.metered_wh:,} Wh, "
        f"{ledger.kept_messages:,} messages kept while offline, {ledger.left_messages + ledger.dropped_messages:,} of "
        "all not delivered"
        + (f" ({ledger.unreached_messages:,} since the CSMS could not be reached)" if ledger.unreached_messages else "")
    )


def _failures(figures: ActionFigures) -> str:
    return f"{figures.action}: " + ", ".join(f"{code} {count:,}" for code, count in figures.failures.items())


def _faults(outcome: RunOutcome) -> list[str]:
    asked_for = outcome.plan.get(PROTOCOL_FAULTS)
    if asked_for is not None and not outcome.faults:
        return [f"faults          none came: {asked_for}"]
    return [f"faults          {_fault(fault)}" for fault in outcome.faults]


def _fault(fault: FaultFigures) -> str:
    words = ", ".join(f"{word} {count:,}" for word, count in fault.outcomes.items())
    return f"{fault.kind}: {fault.as_expected:,} taken as the standard says, {fault.otherwise:,} otherwise ({words})"


def _background(figures: ActionFigures) -> str:
    _, calls, failed, timeouts, lost, *latencies = _row(figures)
    told = ", ".join(f"{name} {latency}" for name, latency in zip(_COLUMNS[5:], latencies, strict=True))
    return f"{calls} calls, {failed} failed, {timeouts} timeouts, {lost} lost, {told}"


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
