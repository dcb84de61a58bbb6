"""``evcharging swarm``: a load run against any CSMS, with a live view, reports, and an exit code that says how it went.

Exit codes: 0 all held, 3 a threshold was crossed, 1 no station could connect or was accepted, or a report could not be
written (standard error says which), 2 bad usage, 130 a second Ctrl-C cut the run off.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sys
from collections.abc import AsyncIterator, Sequence

from rich.console import Console

from evcharging.apps.load_run import live
from evcharging.apps.load_run.live_page import live_page
from evcharging.apps.load_run.outcome import RunOutcome
from evcharging.apps.load_run.plan import plan_of
from evcharging.apps.load_run.report import write_report
from evcharging.apps.load_run.run import LoadRun
from evcharging.apps.load_run.settings import LoadRunSettings
from evcharging.apps.load_run.summary import summary, why_nothing_ran
from evcharging.apps.runtime.errors import EXIT_CUT_OFF, EXIT_FAILED_CHECK, EXIT_OK, GaveUp, UsageError
from evcharging.apps.runtime.garbage import collected_seldom
from evcharging.apps.runtime.http import bind, serving
from evcharging.apps.runtime.service import Hurry, run_service
from evcharging.ocpp.station.dialing import BoundedDial, TooManyStations, make_room_for
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.websocket_client import dial

__all__ = ["load_run", "main"]

DIALLED_AT_ONCE = 200
ENDING = (
    "the run ends: stations end what they have begun and deliver what they have kept (those without a connection come"
    " back for it, within --settle), then comes the report; another Ctrl-C waits for them no more"
)
CUTTING_OFF = (
    f"the run is cut off: the report comes without what stations still had to say, and exit code {EXIT_CUT_OFF};"
    " another Ctrl-C ends at once, without a report"
)
_LOOPBACK = "127.0.0.1"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the load run and return its exit code; nothing interrupts the process any more, the report is out."""
    hurry = Hurry(on_first=ENDING, on_second=CUTTING_OFF)
    code = run_service(functools.partial(load_run, hurry=hurry.asked), LoadRunSettings, argv, hurry=hurry)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, signal.SIG_IGN)
    return code


async def load_run(settings: LoadRunSettings, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> int:
    """Run to the end of the shape or until ``stop`` is set, write the reports and return the exit code.

    A run whose end ``hurry`` cut short counts as that whatever its thresholds say: they are meant for a whole one.
    """
    plan = plan_of(settings)
    try:
        make_room_for(plan.shape.most_stations + plan.background_count)
    except TooManyStations as error:
        raise UsageError(f"--count: {error}") from None
    environment = SharedEnvironment(price=settings.price, currency="EUR", hour=settings.hour)
    run = LoadRun(plan, dial=BoundedDial(dial, at_once=DIALLED_AT_ONCE), environment=environment)
    async with _shown(run, settings):
        with collected_seldom():
            outcome = await run.run(stop, hurry)
    sys.stdout.write(summary(outcome) + "\n")
    _write_reports(outcome, settings)
    if outcome.cut_off:
        return EXIT_CUT_OFF
    if outcome.failed:
        return EXIT_FAILED_CHECK
    if not outcome.connections.boots_accepted:
        raise GaveUp(why_nothing_ran(outcome, settings.csms_url))
    return EXIT_OK


@contextlib.asynccontextmanager
async def _shown(run: LoadRun, settings: LoadRunSettings) -> AsyncIterator[None]:
    """Show the run while it runs: on the terminal if there is one, in the browser if asked for."""
    async with contextlib.AsyncExitStack() as shown:
        if settings.web is not None:
            sock = bind(_LOOPBACK, settings.web, flag="--web")
            sys.stderr.write(f"live figures at http://{_LOOPBACK}:{sock.getsockname()[1]}\n")
            await shown.enter_async_context(serving(live_page(run), sock, name="load-run"))
        if settings.live and sys.stderr.isatty():
            task = asyncio.create_task(live.show(run, Console(stderr=True)))
            shown.push_async_callback(_ended, task)
        yield


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _write_reports(outcome: RunOutcome, settings: LoadRunSettings) -> None:
    for file in settings.report:
        try:
            write_report(outcome, file)
        except OSError as error:
            raise GaveUp(f"--report {file}: cannot be written ({error.strerror})") from None
        sys.stderr.write(f"report: {file}\n")


if __name__ == "__main__":
    sys.exit(main())
