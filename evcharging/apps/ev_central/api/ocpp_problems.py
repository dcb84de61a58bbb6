"""Which problem each of `ocpp_errors` becomes."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from evcharging.apps.ev_central import ocpp_errors
from evcharging.apps.ev_central.api.problems import IN_DOUBT, problem_response

__all__ = ["install_ocpp"]

BY_KIND: dict[type[Exception], str] = {
    ocpp_errors.UnknownToken: "unknown_token",
    ocpp_errors.UnknownRegistration: "unknown_registration",
    ocpp_errors.UnknownChargingProfile: "unknown_charging_profile",
    ocpp_errors.UnknownAction: "unknown_action",
    ocpp_errors.AlreadyThere: "already_there",
    ocpp_errors.NotConnected: "not_connected",
    ocpp_errors.CallRefused: "call_refused",
    ocpp_errors.TooManyCalls: "too_many_calls",
}


def install_ocpp(on: Callable[[type[Exception], object], None]) -> None:
    """Have each answered with its problem; ``on`` takes an error's type and its handler."""
    for kind, code in BY_KIND.items():
        on(kind, _with_code(code))
    on(ocpp_errors.InvalidValue, _invalid_value)
    on(ocpp_errors.CallFailed, _call_failed)
    on(ocpp_errors.NoAnswer, _no_answer)


def _with_code(code: str) -> object:
    async def answer(_request: Request, error: Exception) -> Response:
        return problem_response(code, str(error))

    return answer


async def _invalid_value(_request: Request, error: ocpp_errors.InvalidValue) -> Response:
    problems = [{"pointer": error.pointer, "detail": error.detail}]
    return problem_response("invalid_request", str(error), errors=problems)


async def _call_failed(_request: Request, error: ocpp_errors.CallFailed) -> Response:
    return problem_response(
        "call_error", str(error), error_code=error.error_code, error_description=error.error_description
    )


async def _no_answer(request: Request, error: ocpp_errors.NoAnswer) -> Response:
    setattr(request.state, IN_DOUBT, error.in_doubt)
    return problem_response("no_answer", str(error), in_doubt=error.in_doubt)
