"""The network as it is now, in memory: what ``GET /cp`` and ``/ws`` show.

Fed with the messages of the bus in the order they are read, by whoever reads them. Pure: it has no clock (the moment a
record arrived is passed in), reads no topic and no database, and decides nothing. Its memory is bounded by the number
of charge points, which is bounded too, whether or not anybody takes the changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evcharging.apps.ev_central.view_charge_point import ChargePointPicture
from evcharging.apps.ev_central.view_records import ChargePointRecord, LiveRecord
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import Message
from evcharging.messages.charge_points import Alert, Health, Status, StatusSource, Telemetry
from evcharging.messages.commands import Reply
from evcharging.messages.drivers import DriverUpdate
from evcharging.messages.network import SiteSignal

__all__ = ["Changes", "NetworkView"]

MOST_CHARGE_POINTS = 100_000
MOST_ALERTS = 1_000
MOST_REPLIES = 500
MOST_GONE = 10_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since changes were last taken."""

    charge_points: Sequence[str]
    gone: Sequence[str]
    alerts: Sequence[Alert]
    replies: Sequence[Reply]
    signal: SiteSignal | None

    def __bool__(self) -> bool:
        return bool(self.charge_points or self.gone or self.alerts or self.replies or self.signal)


class NetworkView:
    """Latest state, meter, bill and health of every charge point; recent alerts; the site's last signal.

    Args:
        currency: what costs are shown in until the site's first signal says otherwise.
        site_id: whose signals count; every site's where it is not given.
        most_charge_points: the bound; what is said of a charge point beyond it does not count.
    """

    def __init__(
        self, *, currency: str = "EUR", site_id: str | None = None, most_charge_points: int = MOST_CHARGE_POINTS
    ) -> None:
        self.signal: SiteSignal | None = None
        self._currency = currency
        self._site_id = site_id
        self._most = most_charge_points
        self._points: dict[str, ChargePointPicture] = {}
        self._ids: list[str] = []
        self._states: Counter[ChargePointState] = Counter()
        self._supplying: set[str] = set()
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._health_due: OrderedDict[str, datetime] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._gone: deque[str] = deque(maxlen=MOST_GONE)
        self._new_alerts: OrderedDict[str, Alert] = OrderedDict()
        self._new_replies: deque[Reply] = deque(maxlen=MOST_REPLIES)
        self._new_signal = False
        self._apply: Mapping[type[Message], Callable[[Any, datetime], bool]] = {
            Status: self._apply_status,
            Telemetry: self._apply_telemetry,
            Health: self._apply_health,
            DriverUpdate: self._apply_bill,
            Alert: self._apply_alert,
            Reply: self._apply_reply,
            SiteSignal: self._apply_signal,
        }

    def __len__(self) -> int:
        return len(self._points)

    def __contains__(self, cp_id: object) -> bool:
        return cp_id in self._points

    @property
    def currency(self) -> str:
        """What costs are in."""
        return self.signal.currency if self.signal is not None else self._currency

    @property
    def states(self) -> Mapping[ChargePointState, int]:
        """How many charge points are in each state."""
        return {state: self._states[state] for state in ChargePointState}

    @property
    def known(self) -> AbstractSet[str]:
        """The charge points there are; it follows what comes."""
        return self._points.keys()

    @property
    def supplying(self) -> AbstractSet[str]:
        """The charge points that are supplying; it follows what comes."""
        return self._supplying

    def apply(self, message: Message, received_at: datetime) -> bool:
        """Take one message in. False where it changes nothing that is shown: repeated, late, or beyond a bound."""
        apply = self._apply.get(type(message))
        return apply is not None and apply(message, received_at)

    def remember(
        self,
        cp_id: str,
        *,
        source: StatusSource | None = None,
        states: Mapping[int, ChargePointState] | None = None,
        last_seen: datetime | None = None,
    ) -> None:
        """Enter a charge point that was registered, or that a database knew of; whatever it says itself counts more."""
        self._of_point(
            cp_id,
            lambda point: point.remember(source=source, states=dict(states or {}), last_seen=last_seen),
        )

    def forget(self, cp_id: str) -> bool:
        """Take a charge point out (its status was deleted). False where there was none."""
        point = self._points.pop(cp_id, None)
        if point is None:
            return False
        self._states[point.state] -= 1
        self._supplying.discard(cp_id)
        del self._ids[bisect_left(self._ids, cp_id)]
        self._health_due.pop(cp_id, None)
        self._changed.pop(cp_id, None)
        self._gone.append(cp_id)
        return True

    def record(self, cp_id: str, now: datetime) -> ChargePointRecord | None:
        """One charge point; None where it was never heard of."""
        point = self._points.get(cp_id)
        return None if point is None else point.record(now, currency=self.currency)

    def records(self, now: datetime, *, after: str | None = None, limit: int) -> list[ChargePointRecord]:
        """Charge points by id, those after ``after``, at most ``limit``."""
        currency = self.currency
        return [self._points[cp_id].record(now, currency=currency) for cp_id in self.ids(after=after)[:limit]]

    def live_record(self, cp_id: str, now: datetime) -> LiveRecord | None:
        """One charge point as ``/ws`` tells it; None where it is gone."""
        point = self._points.get(cp_id)
        return None if point is None else point.live_record(now, currency=self.currency)

    def meter(self, cp_id: str) -> Telemetry | None:
        """The latest interval metered at a charge point."""
        point = self._points.get(cp_id)
        return None if point is None else point.meter

    def seen_at(self, cp_id: str) -> datetime | None:
        """When a charge point was last heard of: what is shown of it held then."""
        point = self._points.get(cp_id)
        return None if point is None else point.seen_at

    def ids(self, *, after: str | None = None) -> Sequence[str]:
        """The charge points' ids in order, those after ``after``."""
        return self._ids[bisect_right(self._ids, after) :] if after is not None else self._ids

    def alerts(self) -> Sequence[Alert]:
        """The last alerts, newest first."""
        return list(reversed(self._alerts.values()))

    def take_changes(self, now: datetime) -> Changes:
        """What has changed since the last call, for one caller; a health that has expired by ``now`` is a change."""
        while self._health_due:
            cp_id, due = next(iter(self._health_due.items()))
            if due > now:
                break
            del self._health_due[cp_id]
            self._touch(cp_id)
        changes = Changes(
            charge_points=list(self._changed),
            gone=[cp_id for cp_id in self._gone if cp_id not in self._points],
            alerts=list(self._new_alerts.values()),
            replies=list(self._new_replies),
            signal=self.signal if self._new_signal else None,
        )
        self._changed.clear()
        self._gone.clear()
        self._new_alerts.clear()
        self._new_replies.clear()
        self._new_signal = False
        return changes

    def _of_point(self, cp_id: str, act: Callable[[ChargePointPicture], bool | None]) -> bool:
        point = self._points.get(cp_id)
        if point is None:
            if len(self._points) >= self._most:
                return False
            point = self._points[cp_id] = ChargePointPicture(cp_id)
            insort(self._ids, cp_id)
            self._states[point.state] += 1
            self._touch(cp_id)
        before = point.state
        if act(point) is False:
            return False
        if point.state is not before:
            self._states[before] -= 1
            self._states[point.state] += 1
            if point.state is ChargePointState.SUPPLYING:
                self._supplying.add(cp_id)
            else:
                self._supplying.discard(cp_id)
        return self._touch(cp_id)

    def _apply_status(self, status: Status, received_at: datetime) -> bool:
        return self._of_point(status.cp_id, lambda point: point.apply_status(status, received_at))

    def _apply_telemetry(self, telemetry: Telemetry, received_at: datetime) -> bool:
        return self._of_point(telemetry.cp_id, lambda point: point.apply_telemetry(telemetry, received_at))

    def _apply_bill(self, update: DriverUpdate, received_at: datetime) -> bool:
        point = self._points.get(update.cp_id)  # ``any`` and mistaken ids make no charge point
        return point is not None and point.apply_bill(update, received_at) and self._touch(update.cp_id)

    def _apply_health(self, health: Health, received_at: datetime) -> bool:
        news = self._of_point(health.cp_id, lambda point: point.apply_health(health, received_at))
        point = self._points.get(health.cp_id)
        if point is not None and point.health_until is not None:
            self._health_due[health.cp_id] = point.health_until
            self._health_due.move_to_end(health.cp_id)
        return news

    def _apply_reply(self, reply: Reply, _received_at: datetime) -> bool:
        self._new_replies.append(reply)
        return True

    def _apply_alert(self, alert: Alert, _received_at: datetime) -> bool:
        before = self._alerts.get(alert.alert_id)
        if before is not None and (alert == before or alert.ts < before.ts):
            return False
        self._alerts[alert.alert_id] = self._new_alerts[alert.alert_id] = alert
        for kept in (self._alerts, self._new_alerts):
            while len(kept) > MOST_ALERTS:
                kept.popitem(last=False)
        return True

    def _apply_signal(self, signal: SiteSignal, received_at: datetime) -> bool:
        if self._site_id is not None and signal.site_id != self._site_id:
            return False
        if self.signal is not None and signal.ts < self.signal.ts <= received_at:
            return False
        if self.currency != signal.currency:
            self._changed.update(dict.fromkeys(self._points))
        self.signal = signal
        self._new_signal = True
        return True

    def _touch(self, cp_id: str) -> bool:
        self._changed[cp_id] = None
        return True
