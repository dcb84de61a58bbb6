"""The words for what a charger outlet is doing, why it has failed, and which commands it refuses.

ChargerError
├── NoVehicleReady   start without a vehicle, or with one whose session is over
├── VehiclePresent   plug while another vehicle waits or charges
├── ChargerFaulted   start while a fault stands
└── InvalidInput     a figure that cannot be: a limit below zero, a time before the last one
"""

from enum import StrEnum


class ChargerState(StrEnum):
    """What the outlet is doing."""

    AVAILABLE = "AVAILABLE"
    """No vehicle."""
    PLUGGED = "PLUGGED"
    """A vehicle waits for `start`."""
    CHARGING = "CHARGING"
    """The contactor is closed and current is on offer."""
    SUSPENDED = "SUSPENDED"
    """Started, but nothing on offer: no set point yet, one under 6 A, or none heard any more."""
    FINISHED = "FINISHED"
    """The vehicle is full or its session was stopped; it is still on the cable."""
    FAULTED = "FAULTED"
    """The contactor is open until the fault is cleared."""


class FaultCode(StrEnum):
    """Why an outlet is FAULTED."""

    NONE = "NONE"
    GROUND_FAULT = "GROUND_FAULT"
    OVER_TEMPERATURE = "OVER_TEMPERATURE"
    CONTACTOR_WELDED = "CONTACTOR_WELDED"
    COMMUNICATION_LOSS = "COMMUNICATION_LOSS"


class ChargerError(Exception):
    """A command that the charger refuses; its state is as before."""


class NoVehicleReady(ChargerError):
    """Raised by `start` without a vehicle, or with one whose session is over."""


class VehiclePresent(ChargerError):
    """Raised by `plug` while another vehicle waits or charges."""


class ChargerFaulted(ChargerError):
    """Raised by `start` while a fault stands."""


class InvalidInput(ChargerError, ValueError):
    """Raised for a figure that cannot be."""
