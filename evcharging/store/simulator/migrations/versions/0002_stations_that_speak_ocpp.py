"""Tokens, registered stations, charging profiles and reservations; several connectors; sessions begun elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evcharging.store.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INDEX = "one_active_session_per_connector"
ACTIVE = sa.text("status = 'ACTIVE'")
HAS_ITS_CONNECTOR = sa.text("status = 'ACTIVE' AND phase <> 'ENDING'")
STANDS = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Create the tables, widen the charge points, and let sessions that have ended leave their connector."""
    op.create_table(
        "tokens",
        sa.Column("id_tag", sa.String(length=20), nullable=False),
        sa.Column("folded", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("parent_id_tag", sa.String(length=20), nullable=True),
        sa.Column("driver_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id_tag"),
        sa.UniqueConstraint("folded"),
    )
    op.create_index("tokens_by_driver", "tokens", ["driver_id"])
    op.create_table(
        "charging_profiles",
        sa.Column("profile_id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("ocpp_version", sa.String(length=8), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("profile_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ocpp_stations",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("security_profile", sa.Integer(), nullable=False),
        sa.Column("boot_status", sa.String(length=16), nullable=False),
        sa.Column("heartbeat_interval_s", sa.Integer(), nullable=True),
        sa.Column("configuration", sa.JSON(), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id"),
    )
    op.create_table(
        "reservations",
        sa.Column("reservation_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("driver_id", sa.String(length=64), nullable=False),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("id_tag", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("reservation_id"),
        sa.UniqueConstraint("request_id"),
        sa.UniqueConstraint("command_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("reservations_that_stand", "reservations", ["cp_id"], sqlite_where=STANDS, postgresql_where=STANDS)
    op.add_column("charge_points", sa.Column("connector_count", sa.Integer(), server_default="1", nullable=False))
    op.add_column("charge_points", sa.Column("ocpp_version", sa.String(length=8), nullable=True))
    op.drop_index(INDEX, "sessions")
    op.create_index(
        INDEX,
        "sessions",
        ["cp_id", "connector_id"],
        unique=True,
        sqlite_where=HAS_ITS_CONNECTOR,
        postgresql_where=HAS_ITS_CONNECTOR,
    )
    # By charge point, since the unique index no longer holds every active session.
    op.drop_index("active_sessions", "sessions")
    op.create_index("active_sessions", "sessions", ["cp_id"], sqlite_where=ACTIVE, postgresql_where=ACTIVE)


def downgrade() -> None:
    """Undo it. Where two sessions of one connector are open, they have to be closed first."""
    op.drop_index("active_sessions", "sessions")
    op.create_index("active_sessions", "sessions", ["status"], sqlite_where=ACTIVE, postgresql_where=ACTIVE)
    op.drop_index(INDEX, "sessions")
    op.create_index(
        INDEX, "sessions", ["cp_id", "connector_id"], unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )
    with op.batch_alter_table("charge_points") as batch:
        batch.drop_column("ocpp_version")
        batch.drop_column("connector_count")
    op.drop_table("reservations")
    op.drop_table("ocpp_stations")
    op.drop_table("charging_profiles")
    op.drop_table("tokens")
