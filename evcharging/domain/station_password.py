"""How long a station's password for HTTP Basic may be. Nothing here is ever told more of a password than its length.

The OCPP 1.6 security whitepaper (AuthorizationKey) and 2.0.1 (BasicAuthPassword) say 16 to 40 characters. Longer ones
are let be up to a bound, for stations that are given theirs by other means than OCPP.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST", "SHORTEST", "STATION_LENGTHS", "too_short_or_long"]

SHORTEST: Final = 16
LONGEST: Final = 64
STATION_LENGTHS: Final = range(SHORTEST, 41)
"""What a station of 1.6 or 2.0.1 can be given over OCPP."""


def too_short_or_long(length: int) -> str | None:
    """Say what is wrong with a password of so many characters; None where nothing is."""
    if SHORTEST <= length <= LONGEST:
        return None
    characters = "1 character" if length == 1 else f"{length} characters"
    return (
        f"got {characters}, expected {SHORTEST} to {LONGEST} ({STATION_LENGTHS[-1]} at most for a station of OCPP 1.6"
        " or 2.0.1): choose another, such as what `openssl rand -hex 20` makes"
    )
