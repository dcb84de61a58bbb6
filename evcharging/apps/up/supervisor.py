"""Starts services as their needs are met, watches them, starts again what ends, and stops them in order.

Knows nothing of what the services are; see `evcharging.apps.up.plan`. Never leaves a process behind: leaving the
``async with`` block stops every service, by SIGKILL where SIGTERM did not do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from evcharging.apps.runtime.errors import EXIT_USAGE, GaveUp, UsageError
from evcharging.apps.up.backoff import Backoff
from evcharging.apps.up.process import ChildProcess, describe_exit
from evcharging.apps.up.service_log import ServiceLog, Show
from evcharging.apps.up.spec import Restart, ServiceSpec, check_specs

__all__ = ["Service", "Supervisor"]

PROBE_INTERVAL_S = 0.1
KILL_WITHIN_S = 5.0
STOP_AFTER_FAILURE_WITHIN_S = 3.0


class Service:
    """One service as the supervisor sees it."""

    def __init__(self, spec: ServiceSpec, log: ServiceLog) -> None:
        self.spec = spec
        self.log = log
        self.ready = asyncio.Event()
        self.starts = 0
        self.ever_ready = False
        self.lacks = "not started yet"
        self.child: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """Of its process; None while there is none."""
        return self.child.pid if self.child is not None and self.child.alive else None


class Supervisor:
    """Runs services for as long as its ``async with`` block does.

    Args:
        specs: what to run, in any order.
        log_dir: directory of the services' log files; has to exist.
        tell: takes a sentence for the person at the terminal.
        show: takes each line that a service writes.
    """

    def __init__(self, specs: Sequence[ServiceSpec], *, log_dir: Path, tell: Callable[[str], None], show: Show) -> None:
        check_specs(specs)
        self.services = {spec.name: Service(spec, ServiceLog(log_dir, spec.name, show)) for spec in specs}
        self._tell = tell
        self._keepers: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed.add_done_callback(lambda failed: failed.cancelled() or failed.exception())

    async def __aenter__(self) -> Self:
        for name, service in self.services.items():
            keeper = asyncio.create_task(self._keep(service), name=f"keep:{name}")
            keeper.add_done_callback(self._keeper_ended)
            self._keepers.append(keeper)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        try:
            await asyncio.gather(*self._keepers, return_exceptions=True)
            services = sorted(self.services.values(), key=_stop_stage, reverse=True)
            for _stage, together in groupby(services, key=_stop_stage):
                await asyncio.gather(*(self._stop(service) for service in together))
        finally:
            await self._kill_the_rest()
            for service in self.services.values():
                service.log.close()

    @property
    def unready(self) -> list[str]:
        """The names of the services that are not ready."""
        return [name for name, service in self.services.items() if not service.ready.is_set()]

    async def until_ready(self, timeout_s: float) -> None:
        """Wait until every service is ready.

        Raises:
            GaveUp: not within ``timeout_s``, or a service ended that nothing goes without; says which and why.
            UsageError: a service refused its settings; repeats what it said.
        """
        all_ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait({all_ready, self._failed}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            if not all_ready.done():
                raise GaveUp(f"not ready within {timeout_s:g} s: {'; '.join(self._told_unready())}")
        finally:
            all_ready.cancel()

    async def until_failure(self) -> None:
        """Wait for the end of a service that nothing goes without; returns only by raising.

        Raises:
            GaveUp: says which service and how it ended.
        """
        await asyncio.shield(self._failed)

    async def _all_ready(self) -> None:
        for service in self.services.values():
            await service.ready.wait()

    async def _keep(self, service: Service) -> None:
        backoff = Backoff()
        if not service.spec.loads_early:
            await self._needs_met(service)
        while True:
            code, ready_s = await self._run_once(service)
            how = describe_exit(code)
            service.log.note(f"-- {how}")
            service.lacks = f"ended ({how})"
            if code == EXIT_USAGE and not service.ever_ready:
                raise UsageError(service.log.last_error or f"{service.spec.name} refused its settings")
            if code == 0 and service.spec.restart in (Restart.RUN_ONCE, Restart.UNTIL_DONE):
                service.ready.set()
                return
            if service.spec.restart in (Restart.RUN_ONCE, Restart.ESSENTIAL):
                raise GaveUp(f"{service.spec.name} ended ({how}){_last_words(service)}; more in {service.log.path}")
            delay_s = backoff.delay_after(ready_s)
            self._tell(f"{service.spec.name} ended ({how}){_last_words(service)}; started again in {delay_s:g} s")
            await asyncio.sleep(delay_s)

    async def _needs_met(self, service: Service) -> None:
        for name in service.spec.needs:
            service.lacks = f"waits for {name}"
            await self.services[name].ready.wait()
        service.lacks = "starting"

    async def _run_once(self, service: Service) -> tuple[int, float]:
        """Start it and wait for its end; returns the exit code and for how many seconds it was ready."""
        spec = service.spec
        service.lacks = "starting"
        service.starts += 1
        service.log.last_error = None
        service.log.note(f"-- start {service.starts}: {' '.join(spec.argv)}")
        try:
            service.child = child = await ChildProcess.start(
                spec.argv, env={**os.environ, **spec.env}, take_line=service.log.take_line
            )
        except OSError as error:
            raise GaveUp(f"{spec.name} cannot be started: {error}") from error
        exited = asyncio.create_task(child.wait(), name=f"wait:{spec.name}")
        probing = asyncio.create_task(self._begin_and_probe(service, child), name=f"probe:{spec.name}")
        try:
            await asyncio.wait({exited, probing}, return_when=asyncio.FIRST_COMPLETED)
            ready_at = probing.result() if probing.done() else None
            code = await exited
            return code, 0.0 if ready_at is None else time.monotonic() - ready_at
        finally:
            service.ready.clear()
            for task in (exited, probing):
                task.cancel()
            await asyncio.gather(exited, probing, return_exceptions=True)

    async def _begin_and_probe(self, service: Service, child: ChildProcess) -> float:
        """Let it begin, ask until it is ready, and return the moment. What runs once is ready by its end alone."""
        started = time.monotonic()
        if not service.ever_ready:
            await self._needs_met(service)
        child.begin()
        if service.spec.restart is Restart.RUN_ONCE:
            await asyncio.Event().wait()
        while (lacks := await service.spec.ready()) is not None:
            service.lacks = lacks
            await asyncio.sleep(PROBE_INTERVAL_S)
        if service.ever_ready:
            self._tell(f"{service.spec.name} is back (pid {service.pid})")
        service.ever_ready = True
        service.ready.set()
        ready_at = time.monotonic()
        service.log.note(f"-- ready {ready_at - started:.1f} s after its start")
        return ready_at

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled() or self._failed.done():
            return
        if (error := keeper.exception()) is not None:
            self._failed.set_exception(error)

    async def _stop(self, service: Service) -> None:
        child = service.child
        if child is None or not child.alive:
            return
        within_s = service.spec.stop_within_s
        if self._failed.done():  # what it would wait for to finish its work is gone
            within_s = min(within_s, STOP_AFTER_FAILURE_WITHIN_S)
        child.terminate()
        try:
            code = await asyncio.wait_for(child.wait(), within_s)
            service.log.note(f"-- stopped ({describe_exit(code)})")
        except TimeoutError:
            self._tell(f"{service.spec.name} did not end within {within_s:g} s; it is killed")
            child.kill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), KILL_WITHIN_S)

    async def _kill_the_rest(self) -> None:
        children = [service.child for service in self.services.values() if service.child is not None]
        for child in children:
            child.kill()
        if children:
            await asyncio.wait([asyncio.create_task(child.wait()) for child in children], timeout=KILL_WITHIN_S)

    def _told_unready(self) -> list[str]:
        unready = [self.services[name] for name in self.unready]
        return [f"{service.spec.name}: {service.lacks}{_last_words(service)}" for service in unready]


def _stop_stage(service: Service) -> int:
    return service.spec.stop_stage


def _last_words(service: Service) -> str:
    return f": {service.log.last_error}" if service.log.last_error else ""
