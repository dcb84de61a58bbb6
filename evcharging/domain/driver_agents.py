"""Drivers as agents at one site: they arrive by the hour of the day, choose a charge point or queue, and leave.

`plan_day` draws who comes when, `drive` plays any plans at a number of charge points, `site_events` does both day
after day. All of it is decided by the generators passed in, one a driver and one a site, never by who calls when.
Times are seconds of simulated time whose midnights are at multiples of a day. Nothing here waits, or asks a station.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final, NamedTuple

from evcharging.domain.vehicle import VehicleSpec

DAY_S: Final = 86_400.0

_HOUR_S: Final = 3_600.0
_LEAST_STAY_H: Final = 0.25
_LEAST_ENERGY_KWH: Final = 1.0
_SPREAD: Final = 0.25
"""Standard deviation of stay and energy as a fraction of their mean, which is all the sources give."""
_ONBOARD_KW: Final = (3.6, 7.4, 11.0, 22.0)
_CAPACITY_KWH: Final = (32.0, 77.0)
_ARRIVAL_SOC: Final = (0.10, 0.60)
_PATIENCE_S: Final = (300.0, 2_700.0)


@dataclass(frozen=True, slots=True)
class ArrivalPattern:
    """One kind of visit in a mixture: its share, and the means (for the arrival also the deviation) of what is drawn.

    Raises ValueError for a figure that makes no sense.
    """

    weight: float
    arrival_h: float
    arrival_sd_h: float
    stay_h: float
    energy_kwh: float

    def __post_init__(self) -> None:
        for name in ("weight", "stay_h", "energy_kwh"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0.0 <= self.arrival_h < 24.0 or not 0.0 <= self.arrival_sd_h < 24.0:
            raise ValueError(f"arrival_h and its deviation must be 0 to 24, got {self.arrival_h}, {self.arrival_sd_h}")


WORKPLACE: Final = (
    ArrivalPattern(0.43, arrival_h=12.4, arrival_sd_h=4.1, stay_h=3.9, energy_kwh=11.6),
    ArrivalPattern(0.39, arrival_h=6.8, arrival_sd_h=0.7, stay_h=9.6, energy_kwh=10.1),
    ArrivalPattern(0.19, arrival_h=6.9, arrival_sd_h=0.7, stay_h=9.5, energy_kwh=31.0),
)
HOME: Final = (ArrivalPattern(1.0, arrival_h=18.0, arrival_sd_h=0.6, stay_h=11.0, energy_kwh=19.0),)
"""Most of these arrive between 17 and 19 h."""

MIXTURES: Final[Mapping[str, tuple[ArrivalPattern, ...]]] = {"workplace": WORKPLACE, "home": HOME}


class Visit(NamedTuple):
    """What one driver means to do on one day.

    `driver` is a number, `patience_s` how long it waits for a free charge point, `stay_s` how long it stays plugged.
    """

    driver: int
    arrival_s: float
    stay_s: float
    patience_s: float
    energy_kwh: float
    vehicle: VehicleSpec


class Step(StrEnum):
    """What a driver does."""

    PLUG_IN = "plug-in"
    QUEUE = "queue"
    GIVE_UP = "give-up"
    PLUG_OUT = "plug-out"


class DriverEvent(NamedTuple):
    """Something a driver does at a time; `charge_point` is 0 up to one less than there are, None while it has none."""

    at_s: float
    step: Step
    visit: Visit
    charge_point: int | None


def plan_visit(
    mixture: tuple[ArrivalPattern, ...], *, driver: int, day_start_s: float, generator: random.Random
) -> Visit:
    """Draw a driver's visit on the day that begins at `day_start_s`; an arrival past midnight is on the same clock."""
    (pattern,) = generator.choices(mixture, weights=[pattern.weight for pattern in mixture])
    arrival_h = generator.gauss(pattern.arrival_h, pattern.arrival_sd_h) % 24.0
    stay_h = max(_LEAST_STAY_H, generator.gauss(pattern.stay_h, _SPREAD * pattern.stay_h))
    energy_kwh = max(_LEAST_ENERGY_KWH, generator.gauss(pattern.energy_kwh, _SPREAD * pattern.energy_kwh))
    vehicle = VehicleSpec(
        capacity_kwh=generator.uniform(*_CAPACITY_KWH),
        onboard_kw=generator.choice(_ONBOARD_KW),
        arrival_soc=generator.uniform(*_ARRIVAL_SOC),
    )
    return Visit(
        driver=driver,
        arrival_s=day_start_s + arrival_h * _HOUR_S,
        stay_s=stay_h * _HOUR_S,
        patience_s=generator.uniform(*_PATIENCE_S),
        energy_kwh=energy_kwh,
        vehicle=vehicle,
    )


def plan_day(
    mixture: tuple[ArrivalPattern, ...], *, day_start_s: float, generators: Iterable[random.Random]
) -> list[Visit]:
    """Draw one visit for each driver, numbered from 0 in the order of their generators; the earliest comes first."""
    return sorted(
        (
            plan_visit(mixture, driver=driver, day_start_s=day_start_s, generator=generator)
            for driver, generator in enumerate(generators)
        ),
        key=lambda visit: visit.arrival_s,
    )


def drive(visits: Iterable[Visit], *, charge_points: int, generator: random.Random) -> Iterator[DriverEvent]:
    """Play visits, which come in order of arrival, and yield what happens in order of time.

    A driver takes one of the free charge points (which one, the site's generator says), or joins the one queue. The
    first in it takes the next that falls free; who has waited longer than its patience leaves. Everybody plugs out
    when the stay is over, counted from plugging in.
    """
    if charge_points < 1:
        raise ValueError(f"a site needs at least 1 charge point, got {charge_points}")
    free = list(range(charge_points))
    queue: deque[Visit] = deque()
    numbers = count()
    # Times that are set already: a leaving (with its charge point) or the end of a patience (with None).
    due: list[tuple[float, int, Visit, int | None]] = []

    def plug_in(visit: Visit, charge_point: int, at_s: float) -> DriverEvent:
        heapq.heappush(due, (at_s + visit.stay_s, next(numbers), visit, charge_point))
        return DriverEvent(at_s, Step.PLUG_IN, visit, charge_point)

    def settle(until_s: float) -> Iterator[DriverEvent]:
        while due and due[0][0] <= until_s:
            at_s, _, visit, charge_point = heapq.heappop(due)
            if charge_point is None:
                if visit in queue:
                    queue.remove(visit)
                    yield DriverEvent(at_s, Step.GIVE_UP, visit, None)
                continue
            yield DriverEvent(at_s, Step.PLUG_OUT, visit, charge_point)
            if queue:
                yield plug_in(queue.popleft(), charge_point, at_s)
            else:
                free.append(charge_point)

    for visit in visits:
        yield from settle(visit.arrival_s)
        if free:
            yield plug_in(visit, free.pop(generator.randrange(len(free))), visit.arrival_s)
        else:
            queue.append(visit)
            heapq.heappush(due, (visit.arrival_s + visit.patience_s, next(numbers), visit, None))
            yield DriverEvent(visit.arrival_s, Step.QUEUE, visit, None)
    yield from settle(math.inf)


def site_events(
    mixture: tuple[ArrivalPattern, ...],
    *,
    start_s: float,
    charge_points: int,
    drivers: int,
    generator_of: Callable[[str], random.Random],
) -> Iterator[DriverEvent]:
    """Yield what happens at a site from `start_s` on, day after day without end.

    Args:
        mixture: When its drivers come.
        start_s: The beginning, in simulated seconds; nobody is there yet.
        charge_points: How many the site has.
        drivers: How many come each day.
        generator_of: Makes the generator of `"site"` and of each `"driver 0"`, `"driver 1"`, ...; the same name must
            always give the same sequence.
    """
    generators = [generator_of(f"driver {driver}") for driver in range(drivers)]

    def visits() -> Iterator[Visit]:
        if not generators:
            return
        for day in count(math.floor(start_s / DAY_S)):
            planned = plan_day(mixture, day_start_s=day * DAY_S, generators=generators)
            yield from (visit for visit in planned if visit.arrival_s >= start_s)

    return drive(visits(), charge_points=charge_points, generator=generator_of("site"))
