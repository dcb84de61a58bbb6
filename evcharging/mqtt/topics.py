"""The MQTT topics, spelled and parsed in one place.

Each topic is a small value: ``str(topic)`` spells it, `parse_topic` reads it back, and the two are inverse. A name that
could not travel (a slash, a wildcard, a blank) is refused when the value is made. Nothing here knows about payloads.

Topics::

    evse/{unit_id}/telemetry|status|state|event|alarm      UnitTopic
    evse/{unit_id}/cmd/{verb}                              CommandTopic
    evse/{unit_id}/cmd/{verb}/ack                          AckTopic
    evse/_engine/{engine_id}/status                        EngineTopic
    site/{site_id}/grid|solar|price                        SiteTopic
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

__all__ = [
    "ALL_COMMANDS",
    "ALL_ENGINE_STATUS",
    "ALL_STATE",
    "ALL_STATUS",
    "ALL_TELEMETRY",
    "AckTopic",
    "CommandTopic",
    "EngineTopic",
    "MqttTopic",
    "SiteTopic",
    "SiteTopicKind",
    "TopicError",
    "UnitTopic",
    "UnitTopicKind",
    "commands_of",
    "matches",
    "parse_topic",
    "require_publishable",
]

UNIT_ROOT = "evse"
SITE_ROOT = "site"
ENGINE_LEVEL = "_engine"
COMMAND_LEVEL = "cmd"
ACK_LEVEL = "ack"

ALL_TELEMETRY = "evse/+/telemetry"
ALL_STATUS = "evse/+/status"
ALL_STATE = "evse/+/state"
ALL_ENGINE_STATUS = "evse/_engine/+/status"
ALL_COMMANDS = "evse/+/cmd/+"


class TopicError(ValueError):
    """A topic, or a name that was to become part of one, that this system does not use."""


class UnitTopicKind(StrEnum):
    """What a unit tells about itself."""

    TELEMETRY = "telemetry"
    STATUS = "status"
    STATE = "state"
    EVENT = "event"
    ALARM = "alarm"


class SiteTopicKind(StrEnum):
    """What is told about a site; all retained."""

    GRID = "grid"
    SOLAR = "solar"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class UnitTopic:
    """``evse/{unit_id}/{kind}``. Raises `TopicError` for a unit id that cannot travel."""

    unit_id: str
    kind: UnitTopicKind

    def __post_init__(self) -> None:
        _check_unit(self.unit_id)

    def __str__(self) -> str:
        return f"{UNIT_ROOT}/{self.unit_id}/{self.kind.value}"


@dataclass(frozen=True, slots=True)
class CommandTopic:
    """``evse/{unit_id}/cmd/{verb}``. Raises `TopicError` for a unit id or verb that cannot travel."""

    unit_id: str
    verb: str

    def __post_init__(self) -> None:
        _check_unit(self.unit_id)
        _check("verb", self.verb, _VERB)

    def __str__(self) -> str:
        return f"{UNIT_ROOT}/{self.unit_id}/{COMMAND_LEVEL}/{self.verb}"

    @property
    def ack(self) -> AckTopic:
        """Where the answer goes."""
        return AckTopic(self.unit_id, self.verb)


@dataclass(frozen=True, slots=True)
class AckTopic:
    """``evse/{unit_id}/cmd/{verb}/ack``. Raises `TopicError` for a unit id or verb that cannot travel."""

    unit_id: str
    verb: str

    def __post_init__(self) -> None:
        _check_unit(self.unit_id)
        _check("verb", self.verb, _VERB)

    def __str__(self) -> str:
        return f"{UNIT_ROOT}/{self.unit_id}/{COMMAND_LEVEL}/{self.verb}/{ACK_LEVEL}"


@dataclass(frozen=True, slots=True)
class EngineTopic:
    """``evse/_engine/{engine_id}/status``: one will for a process that holds many units.

    Raises `TopicError` for an engine id that cannot travel.
    """

    engine_id: str

    def __post_init__(self) -> None:
        _check("engine id", self.engine_id, _NAME)

    def __str__(self) -> str:
        return f"{UNIT_ROOT}/{ENGINE_LEVEL}/{self.engine_id}/{UnitTopicKind.STATUS.value}"


@dataclass(frozen=True, slots=True)
class SiteTopic:
    """``site/{site_id}/{kind}``. Raises `TopicError` for a site id that cannot travel."""

    site_id: str
    kind: SiteTopicKind

    def __post_init__(self) -> None:
        _check("site id", self.site_id, _NAME)

    def __str__(self) -> str:
        return f"{SITE_ROOT}/{self.site_id}/{self.kind.value}"


MqttTopic = UnitTopic | CommandTopic | AckTopic | EngineTopic | SiteTopic


def parse_topic(text: str) -> MqttTopic:
    """Read a topic as it came over the wire.

    Raises:
        TopicError: it is none of the topics above; the message says what was got.
    """
    match text.split("/"):
        case ["evse", "_engine", engine_id, "status"]:
            return EngineTopic(engine_id)
        case ["evse", unit_id, kind] if kind in _UNIT_KINDS:
            return UnitTopic(unit_id, _UNIT_KINDS[kind])
        case ["evse", unit_id, "cmd", verb]:
            return CommandTopic(unit_id, verb)
        case ["evse", unit_id, "cmd", verb, "ack"]:
            return AckTopic(unit_id, verb)
        case ["site", site_id, kind] if kind in _SITE_KINDS:
            return SiteTopic(site_id, _SITE_KINDS[kind])
    raise TopicError(
        f"topic {text[:_SHOWN]!r} is not one of evse/<unit>/{'|'.join(_UNIT_KINDS)}, evse/<unit>/cmd/<verb>[/ack], "
        f"evse/_engine/<engine>/status, site/<site>/{'|'.join(_SITE_KINDS)}"
    )


def commands_of(unit_id: str) -> str:
    """The filter for every command to one unit.

    Raises:
        TopicError: the unit id cannot travel.
    """
    _check_unit(unit_id)
    return f"{UNIT_ROOT}/{unit_id}/{COMMAND_LEVEL}/+"


@lru_cache(maxsize=16_384)
def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic falls under a filter (MQTT 3.1.1, section 4.7)."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    wanted = topic_filter.split("/")
    given = topic.split("/")
    for depth, level in enumerate(wanted):
        if level == "#":
            return True
        if depth >= len(given) or level not in ("+", given[depth]):
            return False
    return len(wanted) == len(given)


def require_publishable(topic: str) -> None:
    """Refuse what no broker takes as the topic of a message; one such message would end its connection again and again.

    Raises:
        TopicError: empty, too long, not UTF-8, or with a wildcard or a NUL.
    """
    try:
        length = len(topic.encode())
    except UnicodeEncodeError:
        length = 0
    if not 0 < length <= 0xFFFF or any(character in topic for character in "+#\0"):
        raise TopicError(f"topic {topic[:_SHOWN]!r} cannot be published to; wildcards are for subscriptions")


_SHOWN = 120
_NAME = re.compile(r"[A-Za-z0-9_.:@|=*-]{1,48}")
_VERB = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_UNIT_KINDS = {kind.value: kind for kind in UnitTopicKind}
_SITE_KINDS = {kind.value: kind for kind in SiteTopicKind}


def _check_unit(unit_id: str) -> None:
    if unit_id == ENGINE_LEVEL:
        raise TopicError(f"unit id {unit_id!r} is reserved for the status of engines; choose another")
    _check("unit id", unit_id, _NAME)


def _check(what: str, name: str, pattern: re.Pattern[str]) -> None:
    if pattern.fullmatch(name) is None:
        raise TopicError(f"{what} {name[:_SHOWN]!r} cannot be part of a topic; expected {pattern.pattern}")
