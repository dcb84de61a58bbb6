"""What can be configured in a station, by meaning: each version of OCPP maps its own keys or variables onto these."""

from dataclasses import dataclass

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
        authorize_remote: Whether a remote start is authorized like a card.
        authorize_offline: Whether cache and local list decide while there is no connection.
        pre_authorize: Whether they start a session before the CSMS has answered.
        cache_enabled, local_list_enabled: Whether the authorization cache, the local list are used.
        offline_unknown: Whether an unknown card may charge while there is no connection.
        stop_on_invalid_id: Whether a session ends when the CSMS refuses the card afterwards.
        energy_on_invalid_id_wh: What such a session may still take before power is cut; 0 is nothing.
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
    authorize_remote: bool = False
    authorize_offline: bool = True
    pre_authorize: bool = False
    cache_enabled: bool = True
    local_list_enabled: bool = True
    offline_unknown: bool = False
    stop_on_invalid_id: bool = True
    energy_on_invalid_id_wh: float = 0.0
    stop_on_disconnect: bool = True
    unlock_on_disconnect: bool = True
    message_attempts: int = 3
    message_retry_s: float = 20.0
    reset_retries: int = 1
