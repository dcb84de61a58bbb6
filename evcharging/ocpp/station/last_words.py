"""What a station that is told to stop still delivers: what is answered in time, and, if it may, after coming back.

It ends no transaction and closes no socket; see `Station.stop`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from evcharging.ocpp.station import wording

if TYPE_CHECKING:
    from evcharging.ocpp.station.station import Station

__all__ = ["deliver"]

_LAST_WORDS_S: Final = 2.0
_MORE: Final = 1 / 3
"""Of the time of a call: what is waited for beyond it."""


async def deliver(station: Station) -> None:
    """Wait for what is kept to be answered, as long as one is in little more than the time of a call.

    What is not kept, such as the last states, is waited for a little. A station whose settings say so (`comes_back_s`)
    connects again for what is kept, and makes every attempt it has at a call that is not answered; else a lost
    connection is the end of it. A message that the CSMS refused is not waited for: the next attempt is too far away.
    """
    outbox = station.outbox
    while station.online or await _came_back(station):
        before = outbox.kept
        try:
            async with asyncio.timeout(_patience_s(station) if before else _LAST_WORDS_S):
                await outbox.drained()
        except TimeoutError:
            if outbox.kept >= before:
                if before:
                    station.log(wording.not_delivered(outbox.kept))
                return
        else:
            if not outbox.disconnected or not await _came_back(station):
                return


def _patience_s(station: Station) -> float:
    attempts = station.parameters.message_attempts if station.settings.comes_back_s else 1
    return station.settings.call_timeout_s * (attempts + _MORE)


async def _came_back(station: Station) -> bool:
    """Return whether there is a connection again that takes what is kept."""
    outbox, within_s = station.outbox, station.settings.comes_back_s
    if not outbox.kept or within_s <= 0.0:
        return False
    station.link.hurry()
    try:
        async with asyncio.timeout(within_s):
            await outbox.opened()
    except TimeoutError:
        station.log(wording.not_delivered(outbox.kept))
        return False
    return True
