from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping
from typing import Any

import pytest

from evcharging.ocpp.station import dialing
from evcharging.ocpp.station.dialing import BoundedDial, SourceAddresses, TooManyStations, make_room_for

URL = "ws://127.0.0.1:9000/ocpp"
HOW: Mapping[str, Any] = {
    "subprotocols": ["ocpp1.6"],
    "headers": {},
    "ssl_context": None,
    "source_address": None,
    "on_text": lambda _data: None,
    "on_closed": lambda _reason: None,
    "max_frame_bytes": 1024,
    "open_timeout_s": 1.0,
}


async def test_so_many_sockets_are_opened_at_a_time_and_no_more():
    opening: list[str] = []
    may_open = asyncio.Event()

    async def dial(url: str, **how: Any) -> Any:
        opening.append(url)
        await may_open.wait()
        return url

    bounded = BoundedDial(dial, at_once=2)
    tasks = [asyncio.create_task(bounded(f"{URL}/{number}", **HOW)) for number in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(opening) == 2
    may_open.set()
    assert await asyncio.gather(*tasks) == [f"{URL}/{number}" for number in range(5)]


async def test_a_dial_that_fails_makes_room_for_the_next():
    async def dial(url: str, **how: Any) -> Any:
        raise OSError("refused")

    bounded = BoundedDial(dial, at_once=1)
    for _ in range(3):
        with pytest.raises(OSError, match="refused"):
            await bounded(URL, **HOW)


def test_the_first_twenty_thousand_need_no_address_of_their_own_and_then_each_has_as_many():
    addresses = SourceAddresses()
    given = [addresses.address_for(URL) for _ in range(40_001)]
    assert (given[0], given[19_999], given[20_000], given[39_999], given[40_000]) == (
        None,
        None,
        "127.0.0.2",
        "127.0.0.2",
        "127.0.0.3",
    )


def test_destinations_are_counted_apart_and_a_station_that_is_gone_makes_room():
    addresses = SourceAddresses()
    for _ in range(20_000):
        addresses.address_for(URL)
    assert addresses.address_for("ws://127.0.0.1:9001/ocpp") is None
    addresses.give_back(URL)
    assert addresses.address_for(URL) is None
    assert addresses.address_for(URL) == "127.0.0.2"


def test_another_machine_is_refused_beyond_its_ports_with_the_command_that_mends_it(monkeypatch, tmp_path):
    port_range = tmp_path / "range"
    port_range.write_text("100\t101\n")
    monkeypatch.setattr(dialing, "PORT_RANGE_FILE", port_range)
    addresses = SourceAddresses()
    assert addresses.address_for("wss://csms.example/ocpp") is None
    assert addresses.address_for("wss://csms.example/ocpp") is None
    with pytest.raises(TooManyStations, match="sysctl -w net.ipv4.ip_local_port_range"):
        addresses.address_for("wss://csms.example/ocpp")


def test_the_limit_of_open_files_is_raised_to_the_most_there_may_be(monkeypatch):
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 20_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: set_to.append(limits))
    make_room_for(19_000)
    assert set_to == [(20_000, 20_000)]


def test_more_stations_than_files_are_refused_with_the_command_that_mends_it(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (20_000, 20_000))
    with pytest.raises(TooManyStations, match=r"20256 open files and this process may have 20000: sudo prlimit"):
        make_room_for(20_000)
