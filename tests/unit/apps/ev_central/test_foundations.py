from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ev_central.foundations import Foundations
from evcharging.apps.ev_central.settings import CentralSettings
from evcharging.apps.runtime.errors import UsageError

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def foundations(**settings: Any) -> Foundations:
    return Foundations.of(CentralSettings(**settings), NOON)


async def test_every_database_is_beside_the_first_unless_it_is_told_where(tmp_path: Path) -> None:
    built = await foundations(
        db_path=tmp_path / "simulator.db", history_database_url=f"sqlite:///{tmp_path}/past/then.db"
    )
    assert [database.url.database for database in (built.database, built.history, built.gateway)] == [
        str(tmp_path / "simulator.db"),
        str(tmp_path / "past" / "then.db"),
        str(tmp_path / "gateway.db"),
    ]
    await built.close()


async def test_on_postgresql_each_database_is_a_schema_of_the_same() -> None:
    built = await foundations(database_url="postgresql://me@host/charging")
    assert [(database.url.database, database.schema) for database in (built.database, built.history)] == [
        ("charging", "simulator"),
        ("charging", "history"),
    ]
    await built.close()


async def test_prices_are_read_from_a_database_that_is_made_where_there_is_none(tmp_path: Path) -> None:
    built = await foundations(db_path=tmp_path / "simulator.db", price_per_kwh=Decimal(20), currency="INR")
    prices = await built.prices()
    assert (prices.latest.price_per_kwh, prices.currency) == (Decimal(20), "INR")
    await built.close()


async def test_a_profile_of_ones_own_is_known_beside_those_that_come_with_the_package(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("max_energy_kwh: 5\n")
    built = await foundations(db_path=tmp_path / "simulator.db", swarm_profiles_dir=tmp_path)
    assert built.profiles["mine"].max_energy_kwh == 5
    assert "default" in built.profiles
    await built.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"database_url": "mysql://host/name"}, "mysql"),
        ({"history_database_url": "mysql://host/name"}, "mysql"),
        ({"mqtt": "http://host"}, "--mqtt"),
        ({"currency": "XXX"}, "XXX"),
        ({"swarm_profiles_dir": "/nowhere/at/all"}, "--swarm-profiles-dir: /nowhere/at/all"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_a_mistake_in_the_use(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        await foundations(**settings)
