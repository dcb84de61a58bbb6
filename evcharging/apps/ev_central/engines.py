"""Which ids engines have: an OCPP station made under one of them would speak over its charge point."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from evcharging.apps.ev_central.errors import IdTaken
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import StatusSource
from evcharging.store.simulator import network

__all__ = ["require_no_engine"]


async def require_no_engine(transaction: AsyncConnection, cp_id: str) -> None:
    """Refuse the id of a charge point that an engine runs; one whose engine has left may become a station.

    Raises:
        IdTaken
    """
    point = (await network.charge_points(transaction, [cp_id])).get(cp_id)
    if (
        point is not None
        and point.source == StatusSource.ENGINE.value
        and point.state is not ChargePointState.DISCONNECTED
    ):
        raise IdTaken(cp_id)
