"""What a supervised service is: how it is started, when it is ready, what its end means and when it is stopped.

Declarations only; `evcharging.apps.up.supervisor` acts on them, `evcharging.apps.up.plan` makes those of this project.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Probe", "Restart", "ServiceSpec", "check_specs", "python_service", "running"]

Probe = Callable[[], Awaitable[str | None]]
"""Asks once whether a service is ready: None when it is, otherwise what it still lacks."""

STOP_WITHIN_S = 15.0
LAUNCHER = "evcharging.apps.up.launch"


class Restart(Enum):
    """What the end of a service means."""

    ALWAYS = "always"
    """It is started again, after a back-off that grows."""
    UNTIL_DONE = "until done"
    """Exit 0 is the end of its work; after any other it is started again."""
    RUN_ONCE = "run once"
    """It is ready when it ends with exit 0; any other exit ends the whole run."""
    ESSENTIAL = "essential"
    """What it holds dies with it: its end is the end of the whole run."""


async def running() -> str | None:
    """The probe of a service that has nothing to ask: it is ready as soon as its process runs."""
    return None


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service.

    Attributes:
        name: its name on the terminal and of its log file.
        argv: the command; see `python_service` for those of this project.
        ready: asked again and again while the process runs and is not ready.
        needs: names of the services that have to be ready before it is started for the first time.
        loads_early: its process is started at once and loads its code while what it needs gets ready.
        env: variables on top of those of the supervisor's own environment.
        restart: what its end means.
        stop_stage: the highest stage is stopped first; services of one stage stop together.
        stop_within_s: seconds from SIGTERM to SIGKILL.
    """

    name: str
    argv: Sequence[str]
    ready: Probe = running
    needs: Sequence[str] = ()
    loads_early: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    restart: Restart = Restart.ALWAYS
    stop_stage: int = 0
    stop_within_s: float = STOP_WITHIN_S


def python_service(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs ``module.main(arguments)`` in a process that ends when its parent does."""
    return (sys.executable, "-m", LAUNCHER, module, *arguments)


def check_specs(specs: Sequence[ServiceSpec]) -> None:
    """Refuse a plan that could never start.

    Raises:
        ValueError: two services of one name, a need that nobody meets, or needs that go in a circle; names them.
    """
    needs: dict[str, set[str]] = {}
    for spec in specs:
        if spec.name in needs:
            raise ValueError(f"two services are named {spec.name!r}")
        needs[spec.name] = set(spec.needs)
    for name, wanted in needs.items():
        if missing := wanted - needs.keys():
            raise ValueError(f"{name!r} needs {', '.join(sorted(missing))}, which is not in the plan")
    while needs:
        startable = {name for name, wanted in needs.items() if not wanted & needs.keys()}
        if not startable:
            raise ValueError(f"these services wait for each other: {', '.join(sorted(needs))}")
        for name in startable:
            del needs[name]
