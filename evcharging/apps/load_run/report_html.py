"""The report of a run as one HTML file: figures, charts, actions, connections and the ledger, with nothing to load.

It has no script and names no other host, so it can be sent by mail and opened anywhere.
"""

from __future__ import annotations

from html import escape

from evcharging.apps.load_run.charts import Line, chart
from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.ledger import LedgerFigures
from evcharging.apps.load_run.outcome import RunOutcome
from evcharging.apps.load_run.quantities import told_duration
from evcharging.apps.load_run.report_parts import counted, latency, plain, power, section, share, table_of
from evcharging.apps.load_run.report_style import STYLE
from evcharging.apps.load_run.timeline import Point

__all__ = ["body", "page"]


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
    if outcome.cut_off:
        early += " Cut off on request: stations had no time to end what they had begun, and the ledger shows that."
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
    return section("Thresholds", table_of(("fails if", "measured", ""), rows, numbers_from=9))


def _state(good: bool) -> str:
    return '<span class="badge good">held</span>' if good else '<span class="badge bad">crossed</span>'


def _tiles(outcome: RunOutcome) -> str:
    overall, ledger, sockets = outcome.overall, outcome.ledger, outcome.connections
    not_answered = overall.timeouts + overall.lost
    tiles = (
        (
            "stations",
            counted(outcome.stations.most),
            f"{counted(sockets.stations_accepted)} accepted, {counted(sockets.connects)} connects",
            "bad" if sockets.stations_accepted < outcome.stations.most else "",
        ),
        ("calls", counted(overall.calls), f"{outcome.calls_per_s:,.1f} a second", ""),
        ("p95", latency(overall.p95_s), f"p50 {latency(overall.p50_s)}, p99 {latency(overall.p99_s)}", ""),
        ("failures", counted(overall.failed), share(overall.failed, overall.calls), "bad" if overall.failed else ""),
        (
            "not answered",
            counted(not_answered),
            f"{counted(overall.timeouts)} timeouts, {counted(overall.lost)} lost",
            "bad" if overall.timeouts else "",
        ),
        (
            "sessions",
            counted(outcome.stations.sessions),
            f"{outcome.stations.energy_kwh:,.3f} kWh",
            "",
        ),
        (
            "ledger",
            _ledger_state(ledger),
            f"{counted(ledger.acknowledged)} of {counted(ledger.began)} transactions",
            "" if ledger.empty else "good" if ledger.clean else "bad",
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
            tell=plain,
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
            tell=plain,
        ),
        chart(
            "Sockets opened and lost, a second",
            at_s,
            [
                Line("opened", "--green", [_rate(point.connects, point) for point in points]),
                Line("lost", "--red", [_rate(point.disconnects, point) for point in points]),
            ],
            tell=plain,
        ),
        chart(
            "Sessions that run",
            at_s,
            [Line("sessions", "--blue", [float(point.sessions) for point in points], filled=True)],
            tell=plain,
        ),
        chart(
            "Power of all stations",
            at_s,
            [Line("kW", "--green", [point.power_kw for point in points], filled=True)],
            tell=power,
        ),
    ]
    return section("Over time", f'<div class="charts">{"".join(drawn)}</div>')


def _rate(count: int, point: Point) -> float:
    return count / point.length_s if point.length_s else 0.0


def _actions(outcome: RunOutcome) -> str:
    columns = ("action", "calls", "answered", "timeouts", "lost", "failed", "p50", "p90", "p95", "p99", "max")
    figures = [*outcome.actions, outcome.overall]
    if outcome.background is not None:
        figures.append(outcome.background)
    table = table_of(columns, (_action(one) for one in figures), numbers_from=1)
    codes = [
        (f"<code>{escape(one.action)}</code>", f"<code>{escape(code)}</code>", counted(count))
        for one in outcome.actions
        for code, count in one.failures.items()
    ]
    failures = table_of(("action", "error code", "calls"), codes, numbers_from=2) if codes else "<p>No failures.</p>"
    return section("Actions", table) + section("Failures by code", failures)


def _action(figures: ActionFigures) -> tuple[str, ...]:
    latencies_s = (figures.p50_s, figures.p90_s, figures.p95_s, figures.p99_s, figures.max_s)
    return (
        f"<code>{escape(figures.action)}</code>",
        counted(figures.calls),
        counted(figures.answered),
        counted(figures.timeouts),
        counted(figures.lost),
        counted(figures.failed),
        *(latency(latency_s) for latency_s in latencies_s),
    )


def _ledger_state(ledger: LedgerFigures) -> str:
    if ledger.empty:
        return "empty"
    return "clean" if ledger.clean else f"{len(ledger.problems) + ledger.more_problems} open"


def _connections(outcome: RunOutcome) -> str:
    sockets, stations = outcome.connections, outcome.stations
    rows = [
        ("sockets opened", counted(sockets.connects)),
        ("of them again", counted(sockets.reconnects)),
        ("sockets lost", counted(sockets.disconnects)),
        ("sockets closed at the end of their station", counted(sockets.closed)),
        ("attempts that failed", counted(sockets.failed_attempts)),
        ("stations that connected", f"{counted(sockets.stations)} of {counted(stations.most)}"),
        ("stations that were accepted", f"{counted(sockets.stations_accepted)} of {counted(stations.most)}"),
        ("boots accepted", counted(sockets.boots_accepted)),
        ("stations made anew after a failure of their own", counted(stations.restarts)),
        ("stations cut off at the end", counted(stations.ended_by_force)),
        ("CPU of this process", told_duration(stations.cpu_s)),
        ("how late it came to its own work at the worst (latencies contain that)", told_duration(stations.late_s)),
        ("its memory at the most", f"{stations.peak_rss_mib:,.0f} MiB"),
    ]
    table = table_of(("", ""), rows, numbers_from=1)
    reasons = [(escape(reason), counted(count)) for reason, count in sockets.reasons.items()]
    if reasons:
        table += table_of(("why sockets were lost or not opened", "times"), reasons, numbers_from=1)
    ignored = [(escape(reason), counted(count)) for reason, count in outcome.ignored.items()]
    if ignored:
        table += table_of(("texts of the CSMS that were ignored", "times"), ignored, numbers_from=1)
    return section("Connections", table)


def _ledger(outcome: RunOutcome) -> str:
    ledger = outcome.ledger
    rows = [
        ("transactions begun by stations", counted(ledger.began)),
        ("ended", counted(ledger.ended)),
        ("start and end acknowledged by the CSMS", counted(ledger.acknowledged)),
        ("metered by stations", f"{ledger.metered_wh:,} Wh"),
        ("acknowledged by the CSMS", f"{ledger.acknowledged_wh:,} Wh"),
        ("messages kept while offline", counted(ledger.kept_messages)),
        ("still waiting at the end", counted(ledger.left_messages)),
        ("of those, the CSMS could not be reached", counted(ledger.unreached_messages)),
        ("given up", counted(ledger.dropped_messages)),
        ("acknowledged more than once", counted(ledger.repeated)),
    ]
    if ledger.empty:
        told = "<p>No transaction began, so there was nothing to account for.</p>"
    elif ledger.clean:
        told = '<p class="good">Every transaction and every Wh is accounted for.</p>'
    else:
        lines = "".join(f"<li>{escape(problem)}</li>" for problem in ledger.problems)
        more = f"<p>And {counted(ledger.more_problems)} more.</p>" if ledger.more_problems else ""
        told = f'<ul class="problems">{lines}</ul>{more}'
    return section("Ledger", table_of(("", ""), rows, numbers_from=1) + told)


def _faults(outcome: RunOutcome) -> str:
    if not outcome.faults:
        return ""
    rows = (
        (
            f"<code>{escape(fault.kind)}</code>",
            counted(fault.as_expected),
            counted(fault.otherwise),
            escape(", ".join(f"{name} {count}" for name, count in fault.outcomes.items())),
        )
        for fault in outcome.faults
    )
    columns = ("protocol fault", "taken as the standard says", "otherwise", "how the CSMS took it")
    return section("Protocol faults", table_of(columns, rows, numbers_from=1, last_is_text=True))


def _plan(outcome: RunOutcome) -> str:
    rows = [(escape(name), escape(value)) for name, value in outcome.plan.items()]
    return section("What was asked for", table_of(("", ""), rows, numbers_from=9))
