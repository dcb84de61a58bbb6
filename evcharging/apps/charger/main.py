"""``evcharging charger``: the CAN nodes of one or more chargers, and the hub by which other processes reach them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import structlog

from evcharging.apps.charger.keyboard import Keys, keys_heard
from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.register_file import BadRegisterFile, RegisterFile
from evcharging.apps.charger.settings import ChargerSettings
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.http import bind
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.can.bus import CanBus, CanUnavailable
from evcharging.can.connect import open_can
from evcharging.can.hub import CanHub

__all__ = ["main"]

log = structlog.get_logger()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chargers and return the exit code: 0 stopped on request, 2 bad settings or a taken port."""
    return run_service(_run, ChargerSettings, argv)


async def _run(settings: ChargerSettings, stop: asyncio.Event) -> None:
    registers = _registers(settings)
    async with contextlib.AsyncExitStack() as stack:
        if registers is not None:
            stack.callback(registers.save, durably=True)
        hub = await _hub(settings, stack) if settings.can is None else None
        wheel = NodeWheel(registers)
        for cp_id in settings.names:
            bus = _bus(settings, cp_id, hub)
            stack.push_async_callback(bus.close)
            node = _node(settings, bus, registers)
            wheel.add(node)
            stack.callback(node.close)
        keys = Keys(wheel.nodes)
        with keys_heard(keys.press) as has_keys:
            if has_keys:
                log.info("keys: u unplug, p plug in, f fault, c clear, n next charger", cp_id=keys.chosen.cp_id)
            log.info(
                "chargers are ready",
                count=len(wheel.nodes),
                rating_kw=round(settings.spec.rated_kw, 1),
                can=settings.can or "own hub",
            )
            await until_stopped(stop, wheel.run())
        if hub is not None:
            log.info("the hub stops", frames=hub.stats.frames, dropped=hub.stats.dropped, bad=hub.stats.malformed)


def _registers(settings: ChargerSettings) -> RegisterFile | None:
    if settings.register_file is None:
        return None
    try:
        return RegisterFile(settings.register_file)
    except BadRegisterFile as error:
        raise UsageError(f"--register-file {error}") from None


async def _hub(settings: ChargerSettings, stack: contextlib.AsyncExitStack) -> CanHub:
    hub = CanHub()
    stack.push_async_callback(hub.stop)
    host, port = await hub.start(sock=bind(settings.hub_host, settings.hub_port, flag="--hub-port"))
    log.info("the CAN hub listens", address=f"hub://{host}:{port}")
    return hub


def _bus(settings: ChargerSettings, cp_id: str, hub: CanHub | None) -> CanBus:
    if hub is not None:
        return hub.attach(cp_id)
    try:
        return open_can(settings.can or "", cp_id)
    except CanUnavailable as error:
        raise UsageError(f"--can {settings.can}: {error}") from None


def _node(settings: ChargerSettings, bus: CanBus, registers: RegisterFile | None) -> ChargerNode:
    register_wh = 0.0 if registers is None else registers.get(bus.channel)
    return ChargerNode(
        bus,
        make_model(settings.spec, register_wh=register_wh, time_scale=settings.time_scale),
        vehicle=lambda: settings.vehicle,
        time_scale=settings.time_scale,
        registers=registers,
    )


if __name__ == "__main__":
    sys.exit(main())
