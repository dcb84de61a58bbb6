"""What may be set about the central system."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CentralSystemTerms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSystemTerms:
    """What may be set.

    Attributes:
        accept_unknown_id_tags: whether an idTag that nobody stored is Accepted; otherwise it is Invalid.
        refuse_concurrent: answer ConcurrentTx to a start with an idTag that is charging already.
        call_timeout_s: so long a station has to answer a call.
        hold_s: so long a transaction message waits for a database that is away, before its socket is ended.
        doubt_s: so long a connector is said to be free before its open transaction is closed.
        flush_s: between two intervals of one transaction, at least.
        leave_others_s: see `CommandDesk`; ``settle_s`` likewise.
        mqtt_interval_s: between two messages of telemetry on MQTT.
        known_vendors: see `Upkeep`.
    """

    site_id: str = "site-1"
    accept_unknown_id_tags: bool = False
    refuse_concurrent: bool = False
    call_timeout_s: float = 30.0
    hold_s: float = 20.0
    doubt_s: float = 60.0
    flush_s: float = 0.25
    leave_others_s: float = 2.0
    settle_s: float = 15.0
    mqtt_interval_s: float = 5.0
    known_vendors: frozenset[str] = frozenset()
