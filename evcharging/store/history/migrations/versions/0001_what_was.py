"""Create the tables of the history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evcharging.store.types import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "station_logs",
        _row_id(),
        sa.Column("station_id", sa.String(length=48), nullable=False),
        sa.Column("ts", UtcDateTime(timezone=True), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("station_logs_by_station", "station_logs", ["station_id", "row_id"])
    op.create_table(
        "snapshots",
        _row_id(),
        sa.Column("station_id", sa.String(length=48), nullable=False),
        sa.Column("ts", UtcDateTime(timezone=True), nullable=False),
        sa.Column("kw", sa.Float(), nullable=False),
        sa.Column("kwh", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
        sa.UniqueConstraint("station_id", "ts", name="one_snapshot_a_moment"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alerts",
        _row_id(),
        sa.Column("alert_id", sa.String(length=120), nullable=False),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("ts", UtcDateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("detector", sa.Text(), nullable=True),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("row_id"),
        sa.UniqueConstraint("alert_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("alerts_by_charge_point", "alerts", ["cp_id", "row_id"])
    op.create_table(
        "frames",
        _row_id(),
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("ts", UtcDateTime(timezone=True), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("message_type", sa.Integer(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("frames_by_charge_point", "frames", ["cp_id", "row_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("frames", "alerts", "snapshots", "station_logs"):
        op.drop_table(table)


def _row_id() -> sa.Column[int]:
    return sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False)
