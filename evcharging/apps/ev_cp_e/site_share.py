"""What the site gives the sessions of this process: its sun, and its limit on power.

Every engine process shares among its own sessions only; a site with several engines gives each its own limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from evcharging.domain.site import Demand, share_limit
from evcharging.messages.network import SiteSignal

__all__ = ["SiteShare"]


class SiteShare:
    """The latest signal of one site, and what follows from it.

    Args:
        site_id: whose signals count.
    """

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._signal: SiteSignal | None = None

    def take(self, signal: SiteSignal) -> bool:
        """Take a signal; returns whether it is this site's."""
        if signal.site_id != self._site_id:
            return False
        self._signal = signal
        return True

    @property
    def limit_kw(self) -> float | None:
        """What all sessions together may draw: the grid's limit and what the sun adds; None without a limit."""
        if self._signal is None or self._signal.grid_limit_kw is None:
            return None
        return self._signal.grid_limit_kw + (self._signal.solar_kw or 0.0)

    def solar_fraction(self, drawn_kw: float) -> float:
        """The part of ``drawn_kw`` that the sun covers, from 0 to 1: the same for each session, solar first."""
        if self._signal is None or not self._signal.solar_kw:
            return 0.0
        return min(1.0, self._signal.solar_kw / drawn_kw) if drawn_kw > 0.0 else 1.0

    def shares_kw(self, demands: Mapping[str, Demand]) -> dict[str, float | None]:
        """What each session may draw, by charge point; None where nothing limits it."""
        limit_kw = self.limit_kw
        if limit_kw is None:
            return dict.fromkeys(demands)
        return dict(zip(demands, share_limit(limit_kw, list(demands.values())), strict=True))
