import pytest

from evcharging.apps.load_run.report_parts import latency, power, share, table_of


@pytest.mark.parametrize(
    ("kw", "told"), [(0.0, "0 kW"), (7.36, "7.36 kW"), (999.9, "999.9 kW"), (15_000.0, "15 MW"), (57_250.0, "57.25 MW")]
)
def test_power_is_told_in_the_unit_that_fits(kw, told):
    assert power(kw) == told


def test_what_was_never_measured_is_a_dash():
    assert latency(None) == share(0, 0) == "\N{EN DASH}"


def test_a_table_without_names_for_its_columns_has_no_head():
    assert "<thead>" not in table_of(("", ""), [("a", "1")], numbers_from=1)
    assert table_of(("n",), [("1",)], numbers_from=0).count('class="number"') == 2
