"""Keep what stations answered when the keys of their registrations were set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evcharging.store.types import ForeignText, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "registered_configuration",
        sa.Column("cp_id", sa.String(length=48), nullable=False),
        sa.Column("key", ForeignText(length=255), nullable=False),
        sa.Column("value", ForeignText(), nullable=False),
        sa.Column("answer", ForeignText(length=32), nullable=False),
        sa.Column("detail", ForeignText(length=200), nullable=True),
        sa.Column("answered_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cp_id", "key"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("registered_configuration")
