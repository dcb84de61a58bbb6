"""What Central stands on, made from its settings before anything listens: databases, profiles, the first tariff.

A setting that cannot be used is told here, by the name of its flag. Opens no connection before it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import structlog

from evcharging.apps.ev_central.errors import InvalidPricing
from evcharging.apps.ev_central.prices import Prices, price_of
from evcharging.apps.ev_central.settings import CentralSettings
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.apps.runtime.errors import UsageError
from evcharging.domain.behaviour import BehaviourProfile, ProfileError
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.protocol import BadAddress
from evcharging.store.database import Database, DatabaseUnavailable, InvalidDatabaseUrl, database_url
from evcharging.store.gateway.tables import SCHEMA as GATEWAY
from evcharging.store.history.tables import SCHEMA as HISTORY
from evcharging.store.migrate import migrate_database
from evcharging.store.simulator.rows import TariffRow
from evcharging.store.simulator.tables import SCHEMA as SIMULATOR

__all__ = ["Foundations"]

log = structlog.get_logger()

RETRY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundations:
    """Central's own database, the history, the gateways' (which it only reads), and what settings say beside."""

    database: Database
    history: Database
    gateway: Database
    profiles: Mapping[str, BehaviourProfile]
    first_tariff: TariffRow
    mqtt_address: MqttAddress | None

    @classmethod
    def of(cls, settings: CentralSettings, now: datetime) -> Self:
        """Read the settings.

        Raises:
            UsageError: one of them cannot be used.
        """
        mqtt_address = _mqtt_address(settings.mqtt)
        first_tariff = _first_tariff(settings, now)
        profiles = _profiles(settings.swarm_profiles_dir)
        try:
            return cls(
                database=Database(database_url(settings.database), schema=SIMULATOR, wait_s=settings.database_wait_s),
                history=Database(database_url(settings.history_database), schema=HISTORY),
                gateway=Database(database_url(settings.gateway_database), schema=GATEWAY, read_only=True),
                profiles=profiles,
                first_tariff=first_tariff,
                mqtt_address=mqtt_address,
            )
        except InvalidDatabaseUrl as error:
            raise UsageError(str(error)) from None

    async def prices(self) -> Prices:
        """Wait for Central's database, bring it up to date and read the prices from it."""
        while True:
            try:
                await migrate_database(self.database)
                return await Prices.load(self.database, first=self.first_tariff)
            except DatabaseUnavailable as error:
                log.warning("waiting for the database", database=repr(self.database), reason=str(error))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Give the connections back."""
        for database in (self.database, self.history, self.gateway):
            await database.close()


def _first_tariff(settings: CentralSettings, now: datetime) -> TariffRow:
    row = TariffRow(
        valid_from=now,
        price_per_kwh=settings.price_per_kwh,
        solar_price_per_kwh=settings.solar_price_per_kwh,
        currency=settings.currency,
    )
    try:
        price_of(row)
    except InvalidPricing as error:
        raise UsageError(str(error)) from None
    return row


def _profiles(directory: Path | None) -> Mapping[str, BehaviourProfile]:
    try:
        return load_profiles(directory)
    except ProfileError as error:
        raise UsageError(f"--swarm-profiles-dir: {error}") from None


def _mqtt_address(url: str | None) -> MqttAddress | None:
    try:
        return None if url is None else MqttAddress.parse(url)
    except BadAddress as error:
        raise UsageError(f"--mqtt: {error}") from None
