"""A station's own random numbers: seeded by run and station, so that neither order nor number of stations matters.

A generator of 8 bytes of state (SplitMix64: Steele, Lea and Flood, 2014) instead of the standard library's 2.5 KiB,
since every one of ten thousand stations has one. For simulation, never for secrets.
"""

from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15


class StationRandom:
    """Uniform numbers from one seed.

    Args:
        seed: The seed of the run.
        station_id: Tells the stations of a run apart.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, station_id: str) -> None:
        digest = blake2b(f"{seed}/{station_id}".encode(), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def random(self) -> float:
        """Return a number from 0 up to but not including 1."""
        self._state = (self._state + _STEP) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) * 2.0**-53

    def uniform(self, least: float, most: float) -> float:
        """Return a number between `least` and `most`."""
        return least + (most - least) * self.random()
