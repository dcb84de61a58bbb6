"""The shape of a run: how many stations there are at which time, and when sockets are cut. A plan; it runs nothing.

A shape is a list of stages, one after the other: go to a number of stations over a time, hold for a time, cut a share
of the sockets at once. The shapes with names are such lists, and so is a YAML file::

    stages:
      - stations: 100        # or 50%, of --count
        over: 30s
      - hold: 2m
      - cut: 100%
      - hold: 1m
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from evcharging.apps.load_run.quantities import BadQuantity, duration_s, share

__all__ = ["NAMED_SHAPES", "BadShape", "Cut", "GoTo", "Hold", "Shape", "Stage", "named_shape", "read_shape"]

STEPS: Final = 5
STORMS: Final = 3


class BadShape(ValueError):
    """A shape that makes no sense. ``problems`` has one line for each stage that is wrong."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class GoTo:
    """Have so many stations, evenly over a time."""

    stations: int
    over_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Change nothing for a time."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut this share of the sockets, all at the same moment."""

    share: float


Stage = GoTo | Hold | Cut


@dataclass(frozen=True, slots=True)
class Shape:
    """A name and its stages."""

    name: str
    stages: tuple[Stage, ...]

    @property
    def duration_s(self) -> float:
        """How long it takes."""
        return sum(_length_s(stage) for stage in self.stages)

    @property
    def most_stations(self) -> int:
        """The largest number of stations in it."""
        return max((stage.stations for stage in self.stages if isinstance(stage, GoTo)), default=0)

    def stations_at(self, elapsed_s: float) -> int:
        """How many stations there are to be, ``elapsed_s`` after the beginning."""
        now = 0
        for stage in self.stages:
            length_s = _length_s(stage)
            if isinstance(stage, GoTo):
                if elapsed_s < length_s:
                    return now + round((stage.stations - now) * elapsed_s / length_s)
                now = stage.stations
            elif elapsed_s < length_s:
                return now
            elapsed_s -= length_s
        return now

    def cuts(self) -> tuple[tuple[float, float], ...]:
        """When sockets are cut, in seconds from the beginning, and which share of them."""
        found = []
        at_s = 0.0
        for stage in self.stages:
            if isinstance(stage, Cut):
                found.append((at_s, stage.share))
            at_s += _length_s(stage)
        return tuple(found)


def _ramp(count: int, run_s: float, ramp_s: float) -> tuple[Stage, ...]:
    return GoTo(count, ramp_s), Hold(max(0.0, run_s - ramp_s))


def _step(count: int, run_s: float, ramp_s: float) -> tuple[Stage, ...]:
    steps = min(STEPS, count)
    over_s = min(ramp_s, run_s) / steps
    stages: list[Stage] = []
    for step in range(1, steps + 1):
        stages += [GoTo(round(count * step / steps), over_s), Hold(run_s / steps - over_s)]
    return tuple(stages)


def _reconnect_storm(count: int, run_s: float, ramp_s: float) -> tuple[Stage, ...]:
    hold_s = max(0.0, run_s - ramp_s) / (STORMS + 1)
    stages: list[Stage] = [GoTo(count, ramp_s), Hold(hold_s)]
    for _ in range(STORMS):
        stages += [Cut(1.0), Hold(hold_s)]
    return tuple(stages)


NAMED_SHAPES: Final[Mapping[str, Callable[[int, float, float], tuple[Stage, ...]]]] = {
    "ramp": _ramp,
    "step": _step,
    "soak": _ramp,
    "reconnect-storm": _reconnect_storm,
}
"""By name: makes the stages from the number of stations, the length of the run and that of its ramp, both in s.

``ramp`` climbs and holds; ``step`` climbs in five steps; ``soak`` climbs quickly and holds for long;
``reconnect-storm`` cuts every socket three times.
"""


def named_shape(name: str, *, stations: int, run_s: float, ramp_s: float) -> Shape:
    """The shape of that name, as long as asked for.

    Raises:
        BadShape: there is no such name, or its ramp is longer than the run.
    """
    if name not in NAMED_SHAPES:
        raise BadShape(name, [f"no such shape; expected {', '.join(NAMED_SHAPES)} or a YAML file"])
    if ramp_s > run_s:
        raise BadShape(name, [f"a ramp of {ramp_s:g} s does not fit into a run of {run_s:g} s"])
    return Shape(name, NAMED_SHAPES[name](stations, run_s, ramp_s))


def read_shape(path: Path, *, stations: int) -> Shape:
    """The shape in a YAML file; percentages in it are of ``stations``.

    Raises:
        BadShape: it cannot be read, or a stage is none; names every one that is wrong.
    """
    source = str(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadShape(source, [f"cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise BadShape(source, ["expected UTF-8 text"]) from None
    except yaml.YAMLError as error:
        raise BadShape(source, [f"not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(content, dict) or not isinstance(content.get("stages"), list) or not content["stages"]:
        raise BadShape(source, ["expected a mapping with a list of stages"])
    problems = [f"{key}: no such key; there are name, stages" for key in content if key not in {"name", "stages"}]
    stages: list[Stage] = []
    for number, written in enumerate(content["stages"], start=1):
        try:
            stages.append(_stage(written, stations))
        except BadQuantity as error:
            problems.append(f"stage {number}: {error}")
    if problems:
        raise BadShape(source, problems)
    shape = Shape(str(content.get("name", path.stem)), tuple(stages))
    if shape.most_stations == 0:
        raise BadShape(source, ["expected a stage with stations above 0"])
    return shape


def _stage(written: Any, stations: int) -> Stage:
    keys = set(written) if isinstance(written, dict) else set()
    if keys == {"hold"}:
        return Hold(duration_s(written["hold"]))
    if keys == {"cut"}:
        return Cut(share(written["cut"]))
    if "stations" in keys and keys <= {"stations", "over"}:
        return GoTo(_stations(written["stations"], stations), duration_s(written.get("over", 0)))
    raise BadQuantity(f"expected stations with over, or hold, or cut, got {written!r}")


def _stations(value: Any, count: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return round(share(value) * count)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadQuantity(f"{value!r} is no number of stations; expected as 100, or 50% of --count")
    return value


def _length_s(stage: Stage) -> float:
    if isinstance(stage, GoTo):
        return stage.over_s
    return stage.for_s if isinstance(stage, Hold) else 0.0
