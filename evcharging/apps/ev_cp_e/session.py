"""The metering of one session: the charger's register, cut into numbered intervals that leave nothing out.

Interval ``n + 1`` begins where interval ``n`` ended, in time and on the register, so the sum of the energies is what
the register rose by, whatever happened in between. Money here is for display: Central prices the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final

from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import ChargerSpec
from evcharging.domain.energy import REGISTER_RESOLUTION_WH, WH_PER_KWH, exact_wh
from evcharging.domain.sessions import FIRST_SEQ
from evcharging.messages.charge_points import Telemetry

__all__ = ["CONNECTOR_ID", "MeteredSession", "SessionTerms", "measured_kw"]

CONNECTOR_ID: Final = 1
"""An engine's charge point has one outlet."""


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What holds for every session of a charge point.

    Attributes:
        spec: the charger's rating plate; it says how many phases the measured current flows in.
        kw_rate: the most power offered, in kW.
        euro_rate: price shown, per kWh.
        session_seconds: wall time after which a session ends; 0: at its target energy, or when the battery is full.
        time_scale: simulated seconds per second of wall time at the charger.
    """

    spec: ChargerSpec
    kw_rate: float = 22.0
    euro_rate: Decimal = Decimal("0.30")
    session_seconds: float = 10.0
    time_scale: float = 1.0

    @property
    def rating_kw(self) -> float:
        """The most this charge point delivers, in kW."""
        return min(self.kw_rate, self.spec.rated_kw)


def measured_kw(readings: ChargerReadings, spec: ChargerSpec) -> float:
    """The power that flows, in kW, from the measured current and voltage; 0 until both are known."""
    if readings.current_a is None:
        return 0.0
    voltage_v = readings.voltage_v if readings.voltage_v is not None else spec.voltage_v
    return readings.current_a * voltage_v * spec.phases / 1000.0


class MeteredSession:
    """One session, from the register at its start on.

    Args:
        session_id, driver_id: as the command named them.
        cp_id: the charge point.
        terms: see `SessionTerms`.
        register_start_wh: the register before the first energy flowed.
        started_at: where the first interval begins.
        target_wh: energy at which the session ends, None without one.
        last_seq, register_wh, interval_start, solar_wh: where an earlier engine left off; for a new session they follow
            from the rest.
        elapsed_s: how long an earlier engine had the session under way.
        traceparent: of the command that began it.
    """

    def __init__(
        self,
        *,
        session_id: str,
        driver_id: str | None,
        cp_id: str,
        terms: SessionTerms,
        register_start_wh: Decimal,
        started_at: datetime,
        target_wh: Decimal | None = None,
        last_seq: int = FIRST_SEQ - 1,
        register_wh: Decimal | None = None,
        elapsed_s: float = 0.0,
        traceparent: str | None = None,
    ) -> None:
        self.session_id = session_id
        self.driver_id = driver_id
        self.target_wh = target_wh
        self.register_start_wh = register_start_wh
        self.elapsed_s = elapsed_s
        self.traceparent = traceparent
        self.last_seq = last_seq
        self.register_wh = register_start_wh if register_wh is None else register_wh
        self.interval_start = started_at
        self._cp_id = cp_id
        self._terms = terms

    @property
    def energy_wh(self) -> Decimal:
        """What has been metered so far."""
        return self.register_wh - self.register_start_wh

    @property
    def kwh(self) -> Decimal:
        """The same in kWh."""
        return self.energy_wh / WH_PER_KWH

    @property
    def euros(self) -> Decimal:
        """What it comes to at the engine's rate, for display."""
        return self.kwh * self._terms.euro_rate

    def close_interval(self, at: datetime, readings: ChargerReadings, *, solar_fraction: float = 0.0) -> Telemetry:
        """End the interval that is open with the register as it is known now, and open the next.

        ``solar_fraction`` is the part of its energy that the sun gave, from 0 to 1; it is cut down to 0.1 Wh.

        A clock that was set back does not make an interval end before it began, nor a register that fell one of less
        than nothing: the charger's meter is then another one, and the session's own ends where it was.
        """
        end = max(at, self.interval_start)
        register_wh = self.register_wh
        if readings.register_wh is not None:
            register_wh = max(register_wh, exact_wh(readings.register_wh))
        energy_wh = register_wh - self.register_wh
        solar_wh = _part_of(energy_wh, solar_fraction)
        start, self.interval_start = self.interval_start, end
        self.register_wh = register_wh
        self.last_seq += 1
        return Telemetry(
            ts=end,
            cp_id=self._cp_id,
            connector_id=CONNECTOR_ID,
            session_id=self.session_id,
            driver_id=self.driver_id,
            seq=self.last_seq,
            interval_start=start,
            interval_end=end,
            register_wh=float(register_wh),
            energy_wh=float(energy_wh),
            solar_wh=float(solar_wh),
            grid_wh=float(energy_wh - solar_wh),
            kw=round(measured_kw(readings, self._terms.spec), 3),
            kwh=float(self.kwh),
            euros=round(float(self.euros), 4),
            soc=readings.soc,
            amps=readings.current_a,
            volts=readings.voltage_v,
            temperature_c=readings.temperature_c,
        )


def _part_of(energy_wh: Decimal, fraction: float) -> Decimal:
    if fraction >= 1.0:
        return energy_wh
    return (energy_wh * Decimal(fraction)).quantize(REGISTER_RESOLUTION_WH, rounding=ROUND_DOWN)
