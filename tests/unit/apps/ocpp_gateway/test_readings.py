"""Meter values to one reading: units, phases, places, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from evcharging.apps.ocpp_gateway.readings import ENERGY_REGISTER, Reading

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def reading(*values: tuple[object, ...], **more: str) -> Reading:
    made = Reading(AT)
    for measurand, value, *rest in values:
        unit, phase = (*rest, None, None)[:2]
        made.add(measurand, value, unit=unit, phase=phase, **more)
    made.complete()
    return made


@pytest.mark.parametrize(
    ("value", "unit", "wh"),
    [(1234.5, "Wh", "1234.5"), (1234.5, None, "1234.5"), (1.2345, "kWh", "1234.5"), (0, "Wh", "0")],
)
def test_an_energy_register_is_told_in_wh_whatever_its_unit(value: float, unit: str | None, wh: str) -> None:
    assert reading((ENERGY_REGISTER, value, unit)).register_wh == Decimal(wh)


def test_a_scaled_value_has_no_noise_of_floating_point() -> None:
    made = reading(("SoC", 13.7), ("Power.Active.Import", 2300.0))
    assert (made.soc, made.power_kw) == (0.137, 2.3)
    assert reading(*(("Power.Active.Import", 100.0, "W", f"L{n}") for n in (1, 2, 3))).power_kw == 0.3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e15])
def test_what_no_meter_can_show_is_not_taken(value: float) -> None:
    made = Reading(AT)
    assert not made.add(ENERGY_REGISTER, value)
    assert not made.add("Temperature", float("nan"))
    assert made.register_wh is None
    assert made.temperature_c is None


@pytest.mark.parametrize("measurand", ["Energy.Reactive.Import.Register", "Energy.Active.Export.Register", "RPM", "?"])
def test_other_measurands_are_passed_over(measurand: str) -> None:
    assert not Reading(AT).add(measurand, 1.0)


def test_a_unit_that_does_not_belong_to_its_measurand_is_passed_over() -> None:
    assert not Reading(AT).add("Voltage", 230.0, unit="A")


def test_phases_make_a_total_where_no_total_is_told() -> None:
    made = reading(
        ("Power.Active.Import", 3000, "W", "L1"),
        ("Power.Active.Import", 4000, "W", "L2"),
        ("Power.Active.Import", 5000, "W", "L3"),
        ("Current.Import", 13, "A", "L1"),
        ("Current.Import", 16, "A", "L2"),
        ("Voltage", 229, "V", "L1-N"),
        ("Voltage", 231, "V", "L2-N"),
        ("Voltage", 400, "V", "L1-L2"),
        (ENERGY_REGISTER, 1.0, "kWh", "L1"),
        (ENERGY_REGISTER, 2.0, "kWh", "L2"),
    )
    assert (made.power_kw, made.amps, made.volts) == (12.0, 16.0, 230.0)
    assert made.register_wh == 3000


def test_a_total_counts_over_its_phases() -> None:
    made = reading((ENERGY_REGISTER, 5, "kWh"), (ENERGY_REGISTER, 1, "kWh", "L1"), ("Current.Import", 9, "A", "N"))
    assert made.register_wh == 5000
    assert made.amps is None


def test_an_energy_register_counts_at_the_outlet_alone() -> None:
    assert reading((ENERGY_REGISTER, 5, "Wh"), location="Inlet").register_wh is None
    assert reading((ENERGY_REGISTER, 5, "Wh"), location="Outlet").register_wh == 5


@pytest.mark.parametrize(("value", "unit"), [(20, "Celsius"), (20, "Celcius"), (68, "Fahrenheit"), (293.15, "K")])
def test_temperatures_are_told_in_celsius(value: float, unit: str) -> None:
    assert reading(("Temperature", value, unit)).temperature_c == pytest.approx(20)


def test_a_state_of_charge_is_a_fraction_of_one_at_most() -> None:
    assert reading(("SoC", 55, "Percent")).soc == pytest.approx(0.55)
    assert reading(("SoC", 101, None)).soc == 1.0


def test_a_later_reading_takes_over_what_it_tells_and_leaves_the_rest() -> None:
    first = reading((ENERGY_REGISTER, 5, "Wh"), ("SoC", 50, None))
    first.merge(reading((ENERGY_REGISTER, 7, "Wh")))
    assert (first.register_wh, first.soc) == (7, 0.5)
