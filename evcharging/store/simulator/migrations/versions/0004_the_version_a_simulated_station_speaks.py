"""Keep which version of OCPP each simulated station is to speak; none is its worker's own.

In a column beside the profile, as what a station is meant to be doing is republished from the rows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("swarm_stations", sa.Column("ocpp_version", sa.String(length=8), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("swarm_stations") as batch:
        batch.drop_column("ocpp_version")
