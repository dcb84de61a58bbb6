import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.charts import HEIGHT, WIDTH, Line, chart, ticks


def drawn(*values, at_s=None, **line):
    seconds = at_s or [float(second + 1) for second in range(len(values))]
    figure = chart("A & B", seconds, [Line("line <1>", "--blue", values, **line)], tell=lambda value: f"{value:g}")
    return ET.fromstring(figure)  # noqa: S314 - our own text


def test_a_chart_is_well_formed_and_says_what_it_shows():
    figure = drawn(1.0, 2.0)
    assert figure.find("svg").get("aria-label") == "A & B"
    assert "line <1>" in "".join(figure.itertext())


def test_a_line_has_a_point_for_each_value_and_a_gap_for_each_missing_one():
    lines = drawn(1.0, 2.0, None, 3.0, 1.0, 2.0).findall(".//polyline")
    assert [len(line.get("points").split()) for line in lines] == [2, 3]


def test_a_single_value_between_gaps_is_a_dot():
    figure = drawn(None, 5.0, None)
    assert figure.findall(".//polyline") == []
    assert figure.findall(".//circle")


def test_the_highest_value_of_a_line_is_marked_with_its_time():
    (title,) = drawn(1.0, 7.0, 2.0, at_s=[30.0, 90.0, 120.0]).iter("title")
    assert title.text == "line <1>: 7 at 1:30"


def test_a_filled_line_has_its_area_under_it():
    assert drawn(1.0, 2.0, filled=True).findall(".//polygon")
    assert not drawn(1.0, 2.0).findall(".//polygon")


def test_without_values_there_are_axes_alone():
    assert chart("empty", [], [Line("none", "--blue", [])], tell=str).count("<polyline") == 0


@given(st.lists(st.none() | st.floats(0.0, 1e9), min_size=1, max_size=30))
def test_every_point_is_inside_the_picture(values):
    for line in drawn(*values).iter("polyline"):
        for x, y in re.findall(r"([-\d.]+),([-\d.]+)", line.get("points")):
            assert 0.0 <= float(x) <= WIDTH
            assert 0.0 <= float(y) <= HEIGHT


@given(st.floats(1e-6, 1e9))
def test_ticks_are_round_figures_from_0_to_the_highest_value(highest):
    found = ticks(highest)
    assert found[0] == 0.0
    assert found[-2] <= highest * 1.0001
    assert found[-1] >= highest * 0.9999
    assert 2 <= len(found) <= 7
    mantissa = found[1] / 10 ** math.floor(math.log10(found[1]) + 1e-9)
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 2.5, 5, 10)) < 1e-6


@pytest.mark.parametrize("highest", [0.0, -1.0, math.inf, math.nan])
def test_where_there_is_no_height_there_is_still_an_axis(highest):
    assert ticks(highest) == [0.0, 1.0]
