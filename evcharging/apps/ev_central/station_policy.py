"""Whether a simulated station would let a session begin at the price in force: asked before it is commanded to.

The station decides itself, and refuses a remote start that comes all the same; here its driver hears of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from evcharging.apps.ev_central.prices import Prices
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.domain.policy import refuse_price

__all__ = ["PolicyOf", "anything_goes", "policy_of_swarm"]

PolicyOf: TypeAlias = Callable[[str], str | None]
"""Why the charge point of an id lets no session begin now; None where it does, as far as Central knows."""


def anything_goes(_cp_id: str) -> None:
    """No charge point has a policy."""


def policy_of_swarm(swarm: SwarmView, prices: Prices) -> PolicyOf:
    """The policies of the swarm's stations, which Central knows by their profiles."""

    def refusal(cp_id: str) -> str | None:
        profile = swarm.profile_of(cp_id)
        refused = None if profile is None else refuse_price(profile.limits, float(prices.latest.price_per_kwh))
        return None if refused is None else refused.reason

    return refusal
