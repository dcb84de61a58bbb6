"""Keep what the sessions that have ended come to, by currency; it was added up each time somebody asked.

It begins with what is there: exactly, as SQLite would add the digits as floats.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from evcharging.domain.money import currency, round_money

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and count every session that has ended."""
    totals = op.create_table(
        "session_totals",
        sa.Column("currency", sa.String(length=3), primary_key=True),
        sa.Column("energy_wh", sa.String(length=64), nullable=False),
        sa.Column("billed", sa.String(length=64), nullable=False),
    )
    energy_wh: dict[str, Decimal] = defaultdict(Decimal)
    billed: dict[str, Decimal] = defaultdict(Decimal)
    ended = sa.text("SELECT currency, energy_wh, cost FROM sessions WHERE status <> 'ACTIVE'")
    for code, session_wh, cost in op.get_bind().execute(ended):
        energy_wh[code] += Decimal(session_wh)
        billed[code] += round_money(Decimal(cost), currency(code))
    rows = [
        {"currency": code, "energy_wh": format(energy_wh[code], "f"), "billed": format(billed[code], "f")}
        for code in energy_wh
    ]
    if rows:
        op.bulk_insert(totals, rows)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("session_totals")
