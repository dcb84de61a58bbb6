"""What the bus counts, for Prometheus. Labels are topics and reader names: few, and known in advance."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

__all__ = [
    "CONSUMED",
    "DEAD_LETTERS",
    "DECODE_ERRORS",
    "HANDLER_RETRIES",
    "LAG",
    "PUBLISHED",
    "RECORDS_LOST",
    "STALLED_SECONDS",
    "TOMBSTONES",
    "WAITING",
]

CONSUMED = Counter("evcharging_bus_consumed_total", "Records whose handler has finished.", ["topic"])
DECODE_ERRORS = Counter("evcharging_bus_decode_errors_total", "Records that are not what their topic says.", ["topic"])
DEAD_LETTERS = Counter("evcharging_bus_dead_letters_total", "Records set aside in the dead letter topic.", ["topic"])
HANDLER_RETRIES = Counter("evcharging_bus_handler_retries_total", "Batches taken back to be handled again.", ["topic"])
TOMBSTONES = Counter("evcharging_bus_tombstones_total", "Records without a value on compacted topics.", ["topic"])
RECORDS_LOST = Counter(
    "evcharging_bus_records_lost_total", "Records that retention took before they were read.", ["topic"]
)
PUBLISHED = Counter("evcharging_bus_published_total", "Records that the broker has acknowledged.", ["topic"])
LAG = Gauge("evcharging_bus_lag_records", "Records not yet read.", ["reader"])
STALLED_SECONDS = Gauge("evcharging_bus_stalled_seconds", "How long a reader has stood still with a lag.", ["reader"])
WAITING = Gauge("evcharging_bus_waiting_records", "Records accepted and not yet acknowledged, over every bus.")
