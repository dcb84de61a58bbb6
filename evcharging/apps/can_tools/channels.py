"""Which bus and which channels a tool works on. Opens and closes them; shows nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.up.addresses import DATA_DIR, Addresses
from evcharging.can.bus import CanAddressError, CanBus, CanDisconnected, CanUnavailable
from evcharging.can.connect import CanAddress
from evcharging.can.hub_client import fetch_channels

__all__ = ["CONNECT_WITHIN_S", "address_for_tools", "channels_in_use", "opened"]

CONNECT_WITHIN_S = 5.0
HOW_TO_GET_A_HUB = "start one with evcharging up, or evcharging charger and --can hub://127.0.0.1:29536"


def address_for_tools(can: str | None, data_dir: Path = DATA_DIR) -> CanAddress:
    """The bus that was asked for, else that of the run in ``data_dir``.

    Raises:
        UsageError: none was asked for and none runs, the address is wrong, or it is ``virtual``.
    """
    if can is None:
        running = Addresses.read(data_dir)
        if running is None:
            raise UsageError(f"no CAN bus was given and no run is in {data_dir}: {HOW_TO_GET_A_HUB}")
        can = running.can
    try:
        address = CanAddress.parse(can)
    except CanAddressError as error:
        raise UsageError(f"--can: {error}") from None
    if address.interface == "virtual":
        raise UsageError(f"--can virtual reaches no other process, so there is nobody to talk to: {HOW_TO_GET_A_HUB}")
    return address


async def channels_in_use(address: CanAddress) -> tuple[str, ...]:
    """The channels at ``address``: those of a hub; of anything else, the interface's own.

    Raises:
        GaveUp: there is no hub, or nobody is on it.
    """
    if address.interface != "hub":
        return (str(address.options["channel"]),)
    try:
        names = await fetch_channels(address.host, address.port)
    except CanDisconnected as error:
        raise GaveUp(f"{error}; {HOW_TO_GET_A_HUB}") from None
    if not names:
        raise GaveUp(f"nobody is on the CAN hub at {address.host}:{address.port}; start evcharging charger")
    return names


@contextlib.asynccontextmanager
async def opened(address: CanAddress, channels: Sequence[str]) -> AsyncIterator[list[CanBus]]:
    """Open ``channels`` for as long as the block runs, each connected.

    Raises:
        UsageError: a channel's name or the interface cannot be opened.
        GaveUp: no connection in time.
    """
    async with contextlib.AsyncExitStack() as stack:
        buses = []
        for channel in channels:
            try:
                bus = address.open(channel)
            except (CanAddressError, CanUnavailable) as error:
                raise UsageError(str(error)) from None
            stack.push_async_callback(bus.close)
            buses.append(bus)
        for bus in buses:
            try:
                await bus.wait_connected(CONNECT_WITHIN_S)
            except CanDisconnected as error:
                raise GaveUp(f"{error}; {HOW_TO_GET_A_HUB}") from None
        yield buses
