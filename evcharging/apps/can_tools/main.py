"""``evcharging can``: look at the CAN bus between engines and chargers, and talk on it by hand."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from can import Message

from evcharging.apps.can_tools.channels import address_for_tools, channels_in_use, opened
from evcharging.apps.can_tools.demo import own_charger, own_hub, run_demo
from evcharging.apps.can_tools.monitor import follow
from evcharging.apps.can_tools.rendering import as_json, as_line
from evcharging.apps.runtime.commands import help_alone, run_commands
from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.runtime.logs import configure_logging
from evcharging.apps.runtime.service import until_stopped
from evcharging.apps.up.addresses import DATA_DIR
from evcharging.can.bus import CanError, CanUnsupported, check_sendable
from evcharging.can.link import ChargerUnanswered

__all__ = ["can_app", "main"]

DEMO_CHANNEL = "CAN-DEMO"

Can = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        envvar="CAN_TOOLS_CAN",
        help="hub://HOST:PORT, socketcan:can0, udp_multicast; unset: that of the run in --data-dir.",
    ),
]
DataDir = Annotated[Path, typer.Option(metavar="DIR", help="Data directory of evcharging up.")]
OneChannel = Annotated[
    str | None, typer.Option(metavar="CP_ID", help="Channel: the charger's cp_id; unset: the first there is.")
]

can_app = typer.Typer(
    help="The CAN bus between engines and chargers.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    invoke_without_command=True,
    callback=help_alone,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``demo``, ``monitor`` or ``send``; 0, 2 bad usage, 1 where no bus or no charger answers."""
    configure_logging(level="error", log_format="text", who="can", stream=sys.stderr)
    return run_commands(can_app, "evcharging can", argv)


@can_app.command("demo")
def demo(
    can: Can = None,
    data_dir: DataDir = DATA_DIR,
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="CP_ID", help=f"A charger that is free; unset: one of its own, on channel {DEMO_CHANNEL}."
        ),
    ] = None,
    hold_seconds: Annotated[float, typer.Option(metavar="S", min=0.0, max=3600.0, help="Time at each limit.")] = 2.0,
    own_hub: Annotated[bool, typer.Option("--own-hub", help="Bring a hub along instead of joining one.")] = False,
) -> None:
    """Start a charge, raise and lower the limit, show the readings, stop."""
    if own_hub and (can is not None or channel is not None):
        raise UsageError("--own-hub brings hub and charger along; leave --can and --channel out")
    _run(_demo(can, data_dir, channel, hold_seconds, own_hub_wanted=own_hub))


@can_app.command("monitor")
def monitor(
    can: Can = None,
    data_dir: DataDir = DATA_DIR,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="CP_ID", help="Channel to follow, repeatable; unset: all there are.")
    ] = None,
    frame_id: Annotated[
        list[str] | None, typer.Option("--id", metavar="HEX", help="Only frames with this id, repeatable.")
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after so many frames.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document a line, for programs.")] = False,
) -> None:
    """Follow the frames, decoded, until Ctrl-C."""
    ids = frozenset(_hex_id(text)[0] for text in frame_id or ())
    address = address_for_tools(can, data_dir)
    spell = as_json if json else as_line

    def show(message: Message) -> None:
        sys.stdout.write(spell(message) + "\n")
        sys.stdout.flush()

    async def following() -> None:
        names = tuple(channel or ()) or await channels_in_use(address)
        async with opened(address, names) as buses:
            await follow(buses, show=show, warn=_warn, ids=ids, most=count)

    _run(following())


@can_app.command("send")
def send(
    frame_id: Annotated[str, typer.Argument(metavar="ID", help="Hexadecimal: 200, or eight digits for 29 bits.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Hexadecimal bytes, such as 2000 or '20 00'.")] = "",
    can: Can = None,
    data_dir: DataDir = DATA_DIR,
    channel: OneChannel = None,
) -> None:
    """Put one frame on the bus."""
    message = _message(frame_id, data)
    address = address_for_tools(can, data_dir)

    async def sending() -> None:
        name = channel or (await channels_in_use(address))[0]
        async with opened(address, (name,)) as (bus,):
            try:
                await bus.send(message)
            except CanError as error:
                raise GaveUp(str(error)) from None
        told = f"sent on {name}: {message.arbitration_id:03X} [{message.dlc}] {message.data.hex(' ').upper()}"
        sys.stdout.write(told.rstrip() + "\n")

    _run(sending())


async def _demo(can: str | None, data_dir: Path, channel: str | None, hold_s: float, *, own_hub_wanted: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if own_hub_wanted:
            address = await stack.enter_async_context(own_hub())
        else:
            address = address_for_tools(can, data_dir)
        name = channel or DEMO_CHANNEL
        if channel is None:
            (charger,) = await stack.enter_async_context(opened(address, (name,)))
            await stack.enter_async_context(own_charger(charger))
        (bus,) = await stack.enter_async_context(opened(address, (name,)))
        try:
            await run_demo(bus, lambda line: print(line, flush=True), hold_s=hold_s)  # noqa: T201 - its output
        except ChargerUnanswered as error:
            raise GaveUp(str(error)) from None


def _run(work: Coroutine[Any, Any, None]) -> None:
    async def until_signalled() -> None:
        stop = asyncio.Event()
        for sig in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sig, stop.set)
        await until_stopped(stop, work)

    asyncio.run(until_signalled())


def _message(frame_id: str, data: str) -> Message:
    can_id, is_extended = _hex_id(frame_id)
    try:
        payload = bytes.fromhex(data)
    except ValueError:
        raise UsageError(f"DATA {data!r}: expected hexadecimal bytes, such as 2000") from None
    message = Message(arbitration_id=can_id, is_extended_id=is_extended, data=payload)
    try:
        check_sendable(message)
    except CanUnsupported as error:
        raise UsageError(str(error)) from None
    return message


def _hex_id(text: str) -> tuple[int, bool]:
    digits = text.removeprefix("0x").removeprefix("0X")
    if not 0 < len(digits) <= 8 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise UsageError(f"ID {text!r}: expected a hexadecimal id, such as 200")
    return int(digits, 16), len(digits) == 8


def _warn(told: str) -> None:
    sys.stderr.write(f"{told}\n")


if __name__ == "__main__":
    sys.exit(main())
