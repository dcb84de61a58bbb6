"""What can be configured in a station, by meaning: each version of OCPP maps its own keys or variables onto these."""

from dataclasses import dataclass

from evcharging.domain.authorization import DEFAULT_RULES, AuthorizationRules

ENERGY = "Energy.Active.Import.Register"
DEFAULT_MEASURANDS = (ENERGY, "Power.Active.Import", "Current.Import", "Voltage", "SoC", "Temperature")


@dataclass(slots=True)
class Parameters:
    """One station's configuration as the core acts on it; times in s.

    Attributes:
        heartbeat_interval_s: Inactivity after which a heartbeat is sent; 0 is none. The boot's answer sets it.
        ping_interval_s: Pause between websocket pings; 0 is none.
        connection_timeout_s: How long an accepted card waits for its vehicle.
        minimum_status_s: How long a connector's state must stand before it is told.
        sample_interval_s, aligned_interval_s: Between meter values in a transaction, and by the clock; 0 is none.
        sampled, aligned: Measurands of those two.
        ended_sampled, ended_aligned: Measurands told with the end of a transaction; none means no such data.
        authorization: The rules about cards; list and cache have their own switches.
        stop_on_disconnect: Whether pulling the plug at the vehicle ends the transaction.
        unlock_on_disconnect: Whether it also unlocks the plug at the station.
        message_attempts, message_retry_s: How often a refused transaction message is sent, and the pause, which grows
            with every attempt.
        reset_retries: How often a reset that fails is tried again.
    """

    heartbeat_interval_s: float = 300.0
    ping_interval_s: float = 54.0
    connection_timeout_s: float = 60.0
    minimum_status_s: float = 0.0
    sample_interval_s: float = 60.0
    aligned_interval_s: float = 0.0
    sampled: tuple[str, ...] = DEFAULT_MEASURANDS
    aligned: tuple[str, ...] = (ENERGY,)
    ended_sampled: tuple[str, ...] = ()
    ended_aligned: tuple[str, ...] = ()
    authorization: AuthorizationRules = DEFAULT_RULES
    stop_on_disconnect: bool = True
    unlock_on_disconnect: bool = True
    message_attempts: int = 3
    message_retry_s: float = 20.0
    reset_retries: int = 1
