"""What the sessions that have ended come to, kept by currency, so that nobody adds up every session there ever was.

It changes in the transaction that ends a session or amends one, and transactions that write are one at a time: so it is
exact across restarts and copies of Central. Sessions that run are not in it; they are few, and added up when asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.domain.money import currency, round_money
from evcharging.store.many import parts
from evcharging.store.simulator.rows import SessionRow
from evcharging.store.simulator.tables import session_totals, sessions
from evcharging.store.upsert import upsert

__all__ = ["ACTIVE", "KEPT", "billed", "note_ended"]

ACTIVE = "ACTIVE"
"""The status of a session that has not ended."""
COUNTED = (
    select(sessions.c.session_id, sessions.c.energy_wh, sessions.c.cost)
    .where(sessions.c.session_id.in_(bindparam("ids", expanding=True)))
    .where(sessions.c.status != ACTIVE)
)
KEPT = select(session_totals.c.currency, session_totals.c.energy_wh, session_totals.c.billed)
"""Every currency's sums."""


def billed(cost: Decimal, currency_code: str) -> Decimal:
    """The bill of one session: its cost, rounded to its currency's minor unit."""
    return round_money(cost, currency(currency_code))


async def note_ended(transaction: AsyncConnection, rows: Sequence[SessionRow]) -> None:
    """Count those of ``rows`` that have ended as they are now, and no more as they were. Before they are written."""
    ended = {row.session_id: row for row in rows if row.status != ACTIVE}
    if not ended:
        return
    energy_wh: dict[str, Decimal] = defaultdict(Decimal)
    bills: dict[str, Decimal] = defaultdict(Decimal)
    for ids in parts(ended):
        for was in await transaction.execute(COUNTED, {"ids": ids}):
            code = ended[was.session_id].currency  # which is the session's for good
            energy_wh[code] -= was.energy_wh
            bills[code] -= billed(was.cost, code)
    for row in ended.values():
        energy_wh[row.currency] += row.energy_wh
        bills[row.currency] += billed(row.cost, row.currency)
    kept = {row.currency: row for row in await transaction.execute(KEPT)}
    changed = []
    for code, wh in energy_wh.items():
        before_wh, before = (kept[code].energy_wh, kept[code].billed) if code in kept else (0, 0)
        changed.append({"currency": code, "energy_wh": before_wh + wh, "billed": before + bills[code]})
    await upsert(transaction, session_totals, changed)
