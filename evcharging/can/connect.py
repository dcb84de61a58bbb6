"""Opens a CAN channel by address, and says what is wrong with an address.

::

    virtual                                  inside this process, python-can's virtual interface
    hub://127.0.0.1:29536                    a socketcand hub; a channel for each EVSE
    socketcan:can0                           any interface of python-can and its channel
    socketcan:{channel}                      the same, a channel for each EVSE, called as the EVSE
    udp_multicast                            multicast on this machine: group 239.74.163.2, port 43113
    udp_multicast:239.74.163.2:43113?hop_limit=1   the same beyond this machine
    slcan:/dev/ttyACM0?bitrate=500000        options of python-can's interface follow the question mark
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import can

from evcharging.can.bus import CanAddressError, CanBus
from evcharging.can.hub import DEFAULT_PORT
from evcharging.can.hub_client import HubBus
from evcharging.can.interface import InterfaceCan
from evcharging.can.socketcand import NAME_RULE, is_channel_name
from evcharging.can.virtual import VirtualCan

__all__ = ["CanAddress", "open_can"]

BIT_RATE: Final = 500_000
DEFAULT_GROUP: Final = "239.74.163.2"
DEFAULT_GROUP_PORT: Final = 43113

_PLACEHOLDER: Final = "{channel}"
_HUB: Final = "hub"
_VIRTUAL: Final = "virtual"
_MULTICAST: Final = "udp_multicast"
_HAS_A_SPELLING_OF_ITS_OWN: Final = frozenset({_VIRTUAL, _HUB, "socketcand"})
_EXPECTED: Final = "expected virtual, hub://HOST:PORT, udp_multicast or INTERFACE:CHANNEL such as socketcan:can0"


@dataclass(frozen=True, slots=True)
class CanAddress:
    """Where CAN channels are, read from text by `parse`."""

    interface: str
    """``virtual``, ``hub``, or python-can's name of an interface."""
    host: str = ""
    port: int = 0
    """Of the hub."""
    options: dict[str, Any] = field(default_factory=dict)
    """For python-can's interface; ``channel`` may hold the placeholder."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address.

        Raises:
            CanAddressError: it is none; says what was got and what would be right.
        """
        if text == _VIRTUAL:
            return cls(_VIRTUAL)
        if text.startswith(f"{_HUB}:"):
            return cls(_HUB, *_host_and_port(text))
        interface, _, rest = text.partition(":")
        if interface in _HAS_A_SPELLING_OF_ITS_OWN or interface not in can.VALID_INTERFACES:
            raise CanAddressError(f"CAN address {text!r}: {_EXPECTED}")
        target, _, query = rest.partition("?")
        options = {name: int(value) if value.isdigit() else value for name, value in parse_qsl(query)}
        if interface == _MULTICAST:
            return cls(interface, options={**_group(text, target), **options})
        if not target:
            raise CanAddressError(f"CAN address {text!r}: a channel is missing; {_EXPECTED}")
        return cls(interface, options={"bitrate": BIT_RATE, "channel": target, **options})

    @property
    def carries_many(self) -> bool:
        """Whether each EVSE gets a channel of its own here; if not, there is room for one EVSE."""
        return self.interface in {_VIRTUAL, _HUB} or _PLACEHOLDER in str(self.options["channel"])

    def open(self, channel: str) -> CanBus:
        """Open the channel of the EVSE called ``channel``. Call it on the event loop.

        A hub's channel connects by itself; see `CanBus.wait_connected`.

        Raises:
            CanAddressError: ``channel`` cannot be a channel's name.
            CanUnavailable: the interface cannot be opened.
        """
        if not is_channel_name(channel):
            raise CanAddressError(f"CAN channel {channel!r}: expected {NAME_RULE}")
        if self.interface == _VIRTUAL:
            return VirtualCan(channel)
        if self.interface == _HUB:
            return HubBus(self.host, self.port, channel)
        target = str(self.options["channel"]).replace(_PLACEHOLDER, channel)
        return InterfaceCan(self.interface, channel, {**self.options, "channel": target})


def open_can(address: str, channel: str) -> CanBus:
    """Open the channel of one EVSE at ``address``. Call it on the event loop; see `CanAddress.open`.

    Raises:
        CanAddressError: the address or the channel's name is spelled wrong.
        CanUnavailable: the interface cannot be opened.
    """
    return CanAddress.parse(address).open(channel)


def _host_and_port(text: str) -> tuple[str, int]:
    wrong = CanAddressError(f"CAN address {text!r}: expected hub://HOST:PORT, such as hub://127.0.0.1:{DEFAULT_PORT}")
    try:
        parts = urlsplit(text)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise wrong from None
    extra = parts.path or parts.query or parts.fragment or parts.username
    if not text.startswith(f"{_HUB}://") or not parts.hostname or port == 0 or extra:
        raise wrong
    return parts.hostname, port


def _group(text: str, target: str) -> dict[str, Any]:
    group, _, port = target.rpartition(":") if target.rpartition(":")[2].isdigit() else (target, "", "")
    group = group.strip("[]") or DEFAULT_GROUP
    try:
        is_multicast = ipaddress.ip_address(group).is_multicast
    except ValueError:
        is_multicast = False
    if not is_multicast or not 0 < int(port or DEFAULT_GROUP_PORT) < 65536:
        raise CanAddressError(
            f"CAN address {text!r}: expected udp_multicast:GROUP:PORT, such as {DEFAULT_GROUP}:{DEFAULT_GROUP_PORT}"
        )
    # Frames stay on this machine unless told otherwise: hop_limit 0.
    return {"channel": group, "port": int(port or DEFAULT_GROUP_PORT), "hop_limit": 0, "fd": False}
