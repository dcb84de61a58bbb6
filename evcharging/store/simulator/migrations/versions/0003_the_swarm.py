"""Keep what each simulated station is meant to be doing.

In rows, and not only on the compacted topic swarm.desired, from which it could be rebuilt: a row and its record in
the outbox are one transaction, a change of scale is decided from rows that no other copy changes meanwhile, and the
embedded broker forgets its topics when it ends, while stations are to be there again at the next start.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from evcharging.store.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "swarm_stations",
        sa.Column("station_id", sa.String(length=48), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("csms_url", sa.String(length=500), nullable=True),
        sa.Column("changed_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("station_id"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("swarm_stations")
