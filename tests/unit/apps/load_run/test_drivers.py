import asyncio
from dataclasses import replace
from itertools import islice

import pytest

from evcharging.apps.load_run.drivers import STATIONS_A_SITE, Drivers
from tests.unit.apps.load_run.conftest import LIVELY, until

QUIET = replace(LIVELY, sessions=False)


def drivers(group, **changes):
    given = {
        "stations": 2,
        "connectors": 1,
        "mixture": "workplace",
        "per_connector": 10.0,
        "start_hour": 6.0,
        "scale": 20_000.0,
        "id_tags": ("A", "B"),
        "seed": 1,
        **changes,
    }
    return Drivers(group, **given)


async def test_drivers_plug_in_charge_and_leave_and_others_queue(world):
    hours = []
    async with world.group(profile=QUIET, vehicles_come=False) as group:
        group.bring_to(2, stop_within_s=5.0)
        await until(lambda: group.connections.boots_accepted == 2)
        at_work = drivers(group)
        task = asyncio.create_task(at_work.run(hours.append))
        await until(lambda: at_work.counts.plugged_in >= 4 and at_work.counts.queued and at_work.counts.gave_up)
        task.cancel()
        await asyncio.wait({task})
    assert group.listener.sessions >= 1
    assert world.ledger.figures().clean, world.ledger.figures().problems
    assert all(0 <= hour <= 23 for hour in hours)
    assert len(hours) > 1


async def test_a_station_that_is_not_there_is_passed_by(world):
    async with world.group(profile=QUIET) as group:
        at_work = drivers(group, stations=1)
        task = asyncio.create_task(at_work.run(lambda _hour: None))
        await until(lambda: at_work.counts.queued)
        task.cancel()
        await asyncio.wait({task})
        assert at_work.counts.plugged_in == 0


@pytest.mark.parametrize(("stations", "sites"), [(1, 1), (STATIONS_A_SITE, 1), (STATIONS_A_SITE + 1, 2), (95, 10)])
def test_ten_stations_are_a_site(stations, sites):
    at_work = drivers(None, stations=stations)
    found = {site for site, _ in islice(at_work._in_order(), 2000)}
    assert found == set(range(sites))


def test_events_of_all_sites_come_in_order_and_by_seed():
    def times(seed):
        return [
            event.at_s
            for _, (_, event) in zip(range(300), drivers(None, stations=30, seed=seed)._in_order(), strict=False)
        ]

    assert times(1) == sorted(times(1))
    assert times(1) == times(1)
    assert times(1) != times(2)
