"""The chargers of a station: its CAN channels, the links to them, and where asked for the chargers in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.station.can_charger import CanCharger, ChargerAbsent
from evcharging.can.bus import CanBus, CanError, CanUnavailable
from evcharging.can.connect import CanAddress
from evcharging.can.link import ChargerLink
from evcharging.domain.charger import ChargerSpec, VehicleSpec

__all__ = ["Outlets"]

log = structlog.get_logger()

HEARD_WITHIN_S: Final = 10.0


class Outlets:
    """Opens the chargers on their channels; they are closed with ``stack``.

    Args:
        address: where the channels are; with ``virtual`` the chargers are in this process.
        spec: their rating plate.
        vehicle: what a charger of this process plugs in where nobody says which vehicle comes.
    """

    def __init__(self, address: str, spec: ChargerSpec, vehicle: VehicleSpec, stack: contextlib.AsyncExitStack) -> None:
        self._address = CanAddress.parse(address)
        self._text = address
        self._spec = spec
        self._vehicle = vehicle
        self._stack = stack
        self._wheel = NodeWheel()
        stack.callback(self._close_nodes)

    async def run(self) -> None:
        """Have the chargers of this process live, until cancelled."""
        await self._wheel.run()

    async def open(self, channel: str, *, register_wh: float = 0.0) -> CanCharger:
        """Open the charger on ``channel``; `run` must be running.

        ``register_wh`` is what the meter of a charger of this process begins with.

        Raises:
            UsageError: the channel cannot be opened.
            GaveUp: no charger is heard on it.
        """
        choose = self._add_node(channel, register_wh) if self._address.interface == "virtual" else _no_choice
        bus = self._bus(channel)
        link = ChargerLink(bus)
        link.open()
        self._stack.callback(link.close)
        try:
            await bus.wait_connected(HEARD_WITHIN_S)
            return await CanCharger.connect(
                link, self._spec, channel=channel, timeout_s=HEARD_WITHIN_S, choose_vehicle=choose
            )
        except (ChargerAbsent, CanError, TimeoutError) as error:
            raise GaveUp(f"--can {self._text}: {error}") from None

    def _add_node(self, channel: str, register_wh: float) -> Callable[[VehicleSpec], None]:
        coming = self._vehicle

        def choose(vehicle: VehicleSpec) -> None:
            nonlocal coming
            coming = vehicle

        model = make_model(self._spec, register_wh=register_wh)
        self._wheel.add(ChargerNode(self._bus(channel), model, vehicle=lambda: coming))
        return choose

    def _bus(self, channel: str) -> CanBus:
        try:
            bus = self._address.open(channel)
        except CanUnavailable as error:
            raise UsageError(f"--can {self._text}: {error}") from None
        self._stack.push_async_callback(bus.close)
        return bus

    def _close_nodes(self) -> None:
        for node in self._wheel.nodes:
            self._wheel.remove(node)


def _no_choice(_vehicle: VehicleSpec) -> None:
    """Another process's charger plugs in what it is set to."""
