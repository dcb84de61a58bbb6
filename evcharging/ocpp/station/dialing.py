"""Opening sockets for many stations at once: how many at a time, from which addresses, and within which limits.

Nothing here speaks OCPP or opens a socket itself: a `Dial` goes in, a `Dial` comes out.

Errors::

    TooManyStations    the machine cannot have so many sockets; the message names the command that mends it
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from ssl import SSLContext
from urllib.parse import urlsplit

from evcharging.ocpp.errors import OcppError
from evcharging.ocpp.station.interfaces import ClientSocket, Dial

__all__ = ["BoundedDial", "SourceAddresses", "TooManyStations", "make_room_for"]

FILES_BESIDE_STATIONS = 256
STATIONS_PER_ADDRESS = 20_000
ADDRESSES_AT_MOST = 250
MOST_STATIONS = 200_000
PORT_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_PORT_RANGE = (32768, 60999)


class TooManyStations(OcppError):
    """More stations than this machine has sockets for. The message says what to change, and how."""


class BoundedDial:
    """Opens at most ``at_once`` sockets at a time, in the order of asking; those that are open do not count."""

    def __init__(self, dial: Dial, *, at_once: int) -> None:
        self._dial = dial
        self._room = asyncio.Semaphore(at_once)

    async def __call__(
        self,
        url: str,
        *,
        subprotocols: Sequence[str],
        headers: Mapping[str, str],
        ssl_context: SSLContext | None,
        source_address: str | None,
        on_text: Callable[[bytes], None],
        on_closed: Callable[[str], None],
        max_frame_bytes: int,
        open_timeout_s: float,
    ) -> ClientSocket:
        """See `Dial`. The wait for its turn does not count as opening."""
        async with self._room:
            return await self._dial(
                url,
                subprotocols=subprotocols,
                headers=headers,
                ssl_context=ssl_context,
                source_address=source_address,
                on_text=on_text,
                on_closed=on_closed,
                max_frame_bytes=max_frame_bytes,
                open_timeout_s=open_timeout_s,
            )


class SourceAddresses:
    """Gives stations the address they dial from, so that none runs out of ports.

    The first 20,000 to a destination need none of their own. Past that, those to a loopback address take turns in
    127/8, each for 20,000 stations; any other destination is reached from one address only, and refused beyond its
    ports.
    """

    def __init__(self) -> None:
        self._stations: Counter[tuple[str, int]] = Counter()

    def address_for(self, url: str) -> str | None:
        """The source address for one more station at ``url``; None: whatever the system takes.

        Raises:
            TooManyStations: no address is left from which another socket can be opened to there.
        """
        destination = _destination(url)
        before = self._stations[destination]
        if _is_loopback_v4(destination[0]):
            rank = before // STATIONS_PER_ADDRESS
            if rank >= ADDRESSES_AT_MOST:
                raise TooManyStations(
                    f"{before + 1} stations at {destination[0]}:{destination[1]}; expected at most "
                    f"{STATIONS_PER_ADDRESS * ADDRESSES_AT_MOST}: let the CSMS listen on a second port"
                )
            address = f"127.0.0.{rank + 1}" if rank else None
        else:
            first, last = _port_range()
            if before >= last - first + 1:
                raise TooManyStations(
                    f"{before + 1} stations at {destination[0]}:{destination[1]}; one address has {last - first + 1} "
                    f'ports: sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535", or run more on another machine'
                )
            address = None
        self._stations[destination] += 1
        return address

    def give_back(self, url: str) -> None:
        """A station at ``url`` is gone."""
        destination = _destination(url)
        if self._stations[destination] > 0:
            self._stations[destination] -= 1


def make_room_for(stations: int | None = None, *, beside: int = FILES_BESIDE_STATIONS) -> int:
    """Raise this process's limit of open files to the most it may have, and see that ``stations`` fit in.

    Args:
        stations: sockets to be open at the same time; None: as many as there is room for.
        beside: what the process needs besides.

    Returns:
        The stations that fit in: those asked for, or as many as there is room for.

    Raises:
        TooManyStations: they do not; names the command.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if stations is None:
        return MOST_STATIONS if hard == resource.RLIM_INFINITY else max(min(hard - beside, MOST_STATIONS), 1)
    needed = stations + beside
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise TooManyStations(
            f"{stations} stations need {needed} open files and this process may have {hard}: "
            f"sudo prlimit --pid $$ --nofile={needed}:{needed} in this shell, then start again; or share them among "
            "several processes"
        )
    return stations


def _destination(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


def _is_loopback_v4(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.version == 4 and address.is_loopback


def _port_range() -> tuple[int, int]:
    try:
        first, last = PORT_RANGE_FILE.read_text(encoding="ascii").split()
        return int(first), int(last)
    except (OSError, ValueError):
        return USUAL_PORT_RANGE
