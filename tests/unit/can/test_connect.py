from __future__ import annotations

import pytest

from evcharging.can.bus import CanAddressError, CanUnavailable
from evcharging.can.connect import CanAddress, open_can
from evcharging.can.hub_client import HubBus
from evcharging.can.virtual import VirtualCan


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("virtual", CanAddress("virtual")),
        ("hub://127.0.0.1:29536", CanAddress("hub", "127.0.0.1", 29536)),
        ("hub://charger", CanAddress("hub", "charger", 29536)),
        ("hub://[::1]:1234", CanAddress("hub", "::1", 1234)),
        ("socketcan:can0", CanAddress("socketcan", options={"channel": "can0", "bitrate": 500_000})),
        ("socketcan:{channel}", CanAddress("socketcan", options={"channel": "{channel}", "bitrate": 500_000})),
        (
            "slcan:/dev/ttyACM0?bitrate=250000&rtscts=1",
            CanAddress("slcan", options={"channel": "/dev/ttyACM0", "bitrate": 250_000, "rtscts": 1}),
        ),
        (
            "udp_multicast",
            CanAddress(
                "udp_multicast", options={"channel": "239.74.163.2", "port": 43113, "hop_limit": 0, "fd": False}
            ),
        ),
        (
            "udp_multicast:239.1.2.3:5000?hop_limit=2",
            CanAddress("udp_multicast", options={"channel": "239.1.2.3", "port": 5000, "hop_limit": 2, "fd": False}),
        ),
        (
            "udp_multicast:[ff15::1]:5000",
            CanAddress("udp_multicast", options={"channel": "ff15::1", "port": 5000, "hop_limit": 0, "fd": False}),
        ),
    ],
)
def test_an_address_is_read(text: str, address: CanAddress) -> None:
    assert CanAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vcan",
        "can0",
        "virtual:x",
        "hub",
        "hub:",
        "hub://",
        "hub://:29536",
        "hub://host:port",
        "hub://host:0",
        "hub://host:99999",
        "hub://host:1/path",
        "hub:host:1",
        "http://host:1",
        "socketcan",
        "socketcan:",
        "socketcand:can0",
        "udp_multicast:127.0.0.1",
        "udp_multicast:nowhere",
        "udp_multicast:239.1.2.3:0",
        "udp_multicast:239.1.2.3:99999",
    ],
)
def test_a_wrong_address_says_what_was_got_and_what_would_be_right(text: str) -> None:
    with pytest.raises(CanAddressError, match="expected") as caught:
        CanAddress.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "carries_many"),
    [
        ("virtual", True),
        ("hub://127.0.0.1:29536", True),
        ("socketcan:{channel}", True),
        ("socketcan:can0", False),
        ("udp_multicast", False),
    ],
)
def test_an_address_says_whether_it_carries_more_than_one_evse(text: str, carries_many: bool) -> None:
    assert CanAddress.parse(text).carries_many is carries_many


async def test_opening_gives_the_adapter_for_the_address() -> None:
    virtual, hub = open_can("virtual", "CP-001"), open_can("hub://127.0.0.1:1", "CP-001")
    assert isinstance(virtual, VirtualCan)
    assert isinstance(hub, HubBus)
    assert (virtual.channel, hub.channel) == ("CP-001", "CP-001")
    await virtual.close()
    await hub.close()


@pytest.mark.parametrize("channel", ["", "two names", "CP<001", "x" * 65])
async def test_a_name_that_no_channel_may_have_is_refused(channel: str) -> None:
    with pytest.raises(CanAddressError, match="1 to 64 printable"):
        open_can("virtual", channel)


@pytest.mark.parametrize("address", ["socketcan:no_such_can", "slcan:/no/such/tty"])
async def test_an_interface_that_cannot_be_opened_says_why(address: str) -> None:
    with pytest.raises(CanUnavailable, match=f"python-can cannot open {address.partition(':')[0]}"):
        open_can(address, "CP-001")
