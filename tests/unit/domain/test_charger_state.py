import pytest

from evcharging.domain import charger_state


@pytest.mark.parametrize("name", ["NoVehicleReady", "VehiclePresent", "ChargerFaulted", "InvalidInput"])
def test_every_refusal_can_be_caught_as_a_charger_error(name):
    assert issubclass(getattr(charger_state, name), charger_state.ChargerError)


def test_a_figure_that_cannot_be_is_also_a_value_error():
    assert issubclass(charger_state.InvalidInput, ValueError)
