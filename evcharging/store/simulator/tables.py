"""The tables of Central's database.

Energy and money are kept as exact decimals, so that a sum of intervals is the sum and not nearly the sum.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from evcharging.store.types import ExactDecimal, UtcDateTime

__all__ = [
    "SCHEMA",
    "charge_points",
    "charging_profiles",
    "commands",
    "idempotency_keys",
    "inbox",
    "metadata",
    "ocpp_stations",
    "outbox",
    "requests",
    "reservations",
    "session_totals",
    "sessions",
    "swarm_stations",
    "tariffs",
    "tokens",
]

SCHEMA = "simulator"
metadata = MetaData()
ROW_ID = BigInteger().with_variant(Integer, "sqlite")
HAS_ITS_CONNECTOR = "status = 'ACTIVE' AND phase <> 'ENDING'"
"""A session that has ended and only waits for intervals leaves its connector to the next."""

charge_points = Table(
    "charge_points",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("state_reason", String(120)),
    Column("connectors", JSON, nullable=False),
    Column("connector_count", Integer, nullable=False, server_default="1"),
    Column("ocpp_version", String(8)),
    Column("administrative_stop", Boolean, nullable=False, default=False),
    Column("source", String(8)),
    Column("location", String(200)),
    Column("price_per_kwh", ExactDecimal),
    Column("rating_kw", Float),
    Column("health_url", String(500)),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime),
    Column("last_assigned_at", UtcDateTime),
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("driver_id", String(64), nullable=False),
    Column("cp_id", String(48), nullable=False),
    Column("connector_id", Integer),
    Column("kwh", Float),
    Column("status", String(16), nullable=False),
    Column("reason", String(120)),
    Column("session_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("request_id", String(64), nullable=False, unique=True),
    Column("cp_id", String(48), nullable=False),
    Column("connector_id", Integer, nullable=False),
    Column("driver_id", String(64), nullable=False),
    Column("source", String(8), nullable=False),
    Column("status", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("reason", String(120)),
    Column("target_kwh", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Column("start_deadline", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("last_contact_at", UtcDateTime),
    Column("last_seq", Integer, nullable=False, default=0),
    Column("missing_seqs", JSON, nullable=False),
    Column("expected_seq", Integer),
    Column("energy_wh", ExactDecimal, nullable=False),
    Column("solar_wh", ExactDecimal, nullable=False),
    Column("grid_wh", ExactDecimal, nullable=False),
    Column("register_start_wh", ExactDecimal),
    Column("register_end_wh", ExactDecimal),
    Column("cost", ExactDecimal, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amended_at", UtcDateTime),
    Index(
        "one_active_session_per_connector",
        "cp_id",
        "connector_id",
        unique=True,
        sqlite_where=text(HAS_ITS_CONNECTOR),
        postgresql_where=text(HAS_ITS_CONNECTOR),
    ),
    Index("sessions_by_charge_point", "cp_id", "created_at"),
    Index("sessions_by_time", "created_at", "session_id"),
    Index(
        "active_sessions",
        "cp_id",
        sqlite_where=text("status = 'ACTIVE'"),
        postgresql_where=text("status = 'ACTIVE'"),
    ),
)

session_totals = Table(
    "session_totals",
    metadata,
    # Of the sessions that have ended; kept by `evcharging.store.simulator.session_totals`.
    Column("currency", String(3), primary_key=True),
    Column("energy_wh", ExactDecimal, nullable=False),
    # The sum of the bills, each rounded for itself.
    Column("billed", ExactDecimal, nullable=False),
)

commands = Table(
    "commands",
    metadata,
    Column("command_id", String(64), primary_key=True),
    Column("cp_id", String(48), nullable=False),
    Column("action", String(16), nullable=False),
    Column("session_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("outcome", String(16)),
    Column("error_code", String(64)),
    Column("error_description", String(500)),
    Column("answered_at", UtcDateTime),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id_tag", String(20), primary_key=True),
    # OCPP compares idTags without regard to case (1.6, CiString20Type).
    Column("folded", String(20), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("expires_at", UtcDateTime),
    Column("parent_id_tag", String(20)),
    Column("driver_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("tokens_by_driver", "driver_id"),
)

charging_profiles = Table(
    "charging_profiles",
    metadata,
    Column("profile_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("description", String(200), nullable=False),
    Column("ocpp_version", String(8), nullable=False),
    Column("profile", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

ocpp_stations = Table(
    "ocpp_stations",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("password_hash", String(255)),
    Column("security_profile", Integer, nullable=False),
    Column("boot_status", String(16), nullable=False),
    Column("heartbeat_interval_s", Integer),
    Column("configuration", JSON),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", Integer, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False, unique=True),
    Column("command_id", String(64), nullable=False, unique=True),
    Column("driver_id", String(64), nullable=False),
    Column("cp_id", String(48), nullable=False),
    Column("connector_id", Integer, nullable=False),
    Column("id_tag", String(20), nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(
        "reservations_that_stand",
        "cp_id",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

tariffs = Table(
    "tariffs",
    metadata,
    Column("tariff_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("price_per_kwh", ExactDecimal, nullable=False),
    Column("solar_price_per_kwh", ExactDecimal),
    Column("currency", String(3), nullable=False),
    Index("tariffs_by_time", "valid_from"),
)

swarm_stations = Table(
    "swarm_stations",
    metadata,
    Column("station_id", String(48), primary_key=True),
    Column("running", Boolean, nullable=False),
    Column("profile", String(64), nullable=False),
    Column("csms_url", String(500)),
    Column("ocpp_version", String(8)),
    Column("changed_at", UtcDateTime, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("message_id", String(120), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Index("inbox_by_time", "received_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("event_id", String(120), nullable=False, unique=True),
    Column("topic", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("source", String(64), nullable=False),
    Column("traceparent", String(64)),
    Column("owner", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime),
    Index(
        "outbox_waiting",
        "outbox_id",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("route", String(300), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("headers", JSON),
    Column("body", LargeBinary),
    Column("created_at", UtcDateTime, nullable=False),
)
