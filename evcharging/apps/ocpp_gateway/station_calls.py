"""Calls to stations for Central, and what their ends are called in a reply. Knows no version, stores nothing."""

from __future__ import annotations

from evcharging.apps.ocpp_gateway.charge_points import ChargePoint
from evcharging.apps.ocpp_gateway.dialect import Ask, Dialect, Payload
from evcharging.apps.ocpp_gateway.verdicts import Outcome, accepted, refused
from evcharging.messages.commands import CommandOutcome
from evcharging.ocpp.errors import CallFailed, CallRejected, CallTimedOut, ConnectionLost, InvalidAnswer, error_code
from evcharging.ocpp.schemas import check_order

__all__ = ["NOT_CONNECTED", "StationCalls"]

NOT_CONNECTED = Outcome(
    CommandOutcome.NOT_CONNECTED, error_code="not_connected", error_description="the station has no connection"
)


class StationCalls:
    """Makes them.

    Args:
        timeout_s: so long a station has to answer.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    async def ask(self, point: ChargePoint, dialect: Dialect, ask: Ask) -> Outcome:
        """Have a station do something: ACCEPTED, or REJECTED with its word for no."""
        barred = _barred(point, dialect, ask.action)
        if barred is not None:
            return barred
        response = await self._call(point, ask.action, ask.payload)
        if isinstance(response, Outcome):
            return response
        refusal = ask.refusal(response)
        record = dialect.record(point.cp_id, ask.action, ask.payload, response)
        if refusal is not None:
            return refused(refusal.lower(), f"the station answered {ask.action} with {refusal}", payload=response)
        return accepted(response, record=record)

    async def pass_on(self, point: ChargePoint, dialect: Dialect, action: str, payload: Payload) -> Outcome:
        """Make a call as it is: CALL_RESULT, or why there is none."""
        if action not in dialect.actions:
            return refused("NotImplemented", f"{action[:50]!r} is nothing that a CSMS asks of a station")
        if point.link is None:
            return NOT_CONNECTED
        try:
            check_order(point.link.version, action, payload)
        except CallRejected as error:
            return refused(error_code(error.fault, point.link.version), error.description)
        barred = _barred(point, dialect, action)
        if barred is not None:
            return barred
        response = await self._call(point, action, payload)
        if isinstance(response, Outcome):
            return response
        record = dialect.record(point.cp_id, action, payload, response)
        return Outcome(CommandOutcome.CALL_RESULT, response, record=record)

    async def _call(self, point: ChargePoint, action: str, payload: Payload) -> Payload | Outcome:
        if point.link is None:
            return NOT_CONNECTED
        try:
            return await point.link.call(action, payload, timeout_s=self._timeout_s)
        except CallFailed as error:
            return Outcome(CommandOutcome.CALL_ERROR, error.details or None, error.code, error.description)
        except InvalidAnswer as error:
            return Outcome(CommandOutcome.CALL_ERROR, error.payload, "InvalidAnswer", str(error))
        except CallTimedOut as error:
            return Outcome(CommandOutcome.TIMEOUT, None, "timeout", str(error))
        except ConnectionLost as error:
            return Outcome(CommandOutcome.NOT_CONNECTED, None, "not_connected", str(error))


def _barred(point: ChargePoint, dialect: Dialect, action: str) -> Outcome | None:
    """A station whose boot was rejected is asked nothing; one that is pending, anything but to charge."""
    if point.boot_status == "Rejected":
        return refused("rejected", "the station's boot was rejected; it is asked nothing")
    if action in dialect.begins_charging and point.boot_status not in (None, "Accepted"):
        return refused("pending", "the station's boot is pending; it is not asked to charge")
    return None
