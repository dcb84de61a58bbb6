"""Keys in the charger's terminal: what happens at the cable, by hand. Only where standard input is a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog

from evcharging.apps.charger.node import ChargerNode
from evcharging.can.frames import Inject, InjectKind
from evcharging.domain.charger import FaultCode

__all__ = ["Keys", "keys_heard"]

log = structlog.get_logger()

_INJECTIONS: Final = {
    "u": Inject(InjectKind.UNPLUG),
    "p": Inject(InjectKind.PLUG),
    "f": Inject(InjectKind.FAULT, FaultCode.GROUND_FAULT),
    "c": Inject(InjectKind.CLEAR),
}


class Keys:
    """What each key does. They act on one node, the first until ``n`` goes on to the next."""

    def __init__(self, nodes: Sequence[ChargerNode]) -> None:
        self._nodes = nodes
        self._chosen = 0

    @property
    def chosen(self) -> ChargerNode:
        """The node that the keys act on."""
        return self._nodes[self._chosen]

    def press(self, key: str) -> None:
        """Do what ``key`` stands for; any other does nothing."""
        if key == "n":
            self._chosen = (self._chosen + 1) % len(self._nodes)
            log.info("the keys act on", cp_id=self.chosen.cp_id)
        elif key in _INJECTIONS:
            self.chosen.obey(_INJECTIONS[key])


@contextlib.contextmanager
def keys_heard(press: Callable[[str], None], descriptor: int | None = None) -> Iterator[bool]:
    """Call ``press`` with each key, on the event loop, while the block runs; yields whether there is a terminal.

    ``descriptor`` is standard input unless given. The terminal is as before afterwards.
    """
    if descriptor is None:
        descriptor = _standard_input()
    if descriptor < 0 or not os.isatty(descriptor):
        yield False
        return
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)

    def read() -> None:
        pressed = os.read(descriptor, 64)
        if not pressed:
            loop.remove_reader(descriptor)
        for key in pressed.decode("utf-8", "ignore"):
            press(key)

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield True
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _standard_input() -> int:
    """Its descriptor, -1 where it is closed or has none, as where a program was given something in its place."""
    try:
        return sys.stdin.fileno() if sys.stdin is not None else -1
    except (OSError, ValueError):
        return -1
