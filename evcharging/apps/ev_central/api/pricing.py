"""Prices and totals over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from evcharging.apps.ev_central.api.dependencies import PartsOf
from evcharging.apps.ev_central.api.error_docs import errors
from evcharging.apps.ev_central.api.models import PriceBody, PriceRecord
from evcharging.apps.ev_central.operations import Pricing
from evcharging.apps.ev_central.totals import TotalsRecord, totals_of

__all__ = ["router"]

router = APIRouter(tags=["money"])


@router.get("/pricing", summary="The price in force", responses=errors())
async def pricing(parts: PartsOf) -> PriceRecord:
    """Per kWh, from the grid and from the site's sun."""
    return _record(await parts.operations.pricing())


@router.post(
    "/pricing",
    summary="Set the price",
    responses=errors("invalid_pricing", "database_unavailable", writes=True),
)
async def set_pricing(parts: PartsOf, body: PriceBody) -> PriceRecord:
    """In force at once, also for running sessions in the same currency; what they have used stays as it was priced."""
    currency = body.currency or (await parts.operations.pricing()).currency
    return _record(await parts.operations.set_pricing(body.price, currency, body.solar_price))


@router.get("/totals", summary="Energy and earnings so far", responses=errors("database_unavailable"))
async def totals(parts: PartsOf) -> TotalsRecord:
    """Over all sessions, those that run included; of stations at other CSMS, what is on their meters."""
    parts.swarm_view.expire(parts.now())
    return totals_of(await parts.operations.totals(), parts.view, parts.swarm_view)


def _record(pricing: Pricing) -> PriceRecord:
    return PriceRecord(
        price=float(pricing.price),
        currency=pricing.currency,
        solar_price=None if pricing.solar_price is None else float(pricing.solar_price),
    )
