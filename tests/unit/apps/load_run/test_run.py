import asyncio
from dataclasses import replace

from evcharging.apps.load_run.drivers import Drivers
from evcharging.apps.load_run.shape import Cut, GoTo, Hold, Shape
from evcharging.apps.load_run.thresholds import Threshold
from evcharging.ocpp.station.faults import FaultPlan
from tests.unit.apps.load_run.conftest import LIVELY, until


async def test_a_run_follows_its_shape_and_tells_what_came_out(world):
    run = world.run(thresholds=(Threshold.parse("ledger > 0"), Threshold.parse("calls < 1000000")))
    outcome = await run.run(asyncio.Event())
    assert outcome.elapsed_s >= 1.0
    assert not outcome.stopped_early
    assert (outcome.stations.most, outcome.connections.connects, outcome.connections.closed) == (3, 3, 3)
    assert outcome.ledger.clean, outcome.ledger.problems
    assert outcome.stations.sessions == outcome.ledger.began == outcome.ledger.acknowledged
    assert [verdict.failed for verdict in outcome.verdicts] == [False, True]
    assert sum(point.calls for point in outcome.points) == outcome.overall.calls
    assert run.phase == "over"


async def test_a_stop_ends_it_at_once_and_in_good_order(world):
    stop = asyncio.Event()
    run = world.run(shape=Shape("long", (GoTo(2, 0.0), Hold(3600.0))))
    running = asyncio.create_task(run.run(stop))
    await until(lambda: run.measured.listener.sessions >= 2)
    stop.set()
    outcome = await asyncio.wait_for(running, 15.0)
    assert outcome.stopped_early
    assert outcome.ledger.clean, outcome.ledger.problems


async def test_asked_to_hurry_it_tells_at_once_what_came_out_and_that_it_was_cut_off(world):
    world.csms.silent = {"StopTransaction"}
    stop, hurry = asyncio.Event(), asyncio.Event()
    run = world.run(
        shape=Shape("long", (GoTo(2, 0.0), Hold(3600.0))),
        measured=replace(world.fleet_plan, call_timeout_s=600.0),
        stop_within_s=600.0,
        thresholds=(Threshold.parse("ledger > 0"),),
    )
    running = asyncio.create_task(run.run(stop, hurry))
    await until(lambda: "StopTransaction" in dict(world.csms.received))
    stop.set()
    await until(lambda: run.phase == "ending")
    hurry.set()
    outcome = await asyncio.wait_for(running, 15.0)
    assert (outcome.cut_off, outcome.failed) == (True, True)
    assert outcome.stations.ended_by_force >= 1
    assert run.phase == "over"


async def test_sockets_are_cut_when_the_shape_says_so(world):
    shape = Shape("storm", (GoTo(4, 0.0), Hold(0.4), Cut(1.0), Hold(0.3)))
    outcome = await world.run(shape=shape).run(asyncio.Event())
    assert outcome.connections.disconnects == 4
    assert outcome.connections.reconnects == 4
    assert outcome.ledger.clean, outcome.ledger.problems


async def test_the_background_is_there_and_its_calls_are_counted_apart(world):
    background = replace(world.fleet_plan, id_prefix="BG", profile=None)
    outcome = await world.run(background=background, background_count=2).run(asyncio.Event())
    assert outcome.connections.connects == 3
    boots = next(figures for figures in outcome.actions if figures.action == "BootNotification")
    assert boots.calls == 3
    assert outcome.background.calls >= 2
    assert outcome.background.action == "background"


async def test_drivers_end_with_the_run(world):
    def drivers(group):
        return Drivers(
            group,
            stations=3,
            connectors=1,
            mixture="workplace",
            per_connector=5.0,
            start_hour=6.0,
            scale=20_000.0,
            id_tags=("A", "B"),
            seed=1,
        )

    fleet_plan = replace(world.fleet_plan, profile=replace(LIVELY, sessions=False), vehicles_come=False)
    stop = asyncio.Event()
    run = world.run(measured=fleet_plan, drivers=drivers, shape=Shape("long", (GoTo(3, 0.0), Hold(3600.0))))
    running = asyncio.create_task(run.run(stop))
    await until(lambda: run.measured.listener.sessions)
    stop.set()
    outcome = await running
    assert outcome.ledger.clean, outcome.ledger.problems


async def test_protocol_faults_are_told_by_kind(world):
    fleet_plan = replace(world.fleet_plan, protocol=FaultPlan.parse("unknown-action=0.3"))
    outcome = await world.run(measured=fleet_plan).run(asyncio.Event())
    (fault,) = outcome.faults
    assert fault.kind == "unknown-action"
    assert fault.as_expected + fault.otherwise == sum(fault.outcomes.values()) >= 1


async def test_while_it_runs_it_tells_what_came_out_so_far(world):
    stop = asyncio.Event()
    run = world.run(shape=Shape("long", (GoTo(2, 0.0), Hold(3600.0))))
    running = asyncio.create_task(run.run(stop))
    await until(lambda: run.measured.timeline.points)
    so_far = run.so_far()
    assert so_far.connections.connects == 2
    assert so_far.ledger.clean
    stop.set()
    await running
