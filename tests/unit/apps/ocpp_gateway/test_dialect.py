"""What is common to the versions of Central's orders."""

import pytest

from evcharging.apps.ocpp_gateway.dialect import level_of


@pytest.mark.parametrize(
    ("value", "level"), [("8", 8), (" 3 ", 3), (4, 4), ("", 0), (None, 0), ("-1", 0), ("ten", 0), ("99999", 0)]
)
def test_a_stack_level_is_read_as_told_and_what_is_none_is_the_lowest(value: object, level: int) -> None:
    assert level_of(value) == level
