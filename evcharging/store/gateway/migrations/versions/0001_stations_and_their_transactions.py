"""Create the tables of the gateways."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evcharging.store.types import ExactDecimal, ForeignText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "boots",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("version", sa.String(length=8), nullable=False),
        sa.Column("vendor", ForeignText(length=50), nullable=True),
        sa.Column("model", ForeignText(length=50), nullable=True),
        sa.Column("serial_number", ForeignText(length=50), nullable=True),
        sa.Column("firmware_version", ForeignText(length=50), nullable=True),
        sa.Column("reason", ForeignText(length=32), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("booted_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id"),
    )
    op.create_table(
        "charging_profiles",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("profile_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("stack_level", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("transaction_id", ForeignText(length=36), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("installed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "profile_id"),
    )
    op.create_table(
        "commands",
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("action", ForeignText(length=16), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("taken_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("command_id"),
    )
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.create_index("commands_by_time", ["taken_at"], unique=False)

    op.create_table(
        "configuration",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("key", ForeignText(length=255), nullable=False),
        sa.Column("value", ForeignText(), nullable=True),
        sa.Column("readonly", sa.Boolean(), nullable=False),
        sa.Column("reboot_required", sa.Boolean(), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "key"),
    )
    op.create_table(
        "connectors",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("connector_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("error_code", ForeignText(length=64), nullable=True),
        sa.Column("info", ForeignText(length=100), nullable=True),
        sa.Column("vendor_error_code", ForeignText(length=100), nullable=True),
        sa.Column("reported_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "connector_id"),
    )
    op.create_table(
        "data_transfers",
        sa.Column(
            "transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("vendor_id", ForeignText(length=255), nullable=False),
        sa.Column("message_id", ForeignText(length=50), nullable=True),
        sa.Column("data", ForeignText(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("answer", ForeignText(), nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("transfer_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("data_transfers", schema=None) as batch_op:
        batch_op.create_index("data_transfers_by_charge_point", ["cp_id", "transfer_id"], unique=False)

    op.create_table(
        "gateways",
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway"),
    )
    op.create_table(
        "local_list_entries",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("id_tag", ForeignText(length=36), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("parent_id_tag", ForeignText(length=36), nullable=True),
        sa.PrimaryKeyConstraint("cp_id", "id_tag"),
    )
    op.create_table(
        "local_lists",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("sent_version", sa.Integer(), nullable=True),
        sa.Column("reported_version", sa.Integer(), nullable=True),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id"),
    )
    op.create_table(
        "maintenance",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("location", ForeignText(length=512), nullable=True),
        sa.Column("file_name", ForeignText(length=255), nullable=True),
        sa.Column("requested_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "kind"),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.String(length=120), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("traceparent", sa.String(length=64), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("published_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id"),
        sa.UniqueConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            "outbox_waiting",
            ["outbox_id"],
            unique=False,
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )

    op.create_table(
        "rejected_messages",
        sa.Column(
            "rejected_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("action", ForeignText(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("error", ForeignText(length=500), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rejected_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("rejected_messages", schema=None) as batch_op:
        batch_op.create_index("rejected_messages_by_charge_point", ["cp_id", "rejected_id"], unique=False)

    op.create_table(
        "remote_starts",
        sa.Column("remote_start_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=True),
        sa.Column("id_tag", ForeignText(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("driver_id", sa.String(length=64), nullable=True),
        sa.Column("target_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("stop_requested", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("remote_start_id"),
        sa.UniqueConstraint("command_id"),
    )
    with op.batch_alter_table("remote_starts", schema=None) as batch_op:
        batch_op.create_index("remote_starts_by_charge_point", ["cp_id"], unique=False)
        batch_op.create_index("remote_starts_by_session", ["session_id"], unique=False)

    op.create_table(
        "reservations",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("reservation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("id_tag", ForeignText(length=36), nullable=False),
        sa.Column("parent_id_tag", ForeignText(length=36), nullable=True),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "reservation_id"),
    )
    op.create_table(
        "sockets",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("socket_id", sa.String(length=64), nullable=False),
        sa.Column("connected_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("gone_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cp_id"),
    )
    op.create_table(
        "transactions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("transaction_id", ForeignText(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("content_key", sa.String(length=64), nullable=False),
        sa.Column("start_known", sa.Boolean(), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("id_tag", ForeignText(length=36), nullable=True),
        sa.Column("id_tag_status", sa.String(length=16), nullable=True),
        sa.Column("driver_id", sa.String(length=64), nullable=True),
        sa.Column("command_id", sa.String(length=64), nullable=True),
        sa.Column("reservation_id", sa.Integer(), nullable=True),
        sa.Column("target_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("meter_start_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("meter_stop_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("stop_reason", ForeignText(length=32), nullable=True),
        sa.Column("end_reason", sa.String(length=64), nullable=True),
        sa.Column("stop_id_tag", ForeignText(length=36), nullable=True),
        sa.Column("transaction_data", sa.JSON(), nullable=True),
        sa.Column("stop_requested", sa.String(length=64), nullable=True),
        sa.Column("closed_by_gateway", sa.Boolean(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("register_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("interval_wh", ExactDecimal(length=64), nullable=True),
        sa.Column("interval_start", UtcDateTime(timezone=True), nullable=True),
        sa.Column("interval_end", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
        sa.UniqueConstraint("content_key"),
        sa.UniqueConstraint("number"),
    )
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(
            "open_transactions",
            ["cp_id"],
            unique=False,
            sqlite_where=sa.text("stopped_at IS NULL"),
            postgresql_where=sa.text("stopped_at IS NULL"),
        )
        batch_op.create_index("transactions_by_charge_point", ["cp_id", "created_at"], unique=False)
        batch_op.create_index("transactions_by_wire_id", ["cp_id", "transaction_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index("transactions_by_wire_id")
        batch_op.drop_index("transactions_by_charge_point")
        batch_op.drop_index(
            "open_transactions",
            sqlite_where=sa.text("stopped_at IS NULL"),
            postgresql_where=sa.text("stopped_at IS NULL"),
        )

    op.drop_table("transactions")
    op.drop_table("sockets")
    op.drop_table("reservations")
    with op.batch_alter_table("remote_starts", schema=None) as batch_op:
        batch_op.drop_index("remote_starts_by_session")
        batch_op.drop_index("remote_starts_by_charge_point")

    op.drop_table("remote_starts")
    with op.batch_alter_table("rejected_messages", schema=None) as batch_op:
        batch_op.drop_index("rejected_messages_by_charge_point")

    op.drop_table("rejected_messages")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "outbox_waiting",
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )

    op.drop_table("outbox")
    op.drop_table("maintenance")
    op.drop_table("local_lists")
    op.drop_table("local_list_entries")
    op.drop_table("gateways")
    with op.batch_alter_table("data_transfers", schema=None) as batch_op:
        batch_op.drop_index("data_transfers_by_charge_point")

    op.drop_table("data_transfers")
    op.drop_table("connectors")
    op.drop_table("configuration")
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.drop_index("commands_by_time")

    op.drop_table("commands")
    op.drop_table("charging_profiles")
    op.drop_table("boots")
