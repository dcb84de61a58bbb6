"""One statement for many rows, past SQLAlchemy's work for each of them: with SQLite that costs more than the rows do.

The statement is SQLAlchemy's all the same, and so are the conversions of its columns' types; what is left out is what
SQLAlchemy looks up and builds anew at each execution.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert, Update

__all__ = ["among", "is_sqlite", "parts", "write_rows"]

IDS_A_STATEMENT = 500
"""PostgreSQL and SQLite without a list take a parameter for each; both have a bound."""


Id = TypeVar("Id", bound=Hashable)


async def write_rows(
    transaction: AsyncConnection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run ``statement`` once for each of ``rows``, which all have the same keys: its columns or bound parameters.

    Keep the statement: what is made of it is remembered for as long as it lives.

    Raises:
        sqlalchemy.exc.DBAPIError: as `AsyncConnection.execute`.
    """
    if not rows:
        return
    prepared = _prepared(statement, tuple(rows[0]), transaction.dialect) if is_sqlite(transaction) else None
    if prepared is None:
        await transaction.execute(statement, [dict(row) for row in rows])
        return
    values = [
        tuple([row[name] if convert is None else convert(row[name]) for name, convert in prepared.parameters])
        for row in rows
    ]
    await transaction.exec_driver_sql(prepared.sql, values)


def among(transaction: AsyncConnection, column: ColumnElement[Any], values: Sequence[str | int]) -> ColumnElement[bool]:
    """Whether ``column`` is one of ``values``: one parameter where SQLite knows how, however many they are."""
    if not is_sqlite(transaction):
        return column.in_(values)
    listed = func.json_each(bindparam(None, json.dumps(list(values)))).table_valued("value")
    return column.in_(select(listed.c.value))


def parts(ids: Iterable[Id]) -> Iterator[list[Id]]:
    """``ids``, each once and in their order, in as many lists as statements are needed for them."""
    unique = list(dict.fromkeys(ids))
    return (unique[start : start + IDS_A_STATEMENT] for start in range(0, len(unique), IDS_A_STATEMENT))


def is_sqlite(transaction: AsyncConnection) -> bool:
    """Whether the database is SQLite."""
    return transaction.dialect.name == "sqlite"


class _Prepared(NamedTuple):
    sql: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None], ...]


_Key = tuple[tuple[str, ...], type[Dialect]]
_known: WeakKeyDictionary[Insert | Update, dict[_Key, _Prepared | None]] = WeakKeyDictionary()


def _prepared(statement: Insert | Update, names: tuple[str, ...], dialect: Dialect) -> _Prepared | None:
    """The statement as the driver takes it; None where SQLAlchemy would add values of its own (defaults)."""
    known = _known.setdefault(statement, {})
    key = (names, type(dialect))
    if key not in known:
        known[key] = _prepare(statement, names, dialect)
    return known[key]


def _prepare(statement: Insert | Update, names: tuple[str, ...], dialect: Dialect) -> _Prepared | None:
    keys = list(names) if isinstance(statement, Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=keys)
    if compiled.positiontup is None or set(compiled.positiontup) != set(names):
        return None
    types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in names}
    return _Prepared(
        compiled.string, tuple((name, types[name].bind_processor(dialect)) for name in compiled.positiontup)
    )
