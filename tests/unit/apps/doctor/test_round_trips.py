from __future__ import annotations

import pytest

from evcharging.apps.doctor import round_trips
from evcharging.apps.doctor.check import CheckFailed
from evcharging.apps.doctor.round_trips import round_trip_checks


@pytest.mark.parametrize("name", ["embedded Kafka", "embedded MQTT", "CAN, virtual", "CAN, hub"])
async def test_what_comes_with_the_project_works_here(name):
    (check,) = [check for check in round_trip_checks() if check.name == name]
    assert check.required
    assert await check.look()


async def test_a_frame_that_comes_out_changed_is_a_finding(monkeypatch):
    sent = []
    original = round_trips.Message

    def changed(**fields):
        sent.append(fields)
        return original(**{**fields, "data": b"other"})

    monkeypatch.setattr(round_trips, "Message", changed)
    with pytest.raises(CheckFailed, match="heard b'other'"):
        await round_trips.through_virtual_can()


async def test_multicast_without_its_extra_says_which_to_install(monkeypatch):
    monkeypatch.setattr(round_trips.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(CheckFailed, match="msgpack is not installed") as failed:
        await round_trips.through_multicast()
    assert "evcharging[udp-multicast]" in failed.value.mend


async def test_multicast_without_a_route_says_how_to_add_one(monkeypatch):
    def unreachable():
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(round_trips, "_heard_by_group", unreachable)
    with pytest.raises(CheckFailed, match="Network is unreachable") as failed:
        await round_trips.through_multicast()
    assert "ip route add 239.74.163.2/32 dev lo" in failed.value.mend
