"""idTags and whose they are, within a transaction. Knows no rule of who may charge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.store.many import parts
from evcharging.store.simulator.tables import tokens
from evcharging.store.upsert import upsert

__all__ = ["TokenRow", "delete_token", "folded", "list_tokens", "save_token", "tokens_named", "tokens_of_driver"]


@dataclass(slots=True, kw_only=True)
class TokenRow:
    """One idTag; ``status`` in OCPP's words, ``expires_at`` may lie in the past."""

    id_tag: str
    status: str
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None = None
    parent_id_tag: str | None = None
    driver_id: str | None = None


def folded(id_tag: str) -> str:
    """What two spellings of one idTag have in common: OCPP 1.6 compares them without regard to case."""
    return id_tag.upper()


async def tokens_named(transaction: AsyncConnection, id_tags: Iterable[str]) -> dict[str, TokenRow]:
    """The tokens among ``id_tags`` that there are, by their `folded` spelling."""
    found: dict[str, TokenRow] = {}
    for part in parts(map(folded, id_tags)):
        result = await transaction.execute(select(tokens).where(tokens.c.folded.in_(part)))
        for row in result.mappings():
            found[row["folded"]] = _row(dict(row))
    return found


async def tokens_of_driver(transaction: AsyncConnection, driver_id: str) -> list[TokenRow]:
    """A driver's tokens, oldest first."""
    statement = select(tokens).where(tokens.c.driver_id == driver_id).order_by(tokens.c.created_at, tokens.c.id_tag)
    return [_row(dict(row)) for row in (await transaction.execute(statement)).mappings()]


async def list_tokens(transaction: AsyncConnection, *, after: str | None = None, limit: int) -> Sequence[TokenRow]:
    """Tokens by their idTag, those after ``after``."""
    statement = select(tokens).order_by(tokens.c.id_tag).limit(limit)
    if after is not None:
        statement = statement.where(tokens.c.id_tag > after)
    return [_row(dict(row)) for row in (await transaction.execute(statement)).mappings()]


async def save_token(transaction: AsyncConnection, row: TokenRow) -> None:
    """Insert or replace.

    Raises:
        sqlalchemy.exc.IntegrityError: the same idTag is there in another spelling.
    """
    await upsert(transaction, tokens, [{**asdict(row), "folded": folded(row.id_tag)}])


async def delete_token(transaction: AsyncConnection, id_tag: str) -> None:
    """Take a token out, by the spelling it has."""
    await transaction.execute(delete(tokens).where(tokens.c.id_tag == id_tag))


def _row(values: dict[str, object]) -> TokenRow:
    del values["folded"]
    return TokenRow(**values)  # type: ignore[arg-type]  # as the columns are
