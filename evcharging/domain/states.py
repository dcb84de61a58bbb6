"""The states of a charge point and its connectors: which moves are legal, and how three vocabularies name them.

State is kept per connector; connector 0 is the whole charge point. `ConnectorState` is for whoever owns the state (an
engine, the gateway) and refuses illegal moves. An observer of `cp.status` takes what it is told: it may have missed
records, so the last one counts there. Nothing here knows a session, a socket or a topic.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WHOLE_CHARGE_POINT: Final = 0
"""Connector id that stands for the charge point itself (OCPP 1.6, section 7.7)."""


class ChargePointState(StrEnum):
    """A connector's or a charge point's state, as the bus spells it."""

    DISCONNECTED = "DISCONNECTED"
    ACTIVATED = "ACTIVATED"
    SUPPLYING = "SUPPLYING"
    STOPPED = "STOPPED"
    FAULT = "FAULT"


class OcppStatus(StrEnum):
    """ChargePointStatus of OCPP 1.6, section 7.7."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class MqttStatus(StrEnum):
    """The `status` field of MQTT telemetry."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    FINISHING = "finishing"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class IllegalTransition(Exception):
    """A move that the rules refuse. `current` and `wanted` are the two states; nothing has changed."""

    def __init__(self, current: ChargePointState, wanted: ChargePointState, remedy: str) -> None:
        super().__init__(f"cannot go from {current.value} to {wanted.value}: {remedy}")
        self.current = current
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Transition:
    """A move that was made."""

    previous: ChargePointState
    state: ChargePointState


OUT_OF_REACH: Final = frozenset({ChargePointState.FAULT, ChargePointState.DISCONNECTED})
"""States in which an order of the operator is remembered, not carried out."""


class ConnectorState:
    """The state of one connector, with the memory of an administrative stop.

    Every method makes one kind of move. It returns the Transition, or None where it is legal and leaves the state as
    it was (a second fault, a stop given while out of reach), and raises IllegalTransition otherwise.
    """

    def __init__(self, state: ChargePointState = ChargePointState.DISCONNECTED, *, stop_stands: bool = False) -> None:
        self._state = state
        self._stop_stands = stop_stands or state is ChargePointState.STOPPED

    @property
    def state(self) -> ChargePointState:
        """The state now."""
        return self._state

    @property
    def stop_stands(self) -> bool:
        """Whether an administrative stop is in force, or will be again once the fault or the outage is over."""
        return self._stop_stands

    def connect(self) -> Transition:
        """Leave DISCONNECTED, to ACTIVATED or to the stop that stands."""
        self._require(ChargePointState.DISCONNECTED, ChargePointState.ACTIVATED)
        return self._back_in_service()

    def disconnect(self) -> Transition | None:
        """Go to DISCONNECTED from anywhere."""
        return self._move(ChargePointState.DISCONNECTED)

    def fail(self) -> Transition | None:
        """Go to FAULT from anywhere."""
        return self._move(ChargePointState.FAULT)

    def heal(self) -> Transition:
        """Leave FAULT, to ACTIVATED or to the stop that stands."""
        self._require(ChargePointState.FAULT, ChargePointState.ACTIVATED)
        return self._back_in_service()

    def begin_supply(self) -> Transition:
        """Go from ACTIVATED to SUPPLYING."""
        self._require(ChargePointState.ACTIVATED, ChargePointState.SUPPLYING)
        return self._made(ChargePointState.SUPPLYING)

    def end_supply(self) -> Transition:
        """Go from SUPPLYING to ACTIVATED."""
        self._require(ChargePointState.SUPPLYING, ChargePointState.ACTIVATED)
        return self._made(ChargePointState.ACTIVATED)

    def stop(self) -> Transition | None:
        """Take out of service by an operator's order; from FAULT and DISCONNECTED it counts later.

        While SUPPLYING it is refused: the session is ended first, then `stop` is called.
        """
        if self._state in OUT_OF_REACH:
            self._stop_stands = True
            return None
        self._require(ChargePointState.ACTIVATED, ChargePointState.STOPPED)
        self._stop_stands = True
        return self._made(ChargePointState.STOPPED)

    def resume(self) -> Transition | None:
        """Put back into service; from FAULT and DISCONNECTED the stop is forgotten."""
        if self._state in OUT_OF_REACH:
            self._stop_stands = False
            return None
        self._require(ChargePointState.STOPPED, ChargePointState.ACTIVATED)
        self._stop_stands = False
        return self._made(ChargePointState.ACTIVATED)

    def _back_in_service(self) -> Transition:
        return self._made(ChargePointState.STOPPED if self._stop_stands else ChargePointState.ACTIVATED)

    def _require(self, needed: ChargePointState, wanted: ChargePointState) -> None:
        if self._state is not needed:
            raise IllegalTransition(self._state, wanted, _remedy(self._state, wanted))

    def _move(self, wanted: ChargePointState) -> Transition | None:
        return None if self._state is wanted else self._made(wanted)

    def _made(self, state: ChargePointState) -> Transition:
        transition = Transition(self._state, state)
        self._state = state
        return transition


def effective_state(whole: ChargePointState, connector: ChargePointState) -> ChargePointState:
    """Return what a connector is worth: the charge point's own state where that bars every connector, else its own.

    A session that runs on is not hidden by a charge point that goes out of service around it.
    """
    return whole if _bars(whole, (connector,)) else connector


def roll_up(states: Mapping[int, ChargePointState]) -> ChargePointState:
    """Return the charge point's state from those of its connectors by id; 0 is the whole, DISCONNECTED where missing.

    FAULT or DISCONNECTED if the whole is; STOPPED if the whole is and no connector is SUPPLYING (some chargers say it
    of the whole while a session runs on); else SUPPLYING if any connector is, else ACTIVATED if any is (or none is
    known). Where no connector can serve: FAULT if any connector is, else STOPPED if any is, else DISCONNECTED.
    """
    whole = states.get(WHOLE_CHARGE_POINT, ChargePointState.DISCONNECTED)
    connectors = {state for connector_id, state in states.items() if connector_id != WHOLE_CHARGE_POINT}
    if _bars(whole, connectors) or not connectors:
        return whole
    return next(state for state in _MOST_TELLING_FIRST if state in connectors)


def state_of_ocpp(status: OcppStatus | None) -> ChargePointState:
    """Return the bus state of an OCPP 1.6 connector status; None is a charge point without a websocket."""
    return ChargePointState.DISCONNECTED if status is None else _STATE_OF_OCPP[status]


def ocpp_of_state(state: ChargePointState) -> OcppStatus | None:
    """Return the plainest OCPP 1.6 status of a bus state; None is no websocket."""
    return _OCPP_OF_STATE[state]


def state_of_mqtt(status: MqttStatus) -> ChargePointState:
    """Return the bus state of an MQTT status."""
    return _STATE_OF_MQTT[status]


def mqtt_of_state(state: ChargePointState) -> MqttStatus:
    """Return the plainest MQTT status of a bus state."""
    return _MQTT_OF_STATE[state]


def mqtt_of_ocpp(status: OcppStatus | None) -> MqttStatus:
    """Return the MQTT status that says most of an OCPP 1.6 status; None is no websocket."""
    detailed = {OcppStatus.PREPARING: MqttStatus.PREPARING, OcppStatus.FINISHING: MqttStatus.FINISHING}
    if status in detailed:
        return detailed[status]
    return mqtt_of_state(state_of_ocpp(status))


def _bars(whole: ChargePointState, connectors: Collection[ChargePointState]) -> bool:
    if whole is ChargePointState.STOPPED:
        return ChargePointState.SUPPLYING not in connectors
    return whole in OUT_OF_REACH


_MOST_TELLING_FIRST: Final = (
    ChargePointState.SUPPLYING,
    ChargePointState.ACTIVATED,
    ChargePointState.FAULT,
    ChargePointState.STOPPED,
    ChargePointState.DISCONNECTED,
)

_STATE_OF_OCPP: Final = {
    OcppStatus.AVAILABLE: ChargePointState.ACTIVATED,
    OcppStatus.PREPARING: ChargePointState.ACTIVATED,
    OcppStatus.FINISHING: ChargePointState.ACTIVATED,
    OcppStatus.RESERVED: ChargePointState.ACTIVATED,
    OcppStatus.CHARGING: ChargePointState.SUPPLYING,
    OcppStatus.SUSPENDED_EV: ChargePointState.SUPPLYING,
    OcppStatus.SUSPENDED_EVSE: ChargePointState.SUPPLYING,
    OcppStatus.UNAVAILABLE: ChargePointState.STOPPED,
    OcppStatus.FAULTED: ChargePointState.FAULT,
}

_OCPP_OF_STATE: Final = {
    ChargePointState.DISCONNECTED: None,
    ChargePointState.ACTIVATED: OcppStatus.AVAILABLE,
    ChargePointState.SUPPLYING: OcppStatus.CHARGING,
    ChargePointState.STOPPED: OcppStatus.UNAVAILABLE,
    ChargePointState.FAULT: OcppStatus.FAULTED,
}

_STATE_OF_MQTT: Final = {
    MqttStatus.OFFLINE: ChargePointState.DISCONNECTED,
    MqttStatus.AVAILABLE: ChargePointState.ACTIVATED,
    MqttStatus.PREPARING: ChargePointState.ACTIVATED,
    MqttStatus.FINISHING: ChargePointState.ACTIVATED,
    MqttStatus.CHARGING: ChargePointState.SUPPLYING,
    MqttStatus.UNAVAILABLE: ChargePointState.STOPPED,
    MqttStatus.FAULTED: ChargePointState.FAULT,
}

_MQTT_OF_STATE: Final = {
    ChargePointState.DISCONNECTED: MqttStatus.OFFLINE,
    ChargePointState.ACTIVATED: MqttStatus.AVAILABLE,
    ChargePointState.SUPPLYING: MqttStatus.CHARGING,
    ChargePointState.STOPPED: MqttStatus.UNAVAILABLE,
    ChargePointState.FAULT: MqttStatus.FAULTED,
}


def _remedy(current: ChargePointState, wanted: ChargePointState) -> str:
    if current is wanted:
        return "it is there already"
    if current is ChargePointState.SUPPLYING:
        return "end the session first"
    return {
        ChargePointState.DISCONNECTED: "it must connect first",
        ChargePointState.ACTIVATED: "this needs another state before it",
        ChargePointState.STOPPED: "resume it first",
        ChargePointState.FAULT: "the fault must be cleared first",
    }[current]
