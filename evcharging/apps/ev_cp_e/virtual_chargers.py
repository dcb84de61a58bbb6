"""Chargers inside the engine's own process, for an engine alone: real frames over python-can's ``virtual``.

Such a charger dies with its engine, so the log is its memory: its register goes on from the highest reading on record,
and where a session was left open its vehicle is on the cable again, as full as it was last seen.
"""

from __future__ import annotations

from dataclasses import replace

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.ev_cp_e.recovery import Past
from evcharging.can.bus import CanBus
from evcharging.domain.charger import ChargerSpec, VehicleSpec

__all__ = ["VirtualChargers"]


class VirtualChargers:
    """The chargers of one process.

    Args:
        spec: their rating plate.
        vehicle: what is plugged in where one is asked for.
        time_scale: simulated seconds in a second.
    """

    def __init__(self, *, spec: ChargerSpec, vehicle: VehicleSpec, time_scale: float) -> None:
        self._spec = spec
        self._vehicle = vehicle
        self._time_scale = time_scale
        self._wheel = NodeWheel()

    def add(self, can_bus: CanBus, past: Past) -> None:
        """Put a charger on ``can_bus``, an end of the channel of its own."""
        model = make_model(self._spec, register_wh=float(past.register_wh or 0), time_scale=self._time_scale)
        lost = past.open_session
        if lost is not None:
            model.plug(self._vehicle if lost.soc is None else replace(self._vehicle, arrival_soc=lost.soc))
        self._wheel.add(ChargerNode(can_bus, model, vehicle=lambda: self._vehicle, time_scale=self._time_scale))

    async def run(self) -> None:
        """Have them live until cancelled."""
        await self._wheel.run()

    def close(self) -> None:
        """Let go of their channels."""
        for node in self._wheel.nodes:
            self._wheel.remove(node)
