"""The station's log lines. People and tests read these words, so every one of them is here and nowhere else."""

from evcharging.domain.charger_state import FaultCode
from evcharging.domain.policy import Action, Decision
from evcharging.ocpp.station.interfaces import ConnectorState, Environment

_PRICE = "Price too high"
_SECONDS_A_DAY = 86_400


def stamped(at_s: float, message: str) -> str:
    """Return `[HH:MM:SS] message`, in UTC."""
    second = int(at_s) % _SECONDS_A_DAY
    return f"[{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}] {message}"


def boot_sent() -> str:
    """Say that the boot was announced."""
    return "BootNotification sent"


def boot_answered(status: str, interval_s: float) -> str:
    """Say what the CSMS made of it."""
    return f"BootNotification {status.lower()} (interval {interval_s:g} s)"


def boot_failed(reason: str) -> str:
    """Say that the boot had no good answer."""
    return f"BootNotification failed - {reason}"


def authorized(id_tag: str) -> str:
    """Say that a card was accepted."""
    return f"Authorization successful - {id_tag}"


def refused(id_tag: str, status: str) -> str:
    """Say that a card was refused, and how."""
    return f"Authorization failed - {id_tag} ({status})"


def charging_started(environment: Environment) -> str:
    """Say that power may flow, and at what price."""
    return f"Charging started (price: {_price(environment)})"


def charging_goes_on(energy_wh: float) -> str:
    """Say that a session that was begun elsewhere is continued, and what it got there."""
    return f"Charging goes on ({energy_wh / 1000.0:.2f} kWh delivered before)"


def not_delivered(messages: int) -> str:
    """Say how many transaction messages a station ends with."""
    return f"{messages} messages were not delivered"


def charging_stopped(energy_wh: float) -> str:
    """Say how much a session got."""
    return f"Charging stopped ({energy_wh / 1000.0:.2f} kWh delivered)"


def waiting(decision: Decision, environment: Environment) -> str:
    """Say why no session begins yet."""
    return f"{_reason(decision, environment)} - waiting"


def stopping(decision: Decision, environment: Environment) -> str:
    """Say why a session ends."""
    return f"{_reason(decision, environment)} - stopping"


def remote_start_refused(reason: str) -> str:
    """Say that the policy lets no session begin from afar now."""
    return f"Remote start refused - {reason}"


def slowed(decision: Decision, amps: float) -> str:
    """Say that the policy takes power away."""
    share = "" if decision.action is not Action.RAMP_DOWN else f" to {amps:.1f} A"
    return f"{decision.reason} - ramping down{share}"


def connector_changed(connector_id: int, state: ConnectorState) -> str:
    """Say a connector's new state."""
    return f"Connector {connector_id} {state.value}"


def heartbeat_failed(reason: str) -> str:
    """Say that a heartbeat had no good answer."""
    return f"Heartbeat failed - {reason}"


def connected() -> str:
    """Say that the first connection stands."""
    return "Connected"


def reconnected(attempts: int) -> str:
    """Say that a connection stands again."""
    return f"Reconnected (attempt {attempts})"


def disconnected(reason: str) -> str:
    """Say that a connection is gone."""
    return f"Disconnected - {reason}"


def not_connected(reason: str, pause_s: float) -> str:
    """Say that an attempt to connect failed."""
    return f"Connection failed - {reason}; next attempt in {pause_s:.1f} s"


def gone_offline(duration_s: float) -> str:
    """Say that the station leaves on purpose."""
    return f"Going offline for {duration_s:.0f} s"


def faulted(connector_id: int, code: FaultCode) -> str:
    """Say that an outlet failed."""
    return f"Connector {connector_id} fault - {code.value}"


def message_dropped(action: str, reason: str) -> str:
    """Say that a transaction message was given up."""
    return f"{action} given up - {reason}"


def rebooting(kind: str) -> str:
    """Say that the station boots anew."""
    return f"Rebooting ({kind})"


def reset_failed(attempts: int) -> str:
    """Say that a reset did not come through."""
    return f"Reset failed after {attempts} attempts"


def limit_changed(connector_id: int, amps: float) -> str:
    """Say what a connector may offer now."""
    return f"Connector {connector_id} limit {amps:.1f} A"


def maintenance(what: str, status: str) -> str:
    """Say a step of a firmware update or an upload."""
    return f"{what} {status}"


def shutdown(reason: str) -> str:
    """Say that the station ends."""
    return f"Shutdown ({reason})"


def _price(environment: Environment) -> str:
    return f"{environment.price:.2f} {environment.currency}"


def _reason(decision: Decision, environment: Environment) -> str:
    """Name the price itself: the threshold is the profile's business."""
    if decision.reason.startswith(_PRICE):
        return f"{_PRICE} ({_price(environment)})"
    return decision.reason
