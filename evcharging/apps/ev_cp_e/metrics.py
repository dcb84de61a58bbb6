"""What an engine counts, for Prometheus. No label names a charge point: there may be hundreds in one process."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = [
    "CAN_FRAMES_DROPPED",
    "CHARGE_POINTS",
    "COMMANDS",
    "ENERGY_WH",
    "FAULTS",
    "HELD",
    "ORDERS_NOT_SENT",
    "POWER_KW",
    "SESSIONS_ENDED",
    "SESSIONS_STARTED",
    "TELEMETRY",
]

CHARGE_POINTS: Final = Gauge("evcharging_engine_charge_points", "Charge points by state", ["state"])
POWER_KW: Final = Gauge("evcharging_engine_power_kw", "Power that flows into all sessions, in kW")
SESSIONS_STARTED: Final = Counter("evcharging_engine_sessions_started_total", "Sessions begun or resumed", ["how"])
SESSIONS_ENDED: Final = Counter("evcharging_engine_sessions_ended_total", "Sessions ended, by reason", ["reason"])
ENERGY_WH: Final = Counter("evcharging_engine_energy_wh_total", "Energy metered, by source, in Wh", ["source"])
TELEMETRY: Final = Counter("evcharging_engine_telemetry_total", "Intervals published")
COMMANDS: Final = Counter("evcharging_engine_commands_total", "Commands answered, by outcome", ["outcome"])
FAULTS: Final = Counter("evcharging_engine_faults_total", "Times a charge point went to FAULT, by kind", ["kind"])
CAN_FRAMES_DROPPED: Final = Gauge("evcharging_engine_can_frames_dropped", "CAN frames not believed or not taken")
ORDERS_NOT_SENT: Final = Counter(
    "evcharging_engine_can_orders_not_sent_total", "Orders to a charger that did not go out"
)
HELD: Final = Gauge("evcharging_engine_events_held", "Events waiting for the bus")
