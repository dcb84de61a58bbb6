"""What the whole network has come to: energy, earnings, stations, how many of them run. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.domain.energy import WH_PER_KWH
from evcharging.domain.money import currency, round_money
from evcharging.store.simulator.session_records import Totals

__all__ = ["TotalsRecord", "totals_of"]

KWH_DIGITS = 3


class TotalsRecord(TypedDict):
    """Energy and money over all sessions so far, those that run included."""

    energy_kwh: Annotated[float | None, Field(description="delivered, kWh", examples=[123.4])]
    earnings: Annotated[float | None, Field(description="sum of the bills", examples=[37.02])]
    currency: Annotated[str, Field(examples=["EUR"])]
    stations: Annotated[int, Field(description="charge points and simulated stations known", examples=[8])]
    running: Annotated[
        int, Field(description="charge points that are supplying, and simulated stations that are online", examples=[3])
    ]


def totals_of(sums: Totals | None, view: NetworkView, swarm: SwarmView) -> TotalsRecord:
    """Add up the sessions that Central knows and the stations that charge at somebody else's CSMS.

    Of these there is no bill: the energy on their meters counts at the price in force, where one is known.

    Args:
        sums: over Central's sessions; None where the database was never asked yet.
        view: the charge points now.
        swarm: the simulated stations now.
    """
    beyond = swarm.beyond(view.known, view.supplying)
    energy_kwh = earnings = None
    code = view.currency if sums is None else sums.currency
    if sums is not None:
        beyond_kwh = Decimal(str(beyond.energy_wh)) / WH_PER_KWH
        price = Decimal(str(view.signal.price_per_kwh)) if view.signal is not None else Decimal(0)
        energy_kwh = round(float(sums.energy_kwh + beyond_kwh), KWH_DIGITS)
        earnings = float(sums.earnings + round_money(beyond_kwh * price, currency(code)))
    return {
        "energy_kwh": energy_kwh,
        "earnings": earnings,
        "currency": code,
        "stations": len(view) + beyond.stations,
        "running": len(view.supplying) + beyond.online,
    }
