"""The tables of the gateways' database. Gateways alone write it; Central may read it.

Several gateways share one database, so what must be unique is a unique index and never a look before a write. A
transaction is one session: the row holds what the standard calls the transaction and where its metering stands.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from evcharging.store.types import ExactDecimal, ForeignText, UtcDateTime

__all__ = [
    "SCHEMA",
    "boots",
    "charging_profiles",
    "commands",
    "configuration",
    "connectors",
    "data_transfers",
    "gateways",
    "local_list_entries",
    "local_lists",
    "maintenance",
    "metadata",
    "outbox",
    "registered_configuration",
    "rejected_messages",
    "remote_starts",
    "reservations",
    "sockets",
    "transactions",
]

SCHEMA = "gateway"
metadata = MetaData()
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

transactions = Table(
    "transactions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("cp_id", String(48), nullable=False),
    Column("transaction_id", ForeignText(36), nullable=False),
    # The same as a number, where the gateway gave it (1.6); unknown stops have none.
    Column("number", Integer, unique=True),
    # What a repeat of the same start, or of the same stop without a start, is recognised by.
    Column("content_key", String(64), nullable=False, unique=True),
    # False where only the end was ever heard of.
    Column("start_known", Boolean, nullable=False, default=True),
    Column("connector_id", Integer, nullable=False),
    Column("id_tag", ForeignText(36)),
    Column("id_tag_status", String(16)),
    Column("driver_id", String(64)),
    Column("command_id", String(64)),
    Column("reservation_id", Integer),
    Column("target_wh", ExactDecimal),
    Column("meter_start_wh", ExactDecimal),
    Column("meter_stop_wh", ExactDecimal),
    Column("started_at", UtcDateTime),
    Column("stopped_at", UtcDateTime),
    # The station's word for it (1.6, section 7.36), and the reason on the session's record.
    Column("stop_reason", ForeignText(32)),
    Column("end_reason", String(64)),
    Column("stop_id_tag", ForeignText(36)),
    Column("transaction_data", JSON),
    # Why the gateway asked the station to stop it.
    Column("stop_requested", String(64)),
    # True where the station never said that it ended.
    Column("closed_by_gateway", Boolean, nullable=False, default=False),
    Column("last_seq", Integer, nullable=False, default=0),
    Column("register_wh", ExactDecimal),
    Column("interval_wh", ExactDecimal),
    Column("interval_start", UtcDateTime),
    Column("interval_end", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index(
        "open_transactions",
        "cp_id",
        sqlite_where=text("stopped_at IS NULL"),
        postgresql_where=text("stopped_at IS NULL"),
    ),
    Index("transactions_by_charge_point", "cp_id", "created_at"),
    Index("transactions_by_wire_id", "cp_id", "transaction_id"),
)

remote_starts = Table(
    "remote_starts",
    metadata,
    Column("remote_start_id", Integer, primary_key=True, autoincrement=False),
    Column("command_id", String(64), nullable=False, unique=True),
    Column("cp_id", String(48), nullable=False),
    Column("connector_id", Integer),
    Column("id_tag", ForeignText(36), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("driver_id", String(64)),
    Column("target_wh", ExactDecimal),
    # Set where the session was ended before the station began it.
    Column("stop_requested", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("consumed_at", UtcDateTime),
    Index("remote_starts_by_charge_point", "cp_id"),
    Index("remote_starts_by_session", "session_id"),
)

boots = Table(
    "boots",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("version", String(8), nullable=False),
    Column("vendor", ForeignText(50)),
    Column("model", ForeignText(50)),
    Column("serial_number", ForeignText(50)),
    Column("firmware_version", ForeignText(50)),
    Column("reason", ForeignText(32)),
    Column("details", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("booted_at", UtcDateTime, nullable=False),
)

connectors = Table(
    "connectors",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("connector_id", Integer, primary_key=True, autoincrement=False),
    Column("status", String(32), nullable=False),
    Column("error_code", ForeignText(64)),
    Column("info", ForeignText(100)),
    Column("vendor_error_code", ForeignText(100)),
    Column("reported_at", UtcDateTime, nullable=False),
)

sockets = Table(
    "sockets",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    # Which run of which gateway has the newest socket, and which of its sockets it is.
    Column("gateway", String(64), nullable=False),
    Column("socket_id", String(64), nullable=False),
    Column("connected_at", UtcDateTime, nullable=False),
    Column("gone_at", UtcDateTime),
)

gateways = Table(
    "gateways",
    metadata,
    # A run of a gateway; one that has not been seen for a minute is over, whatever became of it.
    Column("gateway", String(64), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("reservation_id", Integer, primary_key=True, autoincrement=False),
    Column("connector_id", Integer, nullable=False),
    Column("id_tag", ForeignText(36), nullable=False),
    Column("parent_id_tag", ForeignText(36)),
    Column("expires_at", UtcDateTime, nullable=False),
    # Active, Used, Cancelled; past expires_at an active one is Expired, whoever reads it.
    Column("status", String(16), nullable=False),
    Column("session_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

local_lists = Table(
    "local_lists",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    # As last sent and accepted, and as the station last said.
    Column("sent_version", Integer),
    Column("reported_version", Integer),
    Column("changed_at", UtcDateTime, nullable=False),
)

local_list_entries = Table(
    "local_list_entries",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("id_tag", ForeignText(36), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("expires_at", UtcDateTime),
    Column("parent_id_tag", ForeignText(36)),
)

configuration = Table(
    "configuration",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("key", ForeignText(255), primary_key=True),
    Column("value", ForeignText()),
    Column("readonly", Boolean, nullable=False, default=False),
    Column("reboot_required", Boolean, nullable=False, default=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

registered_configuration = Table(
    "registered_configuration",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("key", ForeignText(255), primary_key=True),
    Column("value", ForeignText(), nullable=False),
    # the station's own word, or that there was none
    Column("answer", ForeignText(32), nullable=False),
    Column("detail", ForeignText(200)),
    Column("answered_at", UtcDateTime, nullable=False),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    # firmware or diagnostics
    Column("kind", String(16), primary_key=True),
    Column("status", String(32), nullable=False),
    Column("location", ForeignText(512)),
    Column("file_name", ForeignText(255)),
    Column("requested_at", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False),
)

charging_profiles = Table(
    "charging_profiles",
    metadata,
    Column("cp_id", String(48), primary_key=True),
    Column("profile_id", Integer, primary_key=True, autoincrement=False),
    Column("connector_id", Integer, nullable=False),
    Column("stack_level", Integer, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("transaction_id", ForeignText(36)),
    Column("profile", JSON, nullable=False),
    Column("installed_at", UtcDateTime, nullable=False),
)

data_transfers = Table(
    "data_transfers",
    metadata,
    Column("transfer_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("cp_id", String(48), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("vendor_id", ForeignText(255), nullable=False),
    Column("message_id", ForeignText(50)),
    Column("data", ForeignText()),
    Column("status", String(32), nullable=False),
    Column("answer", ForeignText()),
    Column("at", UtcDateTime, nullable=False),
    Index("data_transfers_by_charge_point", "cp_id", "transfer_id"),
    sqlite_autoincrement=True,
)

rejected_messages = Table(
    "rejected_messages",
    metadata,
    Column("rejected_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("cp_id", String(48), nullable=False),
    Column("action", ForeignText(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("error", ForeignText(500), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("rejected_messages_by_charge_point", "cp_id", "rejected_id"),
    sqlite_autoincrement=True,
)

commands = Table(
    "commands",
    metadata,
    Column("command_id", String(64), primary_key=True),
    Column("cp_id", String(48), nullable=False),
    Column("action", ForeignText(16), nullable=False),
    Column("gateway", String(64), nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("outcome", String(16)),
    # The reply as it was published, to be given again.
    Column("reply", LargeBinary),
    Column("answered_at", UtcDateTime),
    Index("commands_by_time", "taken_at"),
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
