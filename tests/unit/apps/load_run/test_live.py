import asyncio
import io

from rich.console import Console

from evcharging.apps.load_run import live
from evcharging.apps.load_run.shape import GoTo, Hold, Shape
from tests.unit.apps.load_run.conftest import until


def text_of(run):
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(live.frame(run))
    return console.file.getvalue()


async def test_before_anything_happened_there_is_something_to_show(world):
    assert "stations 0/0" in text_of(world.run())


async def test_it_shows_progress_figures_and_actions_while_the_run_runs(world):
    stop = asyncio.Event()
    run = world.run(shape=Shape("long", (GoTo(2, 0.0), Hold(3600.0))))
    running = asyncio.create_task(run.run(stop))
    await until(lambda: run.measured.timeline.points)
    run.measured.latencies.look_at_next()
    shown = text_of(run)
    stop.set()
    await running
    for words in ("a test", "running", "of 1 h", "stations 2/2", "calls/s", "kW", "p99"):
        assert words in shown
    assert "over" in text_of(run)


async def test_at_the_end_it_shows_what_stations_have_still_to_deliver(world):
    world.csms.silent = {"StopTransaction"}
    stop, hurry = asyncio.Event(), asyncio.Event()
    run = world.run(shape=Shape("long", (GoTo(2, 0.0), Hold(3600.0))))
    running = asyncio.create_task(run.run(stop, hurry))
    await until(lambda: "StopTransaction" in dict(world.csms.received))
    stop.set()
    await until(lambda: run.phase == "ending" and run.measured.to_deliver()[0] == 2)
    shown = text_of(run)
    hurry.set()
    await running
    assert "messages of 2 stations still to deliver" in shown


async def test_showing_goes_on_until_it_is_cancelled(world):
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    task = asyncio.create_task(live.show(world.run(), console))
    await until(console.file.getvalue)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert "a test" in console.file.getvalue()
