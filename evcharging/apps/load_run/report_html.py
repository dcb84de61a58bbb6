"""The report of a run as one HTML file: figures, charts, actions, connections and the ledger, with nothing to load.

It has no script and names no other host, so it can be sent by mail and opened anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from evcharging.apps.load_run.charts import Line, chart
from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.outcome import RunOutcome
from evcharging.apps.load_run.quantities import told_duration
from evcharging.apps.load_run.report_style import STYLE
from evcharging.apps.load_run.timeline import Point

__all__ = ["body", "page"]

_DASH: Final = "\N{EN DASH}"


def page(outcome: RunOutcome) -> str:
    """Return the whole file."""
    head = f"<title>Load run: {escape(outcome.title)}</title>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"{head}<style>{STYLE}</style></head><body><main>{body(outcome)}</main></body></html>\n"
    )


def body(outcome: RunOutcome) -> str:
    """Return what the page shows, without its frame."""
    sections = (
        _heading(outcome),
        _verdicts(outcome),
        _tiles(outcome),
        _charts(outcome),
        _actions(outcome),
        _connections(outcome),
        _ledger(outcome),
        _faults(outcome),
        _plan(outcome),
    )
    return "".join(sections)


def _heading(outcome: RunOutcome) -> str:
    if not outcome.verdicts:
        state, word = "", ""
    elif outcome.failed:
        state, word = "bad", "failed"
    else:
        state, word = "good", "passed"
    badge = f'<span class="badge {state}">{word}</span>' if word else ""
    early = " Stopped before its end." if outcome.stopped_early else ""
    began = outcome.started_at.strftime("%Y-%m-%d %H:%M:%S %Z")
    return (
        f"<header><h1>{escape(outcome.title)} {badge}</h1>"
        f"<p>OCPP {escape(outcome.version)}, {began}, {told_duration(outcome.elapsed_s)}, seed {outcome.seed}."
        f"{early}</p></header>"
    )


def _verdicts(outcome: RunOutcome) -> str:
    if not outcome.verdicts:
        return ""
    rows = (
        (f"<code>{escape(verdict.expression)}</code>", escape(verdict.measured), _state(not verdict.failed))
        for verdict in outcome.verdicts
    )
    return _section("Thresholds", _table(("fails if", "measured", ""), rows, numbers_from=9))


def _state(good: bool) -> str:
    return '<span class="badge good">held</span>' if good else '<span class="badge bad">crossed</span>'


def _tiles(outcome: RunOutcome) -> str:
    overall, ledger, sockets = outcome.overall, outcome.ledger, outcome.connections
    not_answered = overall.timeouts + overall.lost
    tiles = (
        (
            "stations",
            _count(outcome.stations.most),
            f"{_count(sockets.stations_accepted)} accepted, {_count(sockets.connects)} connects",
            "bad" if sockets.stations_accepted < outcome.stations.most else "",
        ),
        ("calls", _count(overall.calls), f"{outcome.calls_per_s:,.1f} a second", ""),
        ("p95", _latency(overall.p95_s), f"p50 {_latency(overall.p50_s)}, p99 {_latency(overall.p99_s)}", ""),
        ("failures", _count(overall.failed), _share(overall.failed, overall.calls), "bad" if overall.failed else ""),
        (
            "not answered",
            _count(not_answered),
            f"{_count(overall.timeouts)} timeouts, {_count(overall.lost)} lost",
            "bad" if overall.timeouts else "",
        ),
        (
            "sessions",
            _count(outcome.stations.sessions),
            f"{outcome.stations.energy_kwh:,.3f} kWh",
            "",
        ),
        (
            "ledger",
            "clean" if ledger.clean else f"{len(ledger.problems) + ledger.more_problems} open",
            f"{_count(ledger.acknowledged)} of {_count(ledger.began)} transactions",
            "good" if ledger.clean else "bad",
        ),
    )
    cells = "".join(
        f'<div class="tile {state}"><span>{escape(name)}</span><strong>{escape(value)}</strong>'
        f"<small>{escape(note)}</small></div>"
        for name, value, note, state in tiles
    )
    return f'<section class="tiles">{cells}</section>'


def _charts(outcome: RunOutcome) -> str:
    points = outcome.points
    if not points:
        return ""
    at_s = [point.at_s for point in points]
    drawn = [
        chart(
            "Calls a second",
            at_s,
            [
                Line("calls", "--blue", [point.calls_per_s for point in points], filled=True),
                Line("failed", "--red", [_rate(point.failed, point) for point in points]),
                Line("timeouts", "--amber", [_rate(point.timeouts, point) for point in points]),
            ],
            tell=_plain,
        ),
        chart(
            "Latency of answered calls",
            at_s,
            [
                Line("p50", "--green", [point.p50_s for point in points]),
                Line("p95", "--blue", [point.p95_s for point in points]),
                Line("max", "--amber", [point.max_s for point in points]),
            ],
            tell=told_duration,
        ),
        chart(
            "Stations",
            at_s,
            [
                Line("wanted", "--grey", [float(point.wanted) for point in points]),
                Line("connected", "--blue", [float(point.connected) for point in points], filled=True),
            ],
            tell=_plain,
        ),
        chart(
            "Sockets opened and lost, a second",
            at_s,
            [
                Line("opened", "--green", [_rate(point.connects, point) for point in points]),
                Line("lost", "--red", [_rate(point.disconnects, point) for point in points]),
            ],
            tell=_plain,
        ),
        chart(
            "Sessions that run",
            at_s,
            [Line("sessions", "--blue", [float(point.sessions) for point in points], filled=True)],
            tell=_plain,
        ),
        chart(
            "Power of all stations",
            at_s,
            [Line("kW", "--green", [point.power_kw for point in points], filled=True)],
            tell=lambda kw: f"{kw:,.4g} kW",
        ),
    ]
    return _section("Over time", f'<div class="charts">{"".join(drawn)}</div>')


def _rate(count: int, point: Point) -> float:
    return count / point.length_s if point.length_s else 0.0


def _actions(outcome: RunOutcome) -> str:
    columns = ("action", "calls", "answered", "timeouts", "lost", "failed", "p50", "p90", "p95", "p99", "max")
    figures = [*outcome.actions, outcome.overall]
    if outcome.background is not None:
        figures.append(outcome.background)
    table = _table(columns, (_action(one) for one in figures), numbers_from=1)
    codes = [
        (f"<code>{escape(one.action)}</code>", f"<code>{escape(code)}</code>", _count(count))
        for one in outcome.actions
        for code, count in one.failures.items()
    ]
    failures = _table(("action", "error code", "calls"), codes, numbers_from=2) if codes else "<p>No failures.</p>"
    return _section("Actions", table) + _section("Failures by code", failures)


def _action(figures: ActionFigures) -> tuple[str, ...]:
    latencies_s = (figures.p50_s, figures.p90_s, figures.p95_s, figures.p99_s, figures.max_s)
    return (
        f"<code>{escape(figures.action)}</code>",
        _count(figures.calls),
        _count(figures.answered),
        _count(figures.timeouts),
        _count(figures.lost),
        _count(figures.failed),
        *(_latency(latency_s) for latency_s in latencies_s),
    )


def _connections(outcome: RunOutcome) -> str:
    sockets, stations = outcome.connections, outcome.stations
    rows = [
        ("sockets opened", _count(sockets.connects)),
        ("of them again", _count(sockets.reconnects)),
        ("sockets lost", _count(sockets.disconnects)),
        ("sockets closed at the end of their station", _count(sockets.closed)),
        ("attempts that failed", _count(sockets.failed_attempts)),
        ("stations that connected", f"{_count(sockets.stations)} of {_count(stations.most)}"),
        ("stations that were accepted", f"{_count(sockets.stations_accepted)} of {_count(stations.most)}"),
        ("boots accepted", _count(sockets.boots_accepted)),
        ("stations made anew after a failure of their own", _count(stations.restarts)),
        ("stations cut off at the end", _count(stations.ended_by_force)),
        ("CPU of this process", told_duration(stations.cpu_s)),
        ("how late it came to its own work at the worst (latencies contain that)", told_duration(stations.late_s)),
        ("its memory at the most", f"{stations.peak_rss_mib:,.0f} MiB"),
    ]
    table = _table(("", ""), rows, numbers_from=1)
    reasons = [(escape(reason), _count(count)) for reason, count in sockets.reasons.items()]
    if reasons:
        table += _table(("why sockets were lost or not opened", "times"), reasons, numbers_from=1)
    ignored = [(escape(reason), _count(count)) for reason, count in outcome.ignored.items()]
    if ignored:
        table += _table(("texts of the CSMS that were ignored", "times"), ignored, numbers_from=1)
    return _section("Connections", table)


def _ledger(outcome: RunOutcome) -> str:
    ledger = outcome.ledger
    rows = [
        ("transactions begun by stations", _count(ledger.began)),
        ("ended", _count(ledger.ended)),
        ("start and end acknowledged by the CSMS", _count(ledger.acknowledged)),
        ("metered by stations", f"{ledger.metered_wh:,} Wh"),
        ("acknowledged by the CSMS", f"{ledger.acknowledged_wh:,} Wh"),
        ("messages kept while offline", _count(ledger.kept_messages)),
        ("still waiting at the end", _count(ledger.left_messages)),
        ("given up", _count(ledger.dropped_messages)),
        ("acknowledged more than once", _count(ledger.repeated)),
    ]
    if ledger.clean:
        told = '<p class="good">Every transaction and every Wh is accounted for.</p>'
    else:
        lines = "".join(f"<li>{escape(problem)}</li>" for problem in ledger.problems)
        more = f"<p>And {_count(ledger.more_problems)} more.</p>" if ledger.more_problems else ""
        told = f'<ul class="problems">{lines}</ul>{more}'
    return _section("Ledger", _table(("", ""), rows, numbers_from=1) + told)


def _faults(outcome: RunOutcome) -> str:
    if not outcome.faults:
        return ""
    rows = (
        (
            f"<code>{escape(fault.kind)}</code>",
            _count(fault.as_expected),
            _count(fault.otherwise),
            escape(", ".join(f"{name} {count}" for name, count in fault.outcomes.items())),
        )
        for fault in outcome.faults
    )
    columns = ("protocol fault", "taken as the standard says", "otherwise", "how the CSMS took it")
    return _section("Protocol faults", _table(columns, rows, numbers_from=1, last_is_text=True))


def _plan(outcome: RunOutcome) -> str:
    rows = [(escape(name), escape(value)) for name, value in outcome.plan.items()]
    return _section("What was asked for", _table(("", ""), rows, numbers_from=9))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int, last_is_text: bool = False
) -> str:
    """Cells are HTML already. Columns from ``numbers_from`` on are set as figures."""

    def css(index: int) -> str:
        text = index < numbers_from or (last_is_text and index == len(columns) - 1)
        return "" if text else ' class="number"'

    head = "".join(f'<th scope="col"{css(index)}>{name}</th>' for index, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{css(index)}>{cell}</td>" for index, cell in enumerate(row)) + "</tr>" for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def _count(number: int) -> str:
    return f"{number:,}"


def _plain(value: float) -> str:
    return f"{value:,.4g}"


def _latency(seconds: float | None) -> str:
    return _DASH if seconds is None else told_duration(seconds)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%} of calls" if whole else _DASH
