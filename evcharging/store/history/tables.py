"""The tables of the history.

Each row has a number that only grows and a moment, so that the oldest are found without an index of their own. Nothing
here refers to another table: a row can be forgotten for itself.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from evcharging.store.types import UtcDateTime

__all__ = ["SCHEMA", "alerts", "frames", "metadata", "snapshots", "station_logs"]

SCHEMA = "history"
metadata = MetaData()
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

station_logs = Table(
    "station_logs",
    metadata,
    Column("row_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("station_id", String(48), nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("line", Text, nullable=False),
    Index("station_logs_by_station", "station_id", "row_id"),
    sqlite_autoincrement=True,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("row_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("station_id", String(48), nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("kw", Float, nullable=False),
    Column("kwh", Float, nullable=False),
    UniqueConstraint("station_id", "ts", name="one_snapshot_a_moment"),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    metadata,
    Column("row_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("alert_id", String(120), nullable=False, unique=True),
    Column("cp_id", String(48), nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("detail", Text),
    Column("detector", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("source", String(16)),
    Index("alerts_by_charge_point", "cp_id", "row_id"),
    sqlite_autoincrement=True,
)

frames = Table(
    "frames",
    metadata,
    Column("row_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("cp_id", String(48), nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("direction", String(3), nullable=False),
    Column("message_type", Integer),
    Column("action", Text),
    Column("message_id", Text),
    Column("frame", Text, nullable=False),
    Index("frames_by_charge_point", "cp_id", "row_id"),
    sqlite_autoincrement=True,
)
