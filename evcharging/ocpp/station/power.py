"""What a connector may offer now: the least of its rating, its charging profiles, and what the policy leaves.

Limits follow charging schedules by a timer at the next change, never by polling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evcharging.domain.charging_profile_rules import ActiveTransaction, check_profile
from evcharging.domain.charging_schedules import ChargingProfile, RateUnit, Schedule, Supply
from evcharging.domain.levels import ChargerSpec
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.connector import Connector

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

WHOLE_STATION: Final = 0
_LEAST_TIMER_S: Final = 0.05


class Power:
    """The current on offer at the connectors of one station."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def install(self, connector_id: int, profile: ChargingProfile, *, replace_same_level: bool = True) -> None:
        """Take a charging profile and act on it. Raises ProfileRejected."""
        connector = self._station.connector(connector_id)
        self._station.profiles.install(
            connector_id,
            profile,
            now_s=self._station.clock.now_s(),
            transaction=None if connector is None else active(connector),
            replace_same_level=replace_same_level,
        )
        self.apply_all()

    def check_for_start(self, connector: Connector, profile: ChargingProfile) -> None:
        """Return if a profile may come with a transaction that is about to begin. Raises ProfileRejected."""
        about_to = ActiveTransaction(None, self._station.clock.now_s())
        check_profile(connector.number, profile, self._station.profiles.rules, about_to)

    def apply_all(self) -> None:
        """Bring every connector's offer up to date."""
        for connector in self._station.connectors:
            self.apply(connector)
        self._station.listener.changed(self._station.settings.station_id)

    def apply(self, connector: Connector) -> None:
        """Bring a connector's offer up to date, and come back when it may change next."""
        limit_amps = self.limit_amps(connector)
        reading = connector.read()
        if limit_amps != reading.limit_amps:
            connector.charger.set_limit_amps(limit_amps)
            connector.refresh()
            if connector.transaction is not None:
                self._station.log(wording.limit_changed(connector.number, connector.reading.limit_amps))
        self._come_back(connector)

    def limit_amps(self, connector: Connector) -> float:
        """Return what a connector may offer now, in A per phase."""
        station, spec = self._station, connector.charger.spec
        transaction = connector.transaction
        limit_amps = spec.rated_amps
        if transaction is not None:
            limit_amps *= transaction.factor
            if transaction.allowance_wh is not None and connector.reading.register_wh >= transaction.allowance_wh:
                return 0.0
        if not station.profiles.installed:
            return limit_amps
        now_s = station.clock.now_s()
        begun_s = None if transaction is None else transaction.record.started_at_s
        own_amps = station.profiles.limit_amps_at(
            now_s, connector.number, supply=supply(spec), transaction_start_s=begun_s
        )
        if own_amps is not None:
            limit_amps = min(limit_amps, own_amps)
        whole_amps = station.profiles.limit_amps_at(
            now_s, WHOLE_STATION, supply=supply(spec), transaction_start_s=begun_s
        )
        if whole_amps is not None:
            limit_amps = min(limit_amps, whole_amps / max(1, self._running()))
        return limit_amps

    def composite(self, connector_id: int, duration_s: float, unit: RateUnit | None) -> Schedule:
        """Return what may be charged from now on, for GetCompositeSchedule."""
        station = self._station
        connector = station.connector(connector_id)
        running = None if connector is None else connector.transaction
        spec = station.connectors[0].charger.spec if connector is None else connector.charger.spec
        shares = len(station.connectors) if connector is None else 1
        return station.profiles.composite(
            connector_id,
            start_s=float(int(station.clock.now_s())),
            duration_s=duration_s,
            supply=supply(spec),
            rated_amps=spec.rated_amps * shares,
            transaction_start_s=None if running is None else running.record.started_at_s,
            unit=unit,
        )

    def _running(self) -> int:
        return sum(connector.transaction is not None for connector in self._station.connectors)

    def _come_back(self, connector: Connector) -> None:
        if connector.limit_timer is not None:
            connector.limit_timer.cancel()
            connector.limit_timer = None
        station, transaction = self._station, connector.transaction
        if transaction is None or not station.profiles.installed:
            return
        now_s = station.clock.now_s()
        change_s = station.profiles.next_change_s(
            now_s, connector.number, transaction_start_s=transaction.record.started_at_s
        )
        if change_s is not None:
            delay_s = max(_LEAST_TIMER_S, change_s - now_s)
            connector.limit_timer = station.clock.call_later(delay_s, lambda: self.apply(connector))


def supply(spec: ChargerSpec) -> Supply:
    """Return what limits in W are converted with at an outlet."""
    return Supply(spec.voltage_v, spec.phases)


def active(connector: Connector) -> ActiveTransaction | None:
    """Return the transaction that a TxProfile for this connector can be for."""
    if connector.transaction is None:
        return None
    record = connector.transaction.record
    return ActiveTransaction(record.transaction_id, record.started_at_s)
