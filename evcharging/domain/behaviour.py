"""How a simulated station behaves: its pace, its sessions, its absences and what its policy allows.

`parse_profile` reads one profile from the text of a YAML file and says for each bad key what was expected. It opens no
file: which files there are is known to `apps/runtime/behaviour_profiles.py`. Randomness is the caller's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from evcharging.domain.policy_limits import MAX_GRID_LOAD, PolicyInputError, PolicyLimits
from evcharging.domain.site import PEAK_HOURS, PEAK_POWER_FACTOR

DEFAULT_PROFILE: Final = "default"

_WH_PER_KWH: Final = 1000.0
_MAX_TAG_LENGTH: Final = 20
_MAX_TAGS: Final = 10_000


class ProfileError(ValueError):
    """Raised for a profile that makes no sense. `problems` has one line for each bad key."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source = source
        self.problems = tuple(problems)


class UnknownProfile(LookupError):
    """Raised for a name no profile has; the message lists those there are."""

    def __init__(self, name: str, known: Mapping[str, object]) -> None:
        super().__init__(name)
        self.name = name
        self.known = tuple(sorted(known))

    def __str__(self) -> str:
        return f"no behaviour profile {self.name!r}; there are {', '.join(self.known)}"


class Range(NamedTuple):
    """A least and a most, both included."""

    least: float
    most: float

    def at(self, fraction: float) -> float:
        """Return the point at `fraction` (0 to 1, from the caller's generator) of the way."""
        return self.least + (self.most - self.least) * fraction


_PAUSE_S: Final = Range(30.0, 90.0)
_ENERGY_STEP_WH: Final = Range(10.0, 20.0)
_STAY_S: Final = Range(300.0, 900.0)
_OFFLINE_S: Final = Range(15.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourProfile:
    """One behaviour, shared by all stations that have it.

    Attributes:
        name: What people select it by.
        description: One line about it.
        heartbeat_interval_s: Pause between heartbeats until the CSMS sets another.
        sessions: Whether it charges vehicles at all.
        pause_s: Time between the end of one session and the next arrival.
        meter_interval_s: Time between sampled meter values.
        energy_step_wh: Energy that one meter interval carries; the vehicle of a session takes power accordingly.
        stay_s: How long a vehicle stays plugged, unless something ends its session first.
        retry_s: Pause before asking a policy again that said wait, pause or defer.
        offline_probability: Chance at each heartbeat that the station loses its connection on purpose.
        offline_s: How long it then stays away; transaction messages are kept meanwhile.
        id_tags: Tags its drivers present, in turn or at random.
        charge_if_price_below: Highest price per kWh it charges at; None for any.
        max_energy_kwh: Cap on the energy of a session; None for none.
        allow_peak_hours: Whether it charges in peak hours, with `peak_power_factor` of its power.
        peak_hours: The peak hours of the day, 0 to 23.
        peak_power_factor: Share of power in peak hours.
        max_grid_load: Grid load (1 is full) above which it ramps down.
        max_carbon_g_per_kwh: Carbon intensity above which it ramps down or defers; None to ignore it.
    """

    name: str
    description: str = ""
    heartbeat_interval_s: float = 60.0
    sessions: bool = True
    pause_s: Range = _PAUSE_S
    meter_interval_s: float = 10.0
    energy_step_wh: Range = _ENERGY_STEP_WH
    stay_s: Range = _STAY_S
    retry_s: float = 60.0
    offline_probability: float = 0.0
    offline_s: Range = _OFFLINE_S
    id_tags: tuple[str, ...] = ("ABC123", "TAG-0001", "TAG-0002", "TAG-0003")
    charge_if_price_below: float | None = 25.0
    max_energy_kwh: float | None = 30.0
    allow_peak_hours: bool = True
    peak_hours: frozenset[int] = PEAK_HOURS
    peak_power_factor: float = PEAK_POWER_FACTOR
    max_grid_load: float = MAX_GRID_LOAD
    max_carbon_g_per_kwh: float | None = None
    limits: PolicyLimits = field(init=False, repr=False, compare=False)
    """The policy's part of it, made once."""

    def __post_init__(self) -> None:
        limits = PolicyLimits(
            charge_if_price_below=self.charge_if_price_below,
            max_energy_kwh=self.max_energy_kwh,
            allow_peak_hours=self.allow_peak_hours,
            peak_hours=self.peak_hours,
            max_grid_load=self.max_grid_load,
            max_carbon_g_per_kwh=self.max_carbon_g_per_kwh,
        )
        object.__setattr__(self, "limits", limits)

    @property
    def max_energy_wh(self) -> float | None:
        """The cap on a session in Wh, None for none."""
        return None if self.max_energy_kwh is None else self.max_energy_kwh * _WH_PER_KWH

    def session_power_kw(self, fraction: float) -> float:
        """Return the power in kW a session's vehicle takes, at `fraction` (0 to 1) of the way through the range."""
        return self.energy_step_wh.at(fraction) * 3.6 / self.meter_interval_s

    def power_factor(self, hour: int) -> float:
        """Return the share of power this profile leaves at an hour of the day."""
        return self.peak_power_factor if hour in self.peak_hours else 1.0


def parse_profile(name: str, text: str, *, source: str) -> BehaviourProfile:
    """Read a profile from YAML text: a mapping of attributes of `BehaviourProfile`, the others at their defaults.

    Args:
        name: Name of the profile; a key `name` in the text must be the same.
        text: The YAML.
        source: What to call the text in errors, such as its path.

    Raises:
        ProfileError: not YAML, an unknown key, a value that is not what its key expects.
    """
    content = _mapping(text, source)
    problems = []
    values: dict[str, Any] = {"name": name}
    if content.pop("name", name) != name:
        problems.append(f"name: expected {name!r}, the name of the file, or no name")
    if "allow_peak" in content:
        content.setdefault("allow_peak_hours", content.pop("allow_peak"))
    for key, value in content.items():
        reader = _READERS.get(key)
        if reader is None:
            problems.append(f"{key}: no such key; there are {', '.join(_READERS)}")
            continue
        try:
            values[key] = reader(value)
        except ValueError as error:
            problems.append(f"{key}: expected {error}, got {value!r}")
    if problems:
        raise ProfileError(source, problems)
    try:
        return BehaviourProfile(**values)
    except PolicyInputError as error:
        raise ProfileError(source, [str(error)]) from None


def profile_named(profiles: Mapping[str, BehaviourProfile], name: str) -> BehaviourProfile:
    """Return the profile of that name. Raises UnknownProfile, which lists those there are."""
    try:
        return profiles[name]
    except KeyError:
        raise UnknownProfile(name, profiles) from None


def _mapping(text: str, source: str) -> dict[Any, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ProfileError(source, [f"not YAML: {' '.join(str(error).split())}"]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ProfileError(source, [f"expected a mapping of keys to values, got {type(content).__name__}"])
    return content


def _number(value: Any, *, least: float = -math.inf, most: float = math.inf, above: bool = False) -> float:
    bounds = "" if least == -math.inf else f" {'above' if above else 'of'} {least:g}{'' if above else ' or more'}"
    bounds += "" if most == math.inf else f" and {most:g} or less"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a number{bounds}")
    if not least <= value <= most or (above and value == least):
        raise ValueError(f"a number{bounds}")
    return float(value)


def _positive(value: Any) -> float:
    return _number(value, least=0.0, above=True)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _optional_positive(value: Any) -> float | None:
    return None if value is None else _positive(value)


def _fraction(value: Any) -> float:
    return _number(value, least=0.0, most=1.0)


def _range(value: Any) -> Range:
    """One number stands for a range of that number alone."""
    ends = value if isinstance(value, list) else [value, value]
    try:
        least, most = (_number(end, least=0.0) for end in ends)
    except ValueError:
        raise ValueError("a number of 0 or more, or a list of the least and the most") from None
    if least > most:
        raise ValueError("a list of the least and the most, in this order")
    return Range(least, most)


def _above_zero_range(value: Any) -> Range:
    found = _range(value)
    if found.least <= 0.0:
        raise ValueError("a number above 0, or a list of the least and the most, both above 0")
    return found


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - one error for every bad value
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")  # noqa: TRY004
    return value


def _tags(value: Any) -> tuple[str, ...]:
    expected = f"a list of 1 to {_MAX_TAGS} idTags of 1 to {_MAX_TAG_LENGTH} characters"
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_TAGS:
        raise ValueError(expected)
    if not all(isinstance(tag, str) and 1 <= len(tag) <= _MAX_TAG_LENGTH for tag in value):
        raise ValueError(f"{expected} (in quotes where they are digits)")
    return tuple(value)


def _hours(value: Any) -> frozenset[int]:
    good = isinstance(value, list) and all(
        isinstance(hour, int) and not isinstance(hour, bool) and 0 <= hour < 24 for hour in value
    )
    if not good:
        raise ValueError("a list of hours from 0 to 23")
    return frozenset(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "description": _text,
    "heartbeat_interval_s": _positive,
    "sessions": _flag,
    "pause_s": _range,
    "meter_interval_s": _positive,
    "energy_step_wh": _above_zero_range,
    "stay_s": _above_zero_range,
    "retry_s": _positive,
    "offline_probability": _fraction,
    "offline_s": _range,
    "id_tags": _tags,
    "charge_if_price_below": _optional,
    "max_energy_kwh": _optional_positive,
    "allow_peak_hours": _flag,
    "peak_hours": _hours,
    "peak_power_factor": _fraction,
    "max_grid_load": _fraction,
    "max_carbon_g_per_kwh": _optional_positive,
}
