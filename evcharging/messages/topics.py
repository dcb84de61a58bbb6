"""Every topic: its name, its model, its key, whether it is compacted, and its dead letters.

Keys are the UTF-8 bytes of one field; partitions follow from murmur2 over the key, as in Kafka's own client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from evcharging.messages.base import Message
from evcharging.messages.charge_points import Alert, Health, Status, Telemetry
from evcharging.messages.commands import Command, Reply
from evcharging.messages.drivers import ANY_CHARGE_POINT, DriverRequest, DriverUpdate
from evcharging.messages.network import (
    AuthToken,
    OcppConfig,
    OcppFrame,
    SiteSignal,
    SwarmDesired,
    SwarmLog,
    SwarmStatus,
)

__all__ = ["TOPICS", "Topic", "dead_letter_name", "topic_named"]

M = TypeVar("M", bound=Message)

DEAD_LETTER_SUFFIX = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """A named stream of one kind of message. ``keyed_by`` says in words what ``key_of`` takes the key from."""

    name: str
    model: type[M]
    keyed_by: str
    key_of: Callable[[M], str]
    compacted: bool = False

    def __str__(self) -> str:
        return self.name


def _cp_id(message: Any) -> str:
    return str(message.cp_id)


def _station_id(message: Any) -> str:
    return str(message.station_id)


def _request_key(request: DriverRequest) -> str:
    return request.driver_id if request.cp_id == ANY_CHARGE_POINT else request.cp_id


COMMANDS: Topic[Command] = Topic("central.commands", Command, "cp_id", _cp_id)
REPLIES: Topic[Reply] = Topic("central.replies", Reply, "cp_id", _cp_id)
STATUS: Topic[Status] = Topic("cp.status", Status, "cp_id", _cp_id, compacted=True)
TELEMETRY: Topic[Telemetry] = Topic("cp.telemetry", Telemetry, "cp_id", _cp_id)
DRIVER_REQUESTS: Topic[DriverRequest] = Topic("driver.requests", DriverRequest, "cp_id, else driver_id", _request_key)
DRIVER_UPDATES: Topic[DriverUpdate] = Topic(
    "driver.updates", DriverUpdate, "driver_id", lambda update: update.driver_id
)
HEALTH: Topic[Health] = Topic("cp.health", Health, "cp_id", _cp_id)
ALERTS: Topic[Alert] = Topic("cp.alerts", Alert, "cp_id", _cp_id)
SITE_SIGNALS: Topic[SiteSignal] = Topic(
    "site.signals", SiteSignal, "site_id", lambda signal: signal.site_id, compacted=True
)
SWARM_DESIRED: Topic[SwarmDesired] = Topic("swarm.desired", SwarmDesired, "station_id", _station_id, compacted=True)
SWARM_STATUS: Topic[SwarmStatus] = Topic("swarm.status", SwarmStatus, "station_id", _station_id, compacted=True)
SWARM_LOG: Topic[SwarmLog] = Topic("swarm.log", SwarmLog, "station_id", _station_id)
AUTH_TOKENS: Topic[AuthToken] = Topic("auth.tokens", AuthToken, "id_tag", lambda token: token.id_tag, compacted=True)
OCPP_CONFIG: Topic[OcppConfig] = Topic("ocpp.config", OcppConfig, "cp_id", _cp_id, compacted=True)
OCPP_FRAMES: Topic[OcppFrame] = Topic("ocpp.frames", OcppFrame, "cp_id", _cp_id)

TOPICS: tuple[Topic[Any], ...] = (
    COMMANDS,
    REPLIES,
    STATUS,
    TELEMETRY,
    DRIVER_REQUESTS,
    DRIVER_UPDATES,
    HEALTH,
    ALERTS,
    SITE_SIGNALS,
    SWARM_DESIRED,
    SWARM_STATUS,
    SWARM_LOG,
    AUTH_TOKENS,
    OCPP_CONFIG,
    OCPP_FRAMES,
)

_BY_NAME = {topic.name: topic for topic in TOPICS}


def topic_named(name: str) -> Topic[Any]:
    """Look a topic up.

    Raises:
        KeyError: there is none of that name; the message lists those there are.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise KeyError(f"no topic {name!r}; there are: {', '.join(sorted(_BY_NAME))}") from None


def dead_letter_name(topic: str) -> str:
    """The topic that takes what could not be handled."""
    return topic + DEAD_LETTER_SUFFIX
