"""What a kill, a freeze or an outage leads to while sessions run, over Apache Kafka and real processes.

One network serves all tests, as one network serves its owner: each leaves it with every charge point in service, and
the books of all sessions so far must be clean after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import kafka_jars
from tests.support.ledger import read_ledger
from tests.support.network import Network, frozen, killed

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"
SESSION_S = 8
ENGINE_LOST_S = 12


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka() -> AsyncIterator[ApacheKafka]:
    async with ApacheKafka(kafka_jars(CACHE)) as kafka:
        yield kafka


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(kafka: ApacheKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    async with Network(kafka.bootstrap, folder, session_s=SESSION_S, engine_lost_s=ENGINE_LOST_S) as network:
        yield network


async def clean_books(network: Network) -> None:
    await network.until_ready()
    assert (await read_ledger(network.bootstrap)).faults(await network.sessions()) == []


async def test_charging_goes_on_without_central_and_requests_sent_meanwhile_are_answered(network: Network) -> None:
    first = network.driver("central-1", ["CP-001"])
    second = network.driver("central-2", ["CP-002"])
    await first.start()
    await network.until_energy("CP-001")
    async with killed(network.central):
        await second.start()
        await asyncio.sleep(2)  # the outage itself
    assert [await first.ended(), await second.ended()] == [0, 0]
    for driver_id in ("central-1", "central-2"):
        assert (await network.until_ended(driver_id))["status"] == "COMPLETED"
    await clean_books(network)


async def test_an_engine_that_comes_back_resumes_its_session_from_the_register(network: Network) -> None:
    driver = network.driver("resumed", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001", kwh=0.01)
    async with killed(network.engine):
        await network.until_state("CP-001", "FAULT", within_s=15)
    assert await driver.ended() == 0
    session = await network.until_ended("resumed")
    assert (session["status"], session["reason"]) == ("COMPLETED", "time_elapsed")
    assert "engine_unreachable" in driver.told()
    await clean_books(network)


async def test_an_engine_that_stays_away_loses_its_session_and_meters_the_rest_when_it_returns(
    network: Network,
) -> None:
    driver = network.driver("lost", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001", kwh=0.01)
    async with killed(network.engine):
        assert await driver.ended() == 0
        lost = await network.until_ended("lost")
        assert (lost["status"], lost["reason"]) == ("FAILED", "engine_lost")

    async def amended() -> bool:
        (session,) = await network.sessions_of("lost")
        return bool(session["kwh"] > lost["kwh"])

    await network.until("what the register shows is on the record", amended, within_s=30)
    await clean_books(network)


async def test_nobody_is_hurt_by_a_dead_monitor(network: Network) -> None:
    driver = network.driver("unwatched", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001")

    async def health_unknown() -> bool:
        return (await network.charge_point("CP-001"))["healthy"] is None

    async def healthy() -> bool:
        return (await network.charge_point("CP-001"))["healthy"] is True

    async with killed(network.monitor):
        await network.until("health is unknown", health_unknown, within_s=20)
        assert (await network.charge_point("CP-001"))["state"] != "FAULT"
    await network.until("the monitor is back", healthy, within_s=20)
    assert await driver.ended() == 0
    assert (await network.until_ended("unwatched"))["status"] == "COMPLETED"
    await clean_books(network)


async def test_a_dead_charger_fails_the_session_with_its_last_register_and_heals_when_it_returns(
    network: Network,
) -> None:
    driver = network.driver("silent", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001", kwh=0.01)
    async with killed(network.charger):
        await network.until_state("CP-001", "FAULT")
        assert await driver.ended() == 0
    session = await network.until_ended("silent")
    assert (session["status"], session["reason"]) == ("FAILED", "charger_silent")
    assert session["kwh"] > 0
    await clean_books(network)


async def test_a_driver_who_comes_back_learns_the_outcome(network: Network) -> None:
    driver = network.driver("returning", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001")
    await driver.kill()
    await network.until_ended("returning")
    (network.folder / "returning.txt").write_text("")
    await driver.start()
    assert await driver.ended() == 0
    assert "COMPLETED" in driver.told()
    await clean_books(network)


@pytest.mark.parametrize("name", ["central", "engine", "monitor"])
async def test_a_frozen_service_goes_on_where_it_stood(network: Network, name: str) -> None:
    driver = network.driver(f"frozen-{name}", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001")
    async with frozen(getattr(network, name)):
        await asyncio.sleep(6)  # the freeze itself: longer than the charger waits for a set point
    assert await driver.ended() == 0
    assert (await network.until_ended(f"frozen-{name}"))["status"] == "COMPLETED"
    await clean_books(network)


async def test_nothing_is_lost_while_apache_kafka_is_dead(kafka: ApacheKafka, network: Network) -> None:
    driver = network.driver("outage", ["CP-001"])
    await driver.start()
    await network.until_energy("CP-001")
    await kafka.kill()
    await asyncio.sleep(5)  # the outage itself
    await kafka.start()
    assert await driver.ended() == 0
    assert (await network.until_ended("outage"))["status"] == "COMPLETED"
    await clean_books(network)
