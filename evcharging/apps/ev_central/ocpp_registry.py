"""What gateways are told beforehand: tokens, and stations with their credentials.

Each change is one transaction with the record that tells of it. At Central's start everything is told again, so that a
broker that knows nothing learns it; in the same order as changes, so that an old word never comes after a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from pydantic import SecretStr

from evcharging.apps.ev_central.driver_tokens import announce_token
from evcharging.apps.ev_central.engines import announce_id, engines_among, require_no_engine
from evcharging.apps.ev_central.ocpp_errors import (
    AlreadyThere,
    InvalidValue,
    UnknownRegistration,
    UnknownToken,
)
from evcharging.apps.ev_central.passwords import hashed
from evcharging.apps.ev_central.transactions import Transactions
from evcharging.apps.ev_central.work import Work
from evcharging.messages.charge_points import StatusSource, holder_of
from evcharging.ocpp.configuration_names import why_not_to_be_set
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.database import DatabaseUnavailable
from evcharging.store.simulator import network, stations, tokens
from evcharging.store.simulator.stations import StationRow
from evcharging.store.simulator.tokens import TokenRow, folded

__all__ = ["OcppRegistry"]

log = structlog.get_logger()

TOLD_AT_ONCE = 500
RETRY_S = 2.0
LONGEST_TOLD = 60
BASIC_AUTH_PROFILES = (1, 2)
"""Security profiles in which the station proves itself with a password (OCPP security whitepaper, 2.0.1 part 2 A)."""


class OcppRegistry:
    """Tokens and registered stations.

    Raises, from every method: `DatabaseUnavailable`; nothing was done then, and the caller may ask again.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def tokens(self, *, after: str | None = None, limit: int) -> Sequence[TokenRow]:
        """Tokens by idTag."""
        async with self._transactions.database.read() as transaction:
            return await tokens.list_tokens(transaction, after=after, limit=limit)

    async def token(self, id_tag: str) -> TokenRow:
        """One token, whatever the case of its letters.

        Raises:
            UnknownToken
        """
        async with self._transactions.begin() as work:
            return await _known_token(work, id_tag)

    async def add_token(
        self,
        id_tag: str,
        *,
        status: str,
        expires_at: datetime | None = None,
        parent_id_tag: str | None = None,
        driver_id: str | None = None,
    ) -> TokenRow:
        """Enter a token and tell gateways.

        Raises:
            AlreadyThere: in this spelling or with other capitals.
        """
        async with self._transactions.begin() as work:
            found = await tokens.tokens_named(work.transaction, [id_tag])
            if found:
                known = found[folded(id_tag)].id_tag
                raise AlreadyThere(f"there is a token {known!r}; PUT /api/v1/tokens/{known} changes it")
            row = TokenRow(
                id_tag=id_tag,
                status=status,
                expires_at=expires_at,
                parent_id_tag=parent_id_tag,
                driver_id=driver_id,
                created_at=work.now,
                changed_at=work.now,
            )
            await tokens.save_token(work.transaction, row)
            announce_token(work, row)
        return row

    async def change_token(
        self,
        id_tag: str,
        *,
        status: str,
        expires_at: datetime | None = None,
        parent_id_tag: str | None = None,
        driver_id: str | None = None,
    ) -> TokenRow:
        """Say anew what a token may do, and tell gateways.

        Raises:
            UnknownToken
        """
        async with self._transactions.begin() as work:
            row = await _known_token(work, id_tag)
            row.status, row.expires_at, row.parent_id_tag, row.driver_id = status, expires_at, parent_id_tag, driver_id
            row.changed_at = work.now
            await tokens.save_token(work.transaction, row)
            announce_token(work, row)
        return row

    async def delete_token(self, id_tag: str) -> None:
        """Take a token out, also of gateways' memory.

        Raises:
            UnknownToken
        """
        async with self._transactions.begin() as work:
            row = await _known_token(work, id_tag)
            await tokens.delete_token(work.transaction, row.id_tag)
            announce_token(work, row, deleted=True)

    async def stations(self, *, after: str | None = None, limit: int) -> Sequence[StationRow]:
        """Registered stations by id."""
        async with self._transactions.database.read() as transaction:
            return await stations.list_stations(transaction, after=after, limit=limit)

    async def station(self, cp_id: str) -> StationRow:
        """One registration.

        Raises:
            UnknownRegistration
        """
        async with self._transactions.database.read() as transaction:
            row = await stations.find_station(transaction, cp_id)
        if row is None:
            raise UnknownRegistration(cp_id)
        return row

    async def register_station(
        self,
        cp_id: str,
        *,
        password: SecretStr | None,
        security_profile: int,
        boot_status: str,
        heartbeat_interval_s: int | None = None,
        configuration: dict[str, str] | None = None,
    ) -> tuple[StationRow, bool]:
        """Register a station, or change its registration, and tell gateways. Returns it, and whether it is new.

        The password of a station that is known stays as it is where none is given.

        Raises:
            InvalidValue: the security profile asks for a password and there is none; or a key of ``configuration``
                cannot be set: what it is, and not whether the station takes it.
            IdTaken: by a charge point that an engine runs.
        """
        password_hash = None if password is None else await hashed(password)
        async with self._transactions.begin() as work:
            known = await stations.find_station(work.transaction, cp_id)
            if known is None:
                await require_no_engine(work.transaction, cp_id)
            if password_hash is None and known is not None:
                password_hash = known.password_hash
            if password_hash is None and security_profile in BASIC_AUTH_PROFILES:
                raise InvalidValue("#/password", f"security profile {security_profile} needs one")
            await work.load(cp_ids=[cp_id])
            _require_settable(configuration or {}, _version_of(work, cp_id))
            row = StationRow(
                cp_id=cp_id,
                password_hash=password_hash,
                security_profile=security_profile,
                boot_status=boot_status,
                heartbeat_interval_s=heartbeat_interval_s,
                configuration=configuration,
                created_at=work.now if known is None else known.created_at,
                changed_at=work.now,
            )
            await stations.save_station(work.transaction, row)
            await _announce(work, cp_id, row)
            _make_known(work, cp_id)
        return row, known is None

    async def delete_station(self, cp_id: str) -> bool:
        """Withdraw a registration, also from gateways' memory.

        Returns whether nothing is known of the station any more: it has never connected.

        Raises:
            UnknownRegistration
        """
        async with self._transactions.begin() as work:
            row = await stations.find_station(work.transaction, cp_id)
            if row is None:
                raise UnknownRegistration(cp_id)
            await stations.delete_station(work.transaction, cp_id)
            await _announce(work, cp_id, None)
            return await stations.forget_if_never_seen(work.transaction, cp_id)

    async def announce(self) -> None:
        """Tell gateways everything again; waits for the database where it is away."""
        for part in (self._announce_tokens, self._announce_stations, self._announce_engines):
            after: str | None = None
            while True:
                try:
                    after = await part(after)
                except DatabaseUnavailable as error:
                    log.warning("gateways are told later", reason=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                if after is None:
                    break

    async def _announce_tokens(self, after: str | None) -> str | None:
        async with self._transactions.begin() as work:
            found = await tokens.list_tokens(work.transaction, after=after, limit=TOLD_AT_ONCE)
            for row in found:
                announce_token(work, row)
        return found[-1].id_tag if len(found) == TOLD_AT_ONCE else None

    async def _announce_stations(self, after: str | None) -> str | None:
        async with self._transactions.begin() as work:
            found = await stations.list_stations(work.transaction, after=after, limit=TOLD_AT_ONCE)
            await work.load(cp_ids=[row.cp_id for row in found])
            of_engines = engines_among(work, work.charge_points)
            for row in found:
                announce_id(work, row.cp_id, row, held_by_engine=row.cp_id in of_engines)
                _make_known(work, row.cp_id)
        return found[-1].cp_id if len(found) == TOLD_AT_ONCE else None

    async def _announce_engines(self, _after: str | None) -> None:
        """Those under whose ids stations are registered too were told with these."""
        async with self._transactions.begin() as work:
            for point in await network.every_charge_point(work.transaction):
                if holder_of(point.source, point.state) is StatusSource.ENGINE and (
                    await stations.find_station(work.transaction, point.cp_id) is None
                ):
                    announce_id(work, point.cp_id, None, held_by_engine=True)


def _version_of(work: Work, cp_id: str) -> OcppVersion | None:
    """What a station spoke last; None where it never connected."""
    point = work.charge_points.get(cp_id)
    spoken = None if point is None else point.ocpp_version
    return next((version for version in OcppVersion if version.value == spoken), None)


def _require_settable(configuration: Mapping[str, str], version: OcppVersion | None) -> None:
    seen: set[str] = set()
    for key, value in configuration.items():
        why_not = why_not_to_be_set(key, value, version)
        if why_not is None and key.casefold() in seen:
            why_not = "is there twice: names of keys do not differ by capitals"
        if why_not is not None:
            escaped = key.replace("~", "~0").replace("/", "~1")
            raise InvalidValue(f"#/configuration/{escaped[:LONGEST_TOLD]}", f"{key[:LONGEST_TOLD]!r} {why_not}")
        seen.add(key.casefold())


async def _known_token(work: Work, id_tag: str) -> TokenRow:
    found = await tokens.tokens_named(work.transaction, [id_tag])
    if not found:
        raise UnknownToken(id_tag)
    return found[folded(id_tag)]


async def _announce(work: Work, cp_id: str, row: StationRow | None) -> None:
    await work.load(cp_ids=[cp_id])
    announce_id(work, cp_id, row, held_by_engine=bool(engines_among(work, [cp_id])))


def _make_known(work: Work, cp_id: str) -> None:
    """A station is a charge point from its registration on: known everywhere, and DISCONNECTED until it connects."""
    point = work.charge_point(cp_id)
    if point.source != StatusSource.OCPP.value and holder_of(point.source, point.state) is None:
        point.source = StatusSource.OCPP.value
        work.changed(point)
