"""What a driver's log says of a request and of its updates. Pure."""

from __future__ import annotations

from evcharging.messages.drivers import DriverRequest, DriverUpdate, UpdateStatus

__all__ = ["asked", "told"]


def asked(request: DriverRequest) -> str:
    """``Requested charging at CP-001, 10 kWh``."""
    amount = "" if request.kwh is None else f", {request.kwh:g} kWh"
    return f"Requested charging at {request.cp_id}{amount}"


def told(update: DriverUpdate) -> str:
    """``CP-001 | IN_PROGRESS | 22.0 kW, €0.01``; a denial with its reason, an end with its energy and cost.

    What befalls a session stands at the end: ``CP-001 | IN_PROGRESS | 0.0 kW, €0.01 | engine_unreachable``.
    """
    parts = (update.cp_id, update.status.value, _reason(update), _figures(update), _remark(update))
    return " | ".join(filter(None, parts))


def _reason(update: DriverUpdate) -> str | None:
    if update.status not in (UpdateStatus.DENIED, UpdateStatus.FAILED, UpdateStatus.CANCELLED):
        return None
    if update.reason is None:
        return update.detail
    return f"{update.reason} ({update.detail})" if update.detail else update.reason


def _remark(update: DriverUpdate) -> str | None:
    """What happened in the middle of a session, such as a fault that is hoped to pass."""
    return update.reason if update.status is UpdateStatus.IN_PROGRESS else None


def _figures(update: DriverUpdate) -> str:
    figures = []
    if update.status is UpdateStatus.IN_PROGRESS:
        if update.kw is not None:
            figures.append(f"{update.kw:.1f} kW")
    elif update.status.is_final and update.kwh is not None:
        figures.append(f"{update.kwh:.2f} kWh")
    if figures and update.euros is not None:
        in_euros = update.currency in (None, "EUR")
        figures.append(f"€{update.euros:.2f}" if in_euros else f"{update.euros:.2f} {update.currency}")
    return ", ".join(figures)
