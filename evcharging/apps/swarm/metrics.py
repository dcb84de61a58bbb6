"""What a swarm worker counts, for Prometheus. No label names a station: there may be thousands in one process."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "CALLS",
    "CALL_SECONDS",
    "CONNECTS",
    "DISCONNECTS",
    "ENERGY_KWH",
    "FENCED",
    "FRAMES_WITHHELD",
    "LEASE_HELD",
    "LEFT_WAITING",
    "LOG_LINES",
    "MESSAGES_DROPPED",
    "POWER_KW",
    "REGISTRATIONS",
    "RESTARTS",
    "STATIONS",
    "TAKEN_OVER",
    "TRANSACTIONS_BEGAN",
    "TRANSACTIONS_ENDED",
    "UNWRITTEN",
]

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

STATIONS: Final = Gauge("evcharging_swarm_stations", "Stations of this worker, by state", ["state"])
LEFT_WAITING: Final = Gauge("evcharging_swarm_stations_left_waiting", "Stations asked for that do not run here yet")
POWER_KW: Final = Gauge("evcharging_swarm_power_kw", "Power that flows into all stations, in kW")
ENERGY_KWH: Final = Counter("evcharging_swarm_energy_kwh_total", "Energy of the transactions that ended, in kWh")
CALLS: Final = Counter(
    "evcharging_swarm_calls_total", "OCPP calls that ended, by action and outcome", ["action", "outcome"]
)
CALL_SECONDS: Final = Histogram(
    "evcharging_swarm_call_seconds", "Time to the answer of an OCPP call", ["action"], buckets=_BUCKETS
)
CONNECTS: Final = Counter("evcharging_swarm_connects_total", "Websockets opened")
DISCONNECTS: Final = Counter("evcharging_swarm_disconnects_total", "Websockets lost or refused")
REGISTRATIONS: Final = Counter("evcharging_swarm_registrations_total", "Boots answered, by status", ["status"])
TRANSACTIONS_BEGAN: Final = Counter("evcharging_swarm_transactions_began_total", "Transactions begun")
TRANSACTIONS_ENDED: Final = Counter(
    "evcharging_swarm_transactions_ended_total", "Transactions ended, by reason", ["reason"]
)
MESSAGES_DROPPED: Final = Counter(
    "evcharging_swarm_messages_dropped_total", "Transaction messages given up after all attempts"
)
RESTARTS: Final = Counter("evcharging_swarm_restarts_total", "Stations that broke and were made anew")
TAKEN_OVER: Final = Counter(
    "evcharging_swarm_taken_over_total", "Stations begun with what another worker left", ["how"]
)
FENCED: Final = Counter("evcharging_swarm_fenced_total", "Stations cut here because another worker has them")
FRAMES_WITHHELD: Final = Counter(
    "evcharging_swarm_frames_withheld_total", "Frames not sent for want of the lease, or of the station"
)
LEASE_HELD: Final = Gauge("evcharging_swarm_lease_held", "Whether this worker may act for its stations")
UNWRITTEN: Final = Counter(
    "evcharging_swarm_unwritten_total", "Transaction messages sent before the log had what they say"
)
LOG_LINES: Final = Counter("evcharging_swarm_log_lines_total", "Station log lines, by what became of them", ["fate"])
