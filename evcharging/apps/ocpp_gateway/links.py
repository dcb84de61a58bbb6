"""Which socket is a station's: the newest. Each has an epoch, and only the holder of the current one is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evcharging.apps.ocpp_gateway.link import ChargePointLink

__all__ = ["Links"]

SEEN_AT_MOST = 100_000


class Links:
    """The links that count.

    Args:
        wall_ns: nanoseconds since 1970. Epochs follow from it, so that they tell an older socket from a newer one also
            at another gateway, and after a restart.
    """

    def __init__(self, *, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._last_epoch = 0
        self._current: dict[str, ChargePointLink] = {}
        self._seen: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._current)

    def __iter__(self) -> Iterator[ChargePointLink]:
        return iter(tuple(self._current.values()))

    def get(self, cp_id: str) -> ChargePointLink | None:
        """The station's link, or None where it is not connected here."""
        return self._current.get(cp_id)

    def seen(self, cp_id: str) -> bool:
        """Whether the station was ever connected here, as far as the last `SEEN_AT_MOST` are remembered."""
        return cp_id in self._seen

    def enter(self, link: ChargePointLink) -> ChargePointLink | None:
        """Give ``link`` the current epoch; returns the one that it replaces, which is for the caller to close."""
        self._last_epoch = link.epoch = max(self._wall_ns(), self._last_epoch + 1)
        replaced = self._current.get(link.cp_id)
        self._current[link.cp_id] = link
        self._seen[link.cp_id] = None
        if len(self._seen) > SEEN_AT_MOST:
            del self._seen[next(iter(self._seen))]
        return replaced

    def leave(self, link: ChargePointLink) -> bool:
        """Remove ``link`` if it holds the current epoch, and say whether it did."""
        if self._current.get(link.cp_id) is not link:
            return False
        del self._current[link.cp_id]
        return True
