"""What is said over ``/ws``, encoded once for whoever listens: snapshots, and what changed in an interval.

Takes the changes of both views, so that nobody else may. Keeps no time and knows no listener.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.totals import totals_of
from evcharging.apps.ev_central.view import NetworkView
from evcharging.messages.base import rfc3339
from evcharging.messages.network import SiteSignal
from evcharging.store.simulator.session_records import Totals

__all__ = ["LiveEncoder", "Tick"]

ALERTS_IN_SNAPSHOT = 50
MOST_LINES_A_TICK = 200
"""Of more lines than this in one interval, those who listen to everything are told the last ones."""


@dataclass
class Tick:
    """What changed in one interval: by charge point or station, log lines apart, and what concerns nobody alone."""

    by_id: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    last_lines: Sequence[str] = ()
    general: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.by_id or self.lines or self.general)

    def messages(self, of: str | None) -> Sequence[str]:
        """All of it, or what concerns one charge point or station."""
        return self.all if of is None else [*self.by_id.get(of, []), *self.lines.get(of, [])]

    @cached_property
    def all(self) -> Sequence[str]:
        """Every message."""
        return [*(text for texts in self.by_id.values() for text in texts), *self.last_lines, *self.general]

    @cached_property
    def batch(self) -> str:
        """Every message, as one JSON array."""
        return f"[{','.join(self.all)}]"


class LiveEncoder:
    """Turns what two views say into texts. ``sums``: energy and money over all sessions, as last asked for."""

    def __init__(self, view: NetworkView, swarm: SwarmView) -> None:
        self._view = view
        self._swarm = swarm
        self.sums: Totals | None = None
        self._points: dict[str, str] = {}
        self._stations: dict[str, str] = {}
        self._totals: Any = None

    def begin(self, now: datetime) -> None:
        """Encode everything afresh: nobody has listened, so nothing was kept."""
        self._view.take_changes(now)
        self._swarm.take_changes()
        for cp_id in self._view.ids():
            record = self._view.live_record(cp_id, now)
            if record is not None:
                self._points[cp_id] = _text(record)
        for station_id in self._swarm.ids():
            self._encode_station(station_id)
        self._totals = None

    def clear(self) -> None:
        """Keep nothing: nobody listens any more."""
        self._points.clear()
        self._stations.clear()

    def tick(self, now: datetime) -> Tick:
        """What has changed since the last tick."""
        tick = Tick()
        self._take_points(tick, now)
        self._take_stations(tick)
        totals = totals_of(self.sums, self._view, self._swarm)
        if totals != self._totals:
            self._totals = totals
            tick.general.append(_text({"type": "totals", **totals}))
        return tick

    def snapshot(self, now: datetime) -> str:
        """Everything, as of the last tick."""
        signal = self._view.signal
        head = {
            "type": "snapshot",
            "ts": rfc3339(now),
            "totals": totals_of(self.sums, self._view, self._swarm),
            "pricing": None if signal is None else _pricing(signal),
            "alerts": [alert.model_dump(mode="json") for alert in self._view.alerts()[:ALERTS_IN_SNAPSHOT]],
        }
        return _frame(head, self._points.values(), self._stations.values())

    def snapshot_of(self, of: str, now: datetime) -> str:
        """One charge point or station, as of the last tick."""
        point, station = self._points.get(of), self._stations.get(of)
        head = {"type": "snapshot", "ts": rfc3339(now)}
        return _frame(head, [point] if point else [], [station] if station else [])

    def last_lines(self, of: str) -> list[str]:
        """The last lines of a station's log."""
        return [_line(of, line) for line in self._swarm.lines(of)]

    def _take_points(self, tick: Tick, now: datetime) -> None:
        changes = self._view.take_changes(now)
        for cp_id in changes.charge_points:
            record = self._view.live_record(cp_id, now)
            if record is not None:
                text = self._points[cp_id] = _text(record)
                tick.by_id[cp_id] = [text]
        for cp_id in changes.gone:
            self._points.pop(cp_id, None)
            tick.by_id[cp_id] = [_text({"type": "gone", "unit_id": cp_id})]
        for alert in changes.alerts:
            text = _text({"type": "alert", **alert.model_dump(mode="json")})
            tick.by_id.setdefault(alert.cp_id, []).append(text)
        for reply in changes.replies:
            text = _text({"type": "reply", **reply.model_dump(mode="json", exclude={"payload"})})
            tick.by_id.setdefault(reply.cp_id, []).append(text)
        if changes.signal is not None:
            tick.general.append(_text({"type": "pricing", **_pricing(changes.signal)}))

    def _take_stations(self, tick: Tick) -> None:
        changes = self._swarm.take_changes()
        for station_id in changes.stations:
            text = self._encode_station(station_id)
            if text is not None:
                tick.by_id.setdefault(station_id, []).append(text)
        for station_id in changes.gone:
            self._stations.pop(station_id, None)
            tick.by_id.setdefault(station_id, []).append(_text({"type": "gone", "station_id": station_id}))
        for line in changes.lines:
            tick.lines.setdefault(line.station_id, []).append(_line(line.station_id, line.line))
        tick.last_lines = [_line(line.station_id, line.line) for line in changes.lines[-MOST_LINES_A_TICK:]]

    def _encode_station(self, station_id: str) -> str | None:
        for record in self._swarm.encoded([station_id]):
            text = self._stations[station_id] = f'{{"type":"station",{record.decode()[1:]}'
            return text
        return None


def _pricing(signal: SiteSignal) -> dict[str, Any]:
    return {"price": signal.price_per_kwh, "solar_price": signal.solar_price_per_kwh, "currency": signal.currency}


def _line(station_id: str, line: str) -> str:
    return _text({"type": "log", "station_id": station_id, "line": line})


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _frame(head: dict[str, Any], points: Iterable[str], stations: Iterable[str]) -> str:
    return f'{_text(head)[:-1]},"cp":[{",".join(points)}],"stations":[{",".join(stations)}]}}'
