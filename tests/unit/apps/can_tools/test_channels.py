from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evcharging.apps.can_tools import channels
from evcharging.apps.can_tools.channels import address_for_tools, channels_in_use, opened
from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.up.addresses import Addresses
from evcharging.can.connect import CanAddress
from evcharging.can.hub import CanHub


def run_in(data_dir: Path, can: str) -> None:
    """A run of `evcharging up` as its addresses tell of it."""
    rest = dict.fromkeys(("http", "kafka", "mqtt", "tcp", "ocpp", "engine_health", "database"), "x")
    Addresses(can=can, pid=os.getpid(), **rest).write(data_dir)


def test_the_address_that_was_given_counts(tmp_path: Path) -> None:
    run_in(tmp_path, "hub://127.0.0.1:1")
    assert address_for_tools("hub://127.0.0.1:2", tmp_path) == CanAddress("hub", "127.0.0.1", 2)


def test_without_one_it_is_that_of_the_run(tmp_path: Path) -> None:
    run_in(tmp_path, "hub://127.0.0.1:29536")
    assert address_for_tools(None, tmp_path) == CanAddress("hub", "127.0.0.1", 29536)


def test_without_a_run_it_says_how_to_get_a_bus(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no CAN bus was given and no run is in .*: start one with evcharging up"):
        address_for_tools(None, tmp_path)


def test_a_run_that_was_killed_is_no_run(tmp_path: Path) -> None:
    run_in(tmp_path, "hub://127.0.0.1:29536")
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": 2**22 + 1}))
    with pytest.raises(UsageError, match="no run is in"):
        address_for_tools(None, tmp_path)


def test_virtual_is_told_to_be_set_to_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="virtual reaches no other process.*start one with"):
        address_for_tools("virtual", tmp_path)


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--can: CAN address 'can0'"):
        address_for_tools("can0", tmp_path)


async def test_the_channels_are_those_of_the_hub() -> None:
    hub = CanHub()
    host, port = await hub.start(port=0)
    address = CanAddress("hub", host, port)
    with pytest.raises(GaveUp, match="nobody is on the CAN hub"):
        await channels_in_use(address)
    hub.attach("CP-001")
    hub.attach("CP-002")
    assert await channels_in_use(address) == ("CP-001", "CP-002")
    async with opened(address, ("CP-001", "CP-002")) as buses:
        assert [bus.connected for bus in buses] == [True, True]
    await hub.stop()
    with pytest.raises(GaveUp, match="no list of channels"):
        await channels_in_use(address)


async def test_the_channel_of_another_interface_is_its_own() -> None:
    assert await channels_in_use(CanAddress.parse("socketcan:can0")) == ("can0",)


async def test_a_hub_that_is_not_there_is_waited_for_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "CONNECT_WITHIN_S", 0.05)
    with pytest.raises(GaveUp, match="no CAN hub at 127.0.0.1:1 within"):
        async with opened(CanAddress("hub", "127.0.0.1", 1), ("CP-001",)):
            pytest.fail("there is no hub to connect to")


async def test_what_cannot_be_opened_is_bad_usage() -> None:
    with pytest.raises(UsageError, match="1 to 64 printable"):
        async with opened(CanAddress("hub", "127.0.0.1", 1), ("two names",)):
            pytest.fail("this is no name for a channel")
    with pytest.raises(UsageError, match="python-can cannot open"):
        async with opened(CanAddress.parse("slcan:/no/such/tty"), ("CP-001",)):
            pytest.fail("there is no such device")
