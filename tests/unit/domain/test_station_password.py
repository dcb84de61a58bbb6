"""The lengths of a station's password, and what is said of those it may not have."""

import pytest

from evcharging.domain.station_password import STATION_LENGTHS, too_short_or_long


@pytest.mark.parametrize("length", [16, 40, 64])
def test_a_password_as_long_as_ocpp_asks_for_is_taken(length: int) -> None:
    assert too_short_or_long(length) is None


@pytest.mark.parametrize(
    ("length", "got"), [(0, "0 characters"), (1, "1 character"), (15, "15 characters"), (65, "65")]
)
def test_a_shorter_or_longer_one_is_refused_with_what_to_do(length: int, got: str) -> None:
    told = too_short_or_long(length)
    assert told is not None
    assert told.startswith(f"got {got}")
    assert "expected 16 to 64 (40 at most for a station of OCPP 1.6 or 2.0.1)" in told
    assert "openssl rand -hex 20" in told


def test_what_a_station_is_given_over_ocpp_has_16_to_40_characters() -> None:
    assert (STATION_LENGTHS[0], STATION_LENGTHS[-1]) == (16, 40)
