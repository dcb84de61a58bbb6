"""Loads and saves the rows of Central's database within a transaction. Knows no rule of the business."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import BindParameter, RowMapping, Select, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.domain.states import ChargePointState
from evcharging.store.many import parts, write_rows
from evcharging.store.simulator import tables
from evcharging.store.simulator.rows import (
    ChargePointRow,
    CommandRow,
    ConnectorValue,
    Phase,
    RequestRow,
    SessionRow,
    TariffRow,
)
from evcharging.store.simulator.session_totals import note_ended
from evcharging.store.upsert import upsert

__all__ = [
    "active_sessions_at",
    "add_tariff",
    "charge_points",
    "commands",
    "end_requests",
    "every_charge_point",
    "free_charge_points",
    "quiet_sessions",
    "requests",
    "save_charge_points",
    "save_commands",
    "save_metering",
    "save_requests",
    "save_sessions",
    "sessions",
    "tariff_history",
]

METERED = (
    "energy_wh",
    "solar_wh",
    "grid_wh",
    "cost",
    "last_seq",
    "missing_seqs",
    "register_start_wh",
    "register_end_wh",
    "last_contact_at",
    "amended_at",
)
SAVE_METERING = (
    update(tables.sessions)
    .where(tables.sessions.c.session_id == bindparam("of"))
    .values({name: bindparam(name) for name in METERED})
)
R = TypeVar("R", RequestRow, SessionRow, CommandRow)
KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
ACTIVE_AT = select(tables.sessions).where(tables.sessions.c.status == "ACTIVE").where(tables.sessions.c.cp_id.in_(KEYS))


async def charge_points(transaction: AsyncConnection, cp_ids: Iterable[str]) -> dict[str, ChargePointRow]:
    """The charge points of those ids that are known."""
    rows = await _by_key(transaction, tables.charge_points, cp_ids)
    return {row["cp_id"]: _charge_point(row) for row in rows}


async def every_charge_point(transaction: AsyncConnection) -> list[ChargePointRow]:
    """All of them, by id."""
    result = await transaction.execute(select(tables.charge_points).order_by(tables.charge_points.c.cp_id))
    return [_charge_point(row) for row in result.mappings()]


async def free_charge_points(transaction: AsyncConnection, *, limit: int) -> list[ChargePointRow]:
    """Charge points that could serve a driver now: the most powerful first, of equals the one that was idle longest.

    One whose rating nobody told comes after those whose rating is known. Those come first that serve nobody; of those
    that do, the ones with more connectors than sessions.
    """
    points, sessions_ = tables.charge_points, tables.sessions
    running = (
        select(sessions_.c.cp_id, func.count().label("number"))
        .where(sessions_.c.status == "ACTIVE")
        .group_by(sessions_.c.cp_id)
        .subquery()
    )
    could = (
        select(points)
        .where(points.c.administrative_stop.is_(False))
        .where(points.c.source != "mqtt")
        .order_by(points.c.rating_kw.desc().nulls_last(), points.c.last_assigned_at.nulls_first(), points.c.cp_id)
        .limit(limit)
    )
    idle = could.where(points.c.state == ChargePointState.ACTIVATED.value).where(
        points.c.cp_id.not_in(select(running.c.cp_id))
    )
    partly = (
        could.join(running, running.c.cp_id == points.c.cp_id)
        .where(points.c.state.in_([ChargePointState.ACTIVATED.value, ChargePointState.SUPPLYING.value]))
        .where(running.c.number < points.c.connector_count)
    )
    found = [_charge_point(row) for row in (await transaction.execute(idle)).mappings()]
    if len(found) < limit:
        found += [_charge_point(row) for row in (await transaction.execute(partly)).mappings()]
    return found


async def save_charge_points(transaction: AsyncConnection, rows: Sequence[ChargePointRow]) -> None:
    """Insert or replace."""
    await upsert(transaction, tables.charge_points, [_charge_point_values(row) for row in rows])


async def requests(transaction: AsyncConnection, request_ids: Iterable[str]) -> dict[str, RequestRow]:
    """The requests of those ids that are known."""
    rows = await _by_key(transaction, tables.requests, request_ids)
    return {row["request_id"]: RequestRow(**row) for row in rows}


async def save_requests(transaction: AsyncConnection, rows: Sequence[RequestRow]) -> None:
    """Insert or replace."""
    await _upsert(transaction, tables.requests, rows)


async def sessions(transaction: AsyncConnection, session_ids: Iterable[str]) -> dict[str, SessionRow]:
    """The sessions of those ids that are known."""
    rows = await _by_key(transaction, tables.sessions, session_ids)
    return {row["session_id"]: _session(row) for row in rows}


async def active_sessions_at(transaction: AsyncConnection, cp_ids: Iterable[str]) -> list[SessionRow]:
    """The active sessions at those charge points."""
    found: list[SessionRow] = []
    for part in parts(cp_ids):
        result = await transaction.execute(ACTIVE_AT, {"keys": part})
        found += [_session(row) for row in result.mappings()]
    return found


async def quiet_sessions(
    transaction: AsyncConnection,
    *,
    commanded_before: datetime,
    ended_before: datetime,
    let_go_before: datetime,
    heard_before: datetime,
    station_heard_before: datetime,
) -> list[SessionRow]:
    """Active sessions of which nothing was heard since those moments, by phase and source; oldest first."""
    s = tables.sessions
    heard = func.coalesce(s.c.last_contact_at, s.c.created_at, type_=s.c.created_at.type)
    statement = (
        select(s)
        .where(s.c.status == "ACTIVE")
        .where(
            or_(
                and_(s.c.phase == Phase.STARTING.value, s.c.start_deadline < commanded_before),
                and_(s.c.phase == Phase.ENDING.value, s.c.expected_seq.is_not(None), s.c.ended_at < ended_before),
                and_(s.c.phase == Phase.ENDING.value, s.c.expected_seq.is_(None), heard < let_go_before),
                and_(s.c.phase == Phase.SUPPLYING.value, s.c.source != "ocpp", heard < heard_before),
                and_(s.c.phase == Phase.SUPPLYING.value, s.c.source == "ocpp", heard < station_heard_before),
            )
        )
    )
    # Sorted here: asked to, SQLite would go through every session there ever was in the order of their time.
    found = [_session(row) for row in (await transaction.execute(statement)).mappings()]
    return sorted(found, key=lambda session: session.created_at)


async def save_sessions(transaction: AsyncConnection, rows: Sequence[SessionRow]) -> None:
    """Insert or replace.

    Raises:
        sqlalchemy.exc.IntegrityError: another active session has the connector.
    """
    await note_ended(transaction, rows)
    await _upsert(transaction, tables.sessions, rows)


async def save_metering(transaction: AsyncConnection, rows: Sequence[SessionRow]) -> None:
    """Write what intervals change of sessions, and nothing else."""
    await note_ended(transaction, rows)
    rows_of = [{"of": row.session_id, **{name: getattr(row, name) for name in METERED}} for row in rows]
    await write_rows(transaction, SAVE_METERING, rows_of)


async def end_requests(transaction: AsyncConnection, ended: Sequence[SessionRow], now: datetime) -> None:
    """Note the outcome of ended sessions on the requests they came from; a request that has ended stays as it is."""
    table = tables.requests
    if ended:
        await transaction.execute(
            update(table)
            .where(table.c.request_id == bindparam("of"))
            .where(table.c.ended_at.is_(None))
            .values(status=bindparam("outcome"), reason=bindparam("why"), ended_at=bindparam("at")),
            [{"of": row.request_id, "outcome": row.status, "why": row.reason, "at": now} for row in ended],
        )


async def commands(transaction: AsyncConnection, command_ids: Iterable[str]) -> dict[str, CommandRow]:
    """The commands of those ids that are known."""
    rows = await _by_key(transaction, tables.commands, command_ids)
    return {row["command_id"]: CommandRow(**row) for row in rows}


async def save_commands(transaction: AsyncConnection, rows: Sequence[CommandRow]) -> None:
    """Insert or replace."""
    await _upsert(transaction, tables.commands, rows)


async def add_tariff(transaction: AsyncConnection, row: TariffRow) -> None:
    """Put a price into force from ``row.valid_from`` on."""
    await transaction.execute(tables.tariffs.insert().values(asdict(row)))


async def tariff_history(transaction: AsyncConnection) -> list[TariffRow]:
    """Every price there was, oldest first."""
    t = tables.tariffs
    result = await transaction.execute(
        select(t.c.valid_from, t.c.price_per_kwh, t.c.solar_price_per_kwh, t.c.currency).order_by(
            t.c.valid_from, t.c.tariff_id
        )
    )
    return [TariffRow(**row) for row in result.mappings()]


async def touch_charge_points(transaction: AsyncConnection, seen: dict[str, datetime]) -> None:
    """Note when charge points were last heard of, without writing anything else of them."""
    points = tables.charge_points
    if seen:
        await transaction.execute(
            update(points).where(points.c.cp_id == bindparam("of")).values(last_seen_at=bindparam("at")),
            [{"of": cp_id, "at": at} for cp_id, at in seen.items()],
        )


async def _by_key(transaction: AsyncConnection, table: Table, keys: Iterable[str]) -> list[RowMapping]:
    found: list[RowMapping] = []
    for part in parts(keys):
        found += (await transaction.execute(_with_keys(table), {"keys": part})).mappings().all()
    return found


@cache
def _with_keys(table: Table) -> Select[Any]:
    """Made once a table: to make it and find its compiled form again costs more than to execute it."""
    (key,) = table.primary_key
    return select(table).where(key.in_(KEYS))


async def _upsert(transaction: AsyncConnection, table: Table, rows: Sequence[R]) -> None:
    if rows:
        names = [f.name for f in fields(rows[0])]
        await upsert(transaction, table, [{name: getattr(row, name) for name in names} for row in rows])


def _charge_point_values(row: ChargePointRow) -> dict[str, object]:
    values: dict[str, object] = {field.name: getattr(row, field.name) for field in fields(row)}
    values["connectors"] = {
        str(number): [c.state.value, c.source, *filter(None, (c.ocpp_status, c.reserved_for))]
        for number, c in row.connectors.items()
    }
    values["connector_count"] = sum(number > 0 for number in row.connectors) or 1
    return values


def _charge_point(row: RowMapping) -> ChargePointRow:
    values = dict(row)
    del values["connector_count"]  # for queries
    connectors = {
        int(connector_id): ConnectorValue(ChargePointState(state), source, *more)
        for connector_id, (state, source, *more) in values.pop("connectors").items()
    }
    return ChargePointRow(**{**values, "state": ChargePointState(values["state"]), "connectors": connectors})


def _session(row: RowMapping) -> SessionRow:
    values = dict(row)
    return SessionRow(**{**values, "phase": Phase(values["phase"])})
