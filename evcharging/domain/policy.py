"""Whether a station may charge now: one pure decision over its session, its profile and what the site says.

`evaluate_charging_policy` and `evaluate_meter_value_decision` take and return plain dicts, checked key by key; `decide`
and `decide_while_metering` are the same over typed values, for callers that decide often. Nothing here starts or stops
anything: the caller acts on the answer and logs its reason.

The order is fixed: energy cap, price, peak hour; only where all three allow charging do the site's signals count
(demand response, grid load, carbon intensity), and without signals they cannot change an answer.
"""

import math
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from evcharging.domain.policy_limits import (
    HOURS,
    MAX_GRID_LOAD,
    PolicyInputError,
    PolicyLimits,
    Signals,
    check_hour,
    check_number,
)
from evcharging.domain.site import PEAK_HOURS, PEAK_POWER_FACTOR

__all__ = [
    "CHARGE",
    "CONTINUE",
    "Action",
    "Decision",
    "PolicyInputError",
    "PolicyLimits",
    "Signals",
    "decide",
    "decide_while_metering",
    "evaluate_charging_policy",
    "evaluate_meter_value_decision",
    "refuse_price",
]

_WH_PER_KWH: Final = 1000.0


class Action(StrEnum):
    """What a policy decides. `CONTINUE` and `STOP` are the answers of the meter loop."""

    CHARGE = "charge"
    WAIT = "wait"
    PAUSE = "pause"
    RAMP_DOWN = "ramp_down"
    DEFER = "defer"
    CONTINUE = "continue"
    STOP = "stop"


class Decision(NamedTuple):
    """An action and why.

    `limit_factor` is the share of the rated current still allowed (RAMP_DOWN); `until_hour` the hour of the day, 0 to
    23, from which on to ask again (DEFER).
    """

    action: Action
    reason: str
    limit_factor: float | None = None
    until_hour: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return `{action, reason}`, with `limit_factor` or `until_hour` where the action has one."""
        answer: dict[str, Any] = {"action": self.action.value, "reason": self.reason}
        if self.limit_factor is not None:
            answer["limit_factor"] = self.limit_factor
        if self.until_hour is not None:
            answer["until_hour"] = self.until_hour
        return answer


CHARGE: Final = Decision(Action.CHARGE, "Conditions OK")
CONTINUE: Final = Decision(Action.CONTINUE, "Conditions OK")


def evaluate_charging_policy(
    station_state: Mapping[str, Any], profile: Mapping[str, Any], env: Mapping[str, Any]
) -> dict[str, Any]:
    """Decide whether a station may charge now.

    Args:
        station_state: `energy_dispensed` in kWh this session; `charging` and `session_active` (false if missing).
        profile: `charge_if_price_below` and `max_energy_kwh` (None: no such limit), `allow_peak_hours` (or
            `allow_peak`), `peak_hours` (17, 18, 19 if missing); optionally `max_grid_load`, `max_carbon_intensity`.
        env: `current_price` per kWh, `hour` 0 to 23; optionally `grid_load` (1 is full), `carbon_intensity` in g/kWh,
            `demand_response` (whether a grid event is on), `demand_response_until` (its last hour's end, 0 to 23).

    Returns:
        `{"action": "charge" | "wait" | "pause", "reason": ...}`; with the optional fields of `env` also `"ramp_down"`
        with `limit_factor`, the share of the rated current allowed, and `"defer"` with `until_hour`.

    Raises:
        PolicyInputError: a figure is missing, of the wrong type or out of range.
    """
    price, hour, signals = _read_env(env)
    return decide(
        _number(station_state, "energy_dispensed", "station_state", least=0.0),
        limits=_read_limits(profile),
        price=price,
        hour=hour,
        signals=signals,
        session_active=_session_active(station_state),
    ).as_dict()


def evaluate_meter_value_decision(
    station_state: Mapping[str, Any],
    profile: Mapping[str, Any],
    env: Mapping[str, Any],
    current_energy_wh: float,
    max_energy_wh: float,
) -> dict[str, Any]:
    """Decide at a meter value whether a session goes on.

    Arguments and errors are those of `evaluate_charging_policy`; the cap counts in Wh here, and the session's energy is
    `current_energy_wh`, whatever `station_state` says.

    Returns:
        `{"action": "continue" | "stop", "reason": ...}`; with the optional fields of `env` also `"ramp_down"`.
    """
    if not isinstance(station_state, Mapping):
        raise PolicyInputError(f"station_state: expected a mapping, got {station_state!r}")
    energy_wh = _checked("current_energy_wh", current_energy_wh, least=0.0)
    cap_wh = _checked("max_energy_wh", max_energy_wh, least=0.0)
    price, hour, signals = _read_env(env)
    return decide_while_metering(
        energy_wh, cap_wh, limits=_read_limits(profile), price=price, hour=hour, signals=signals
    ).as_dict()


def decide(
    energy_kwh: float,
    *,
    limits: PolicyLimits,
    price: float,
    hour: int,
    signals: Signals | None = None,
    session_active: bool = False,
) -> Decision:
    """Decide as `evaluate_charging_policy` does, over values that are known to make sense."""
    cap_kwh = limits.max_energy_kwh
    if cap_kwh is not None and energy_kwh >= cap_kwh:
        return Decision(Action.PAUSE, f"Energy cap reached ({energy_kwh:.1f}/{cap_kwh:.1f} kWh)")
    return _by_site(limits, price, hour, signals, session_active)


def decide_while_metering(
    energy_wh: float,
    max_energy_wh: float | None,
    *,
    limits: PolicyLimits,
    price: float,
    hour: int,
    signals: Signals | None = None,
) -> Decision:
    """Decide as `evaluate_meter_value_decision` does, over values that are known to make sense; None is no cap."""
    if max_energy_wh is not None and energy_wh >= max_energy_wh:
        return Decision(Action.STOP, f"Energy cap reached ({max_energy_wh / _WH_PER_KWH:g} kWh)")
    decision = _by_site(limits, price, hour, signals, session_active=True)
    if decision is CHARGE:
        return CONTINUE
    if decision.action is Action.WAIT:
        return Decision(Action.STOP, decision.reason)
    return decision


def refuse_price(limits: PolicyLimits, price: float) -> Decision | None:
    """What is decided of a price per kWh alone: WAIT where it is above the threshold, else nothing."""
    threshold = limits.charge_if_price_below
    if threshold is None or price <= threshold:
        return None
    return Decision(Action.WAIT, f"Price too high ({price:.2f} > {threshold:.2f})")


def _by_site(limits: PolicyLimits, price: float, hour: int, signals: Signals | None, session_active: bool) -> Decision:
    refused = refuse_price(limits, price)
    if refused is not None:
        return refused
    if not limits.allow_peak_hours and hour in limits.peak_hours:
        return Decision(Action.WAIT, f"Peak hour block (hour {hour})")
    return CHARGE if signals is None else _by_signals(limits, hour, signals, session_active)


def _by_signals(limits: PolicyLimits, hour: int, signals: Signals, session_active: bool) -> Decision:
    """Who waits is asked to come later; who charges is slowed down, by the strictest signal of all."""
    next_hour = (hour + 1) % HOURS
    slowed: list[tuple[float, str]] = []
    if signals.demand_response:
        until = signals.demand_response_until_hour
        reason = "Demand response event"
        if not session_active:
            return _defer(reason, next_hour if until is None else until)
        slowed.append((PEAK_POWER_FACTOR, reason))
    load = signals.grid_load
    if load is not None and load > limits.max_grid_load:
        reason = f"Grid load too high ({load:.2f} > {limits.max_grid_load:.2f})"
        left = max(0.0, (1.0 - load) / (1.0 - limits.max_grid_load))
        if left == 0.0 and not session_active:
            return _defer(reason, next_hour)
        slowed.append((left, reason))
    carbon, most = signals.carbon_g_per_kwh, limits.max_carbon_g_per_kwh
    if carbon is not None and most is not None and carbon > most:
        reason = f"Carbon intensity too high ({carbon:.0f} > {most:.0f} g/kWh)"
        if not session_active:
            return _defer(reason, next_hour)
        slowed.append((PEAK_POWER_FACTOR, reason))
    if not slowed:
        return CHARGE
    factor, reason = min(slowed)
    return Decision(Action.RAMP_DOWN, reason, limit_factor=factor)


def _defer(reason: str, until_hour: int) -> Decision:
    return Decision(Action.DEFER, f"{reason}, until hour {until_hour}", until_hour=until_hour)


def _read_limits(profile: Mapping[str, Any]) -> PolicyLimits:
    if not isinstance(profile, Mapping):
        raise PolicyInputError(f"profile: expected a mapping, got {profile!r}")
    for key in ("charge_if_price_below", "max_energy_kwh"):
        if key not in profile:
            raise PolicyInputError(f"profile has no {key!r}; expected a number, or None for no limit")
    key = "allow_peak_hours" if "allow_peak_hours" in profile else "allow_peak"
    if key not in profile:
        raise PolicyInputError("profile has no 'allow_peak_hours'; expected true or false")
    hours = profile.get("peak_hours", PEAK_HOURS)
    if isinstance(hours, str) or not isinstance(hours, Collection):
        raise PolicyInputError(f"peak_hours: expected a list of hours from 0 to 23, got {hours!r}")
    for hour in hours:
        check_hour("peak_hours", hour)
    return PolicyLimits(
        charge_if_price_below=profile["charge_if_price_below"],
        max_energy_kwh=profile["max_energy_kwh"],
        allow_peak_hours=profile[key],
        peak_hours=frozenset(hours),
        max_grid_load=_checked("max_grid_load", profile.get("max_grid_load", MAX_GRID_LOAD), least=0.0),
        max_carbon_g_per_kwh=profile.get("max_carbon_intensity"),
    )


def _read_env(env: Mapping[str, Any]) -> tuple[float, int, Signals | None]:
    price = _number(env, "current_price", "env")
    if "hour" not in env:
        raise PolicyInputError("env has no 'hour'; expected an hour from 0 to 23")
    hour = check_hour("hour", env["hour"])
    load, carbon = env.get("grid_load"), env.get("carbon_intensity")
    event = env.get("demand_response", False)
    if event is not None and not isinstance(event, bool):
        raise PolicyInputError(f"demand_response: expected true or false, got {event!r}")
    check_number("grid_load", load, least=0.0)
    check_number("carbon_intensity", carbon, least=0.0)
    if load is None and carbon is None and not event:
        return price, hour, None
    until = env.get("demand_response_until")
    if until is not None:
        check_hour("demand_response_until", until)
    return price, hour, Signals(load, carbon, bool(event), until)


def _session_active(station_state: Mapping[str, Any]) -> bool:
    for key in ("charging", "session_active"):
        if not isinstance(station_state.get(key, False), bool):
            raise PolicyInputError(f"{key}: expected true or false, got {station_state[key]!r}")
    return bool(station_state.get("session_active", False) or station_state.get("charging", False))


def _number(values: Mapping[str, Any], key: str, where: str, *, least: float = -math.inf) -> float:
    if not isinstance(values, Mapping):
        raise PolicyInputError(f"{where}: expected a mapping, got {values!r}")
    if key not in values:
        raise PolicyInputError(f"{where} has no {key!r}; expected a number")
    return _checked(key, values[key], least=least)


def _checked(name: str, value: Any, *, least: float) -> float:
    if value is None:
        raise PolicyInputError(f"{name}: expected a number, got None")
    check_number(name, value, least=least)
    return float(value)
