"""What the picture of the network looks like from outside: the records of ``GET /cp`` and of ``/ws``.

They are plain dicts with a type, so that ten thousand a second can be encoded without a model being built for each; the
HTTP layer makes its documentation from the same types. Nothing here computes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import StatusSource

__all__ = ["ChargePointRecord", "ConnectorRecord", "LiveRecord"]


class ConnectorRecord(TypedDict):
    """One connector of a charge point."""

    connector_id: Annotated[int, Field(ge=1, examples=[1])]
    state: Annotated[ChargePointState, Field(description="the charge point's own state where that bars it")]
    session_id: Annotated[str | None, Field(description="the session that runs on it")]


class ChargePointRecord(TypedDict):
    """A charge point now. ``kw``, ``kwh`` and ``cost`` are sums where several of its connectors are supplying.

    ``cost`` leaves out sessions that are billed in another currency than ``currency``.
    """

    cp_id: Annotated[str, Field(examples=["CP-001"])]
    state: Annotated[ChargePointState, Field(description="rolled up from the whole and its connectors")]
    connectors: list[ConnectorRecord]
    source: Annotated[StatusSource | None, Field(description="what runs it; null until it was heard of")]
    driver_id: Annotated[str | None, Field(description="of the running session", examples=["driver-alice"])]
    session_id: Annotated[str | None, Field(description="the running session; of the lowest connector if several")]
    kw: Annotated[float, Field(description="power now, kW", examples=[22.0])]
    kwh: Annotated[float | None, Field(description="energy of the running session, kWh; null without one")]
    cost: Annotated[float | None, Field(description="Central's price for that energy; null before the first")]
    currency: Annotated[str, Field(description="ISO 4217: the running session's, or in force", examples=["EUR"])]
    soc: Annotated[float | None, Field(description="state of charge of the vehicle, 0 to 1")]
    temperature_c: Annotated[float | None, Field(description="of the charger, while a session runs")]
    last_seen: Annotated[str | None, Field(description="when it was last heard of, RFC 3339")]
    healthy: Annotated[bool | None, Field(description="by its monitor; null without a report in the last 10 s")]


class LiveRecord(ChargePointRecord):
    """As on ``/ws``: with the reasons a person wants to read beside it."""

    type: str
    unit_id: str
    reason: str | None
    detail: str | None
    health_detail: str | None
