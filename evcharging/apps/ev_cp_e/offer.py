"""The current that a charge point offers: the least of what it may, what it was told and what the site has."""

from __future__ import annotations

from evcharging.apps.ev_cp_e.session import SessionTerms
from evcharging.domain.levels import MIN_PILOT_AMPS
from evcharging.domain.site import Demand

__all__ = ["CurrentOffer"]


class CurrentOffer:
    """The set point of one charge point, in A per phase.

    Attributes:
        commanded_amps: Central's limit, None without one.
        site_kw: this session's share of the site's limit, None where the site has none.
    """

    def __init__(self, terms: SessionTerms) -> None:
        self.commanded_amps: float | None = None
        self.site_kw: float | None = None
        self._spec = terms.spec
        self._own_amps = min(terms.spec.amps(terms.kw_rate), terms.spec.rated_amps)

    @property
    def amps(self) -> float:
        """What is offered now."""
        if self.site_kw is None:
            return self._wanted_amps
        return min(self._wanted_amps, self._spec.amps(self.site_kw))

    @property
    def demand(self) -> Demand:
        """What it would offer if the site had no limit, for the sharing of that limit."""
        wanted = self._wanted_amps
        return Demand(
            kw=self._spec.power_kw(wanted) if wanted >= MIN_PILOT_AMPS else 0.0,
            floor_kw=self._spec.power_kw(MIN_PILOT_AMPS),
        )

    def exceeds_rating(self, limit_amps: float) -> bool:
        """Whether a limit is more than the hardware can take; it is clamped then."""
        return limit_amps > self._spec.rated_amps

    @property
    def _wanted_amps(self) -> float:
        return self._own_amps if self.commanded_amps is None else min(self._own_amps, self.commanded_amps)
