"""What monitors tell Central, over HTTP and over TCP."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from evcharging.messages.control import HealthFrame, HealthReport, RegisterFrame, Registration, control_frame


def test_a_registration_needs_only_the_charge_points_id():
    assert Registration.model_validate_json('{"cp_id": "CP-001"}') == Registration(cp_id="CP-001")


def test_fields_that_are_unset_do_not_travel():
    assert json.loads(Registration(cp_id="CP-001", rating_kw=22).to_json()) == {"cp_id": "CP-001", "rating_kw": 22.0}


def test_a_frame_says_its_type_and_comes_back_as_what_it_was():
    for frame in (
        RegisterFrame(cp_id="CP-001", location="Car park", health_url="http://localhost:8001/health/CP-001"),
        HealthFrame(cp_id="CP-001", healthy=False, detail="engine_unreachable", monitor_id="m"),
    ):
        assert control_frame(frame.to_json()) == frame
    assert json.loads(RegisterFrame(cp_id="CP-001").to_json())["type"] == "register"


def test_a_frame_yields_the_body_it_carries():
    frame = RegisterFrame(cp_id="CP-001", rating_kw=22)
    assert frame.registration() == Registration(cp_id="CP-001", rating_kw=22)
    health = HealthFrame(cp_id="CP-001", healthy=True, latency_ms=2)
    assert health.report() == HealthReport(healthy=True, latency_ms=2)


def test_a_field_of_a_newer_peer_is_tolerated():
    assert control_frame(b'{"type": "health", "cp_id": "CP-001", "healthy": true, "mood": "sunny"}') == HealthFrame(
        cp_id="CP-001", healthy=True
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type": "dance", "cp_id": "CP-001"}',
        b'{"type": "register"}',
        b'{"type": "register", "cp_id": "CP/001"}',
        b'{"type": "register", "cp_id": "CP-001", "price_per_kwh": -1}',
        b'{"type": "register", "cp_id": "CP-001", "rating_kw": NaN}',
        b'{"type": "register", "cp_id": "CP-001", "health_url": "file:///etc/passwd"}',
        b'{"type": "health", "healthy": true}',
        b'{"type": "health", "cp_id": "CP-001", "healthy": "perhaps"}',
        b'{"type": "health", "cp_id": "CP-001", "healthy": true, "latency_ms": -1}',
        b"\xff\xfe",
    ],
)
def test_a_frame_that_is_none_is_refused(data):
    with pytest.raises(ValidationError):
        control_frame(data)


def test_a_detail_is_bounded():
    with pytest.raises(ValidationError):
        HealthReport(healthy=False, detail="x" * 501)
