from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcharging.mqtt.topics import (
    AckTopic,
    CommandTopic,
    EngineTopic,
    MqttTopic,
    SiteTopic,
    SiteTopicKind,
    TopicError,
    UnitTopic,
    UnitTopicKind,
    commands_of,
    matches,
    parse_topic,
    require_publishable,
)

names = st.from_regex(r"[A-Za-z0-9_.:@|=*-]{1,48}", fullmatch=True).filter(lambda name: name != "_engine")
verbs = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)
topics = st.one_of(
    st.builds(UnitTopic, names, st.sampled_from(UnitTopicKind)),
    st.builds(CommandTopic, names, verbs),
    st.builds(AckTopic, names, verbs),
    st.builds(EngineTopic, names),
    st.builds(SiteTopic, names, st.sampled_from(SiteTopicKind)),
)


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        (UnitTopic("CP-001", UnitTopicKind.TELEMETRY), "evse/CP-001/telemetry"),
        (UnitTopic("evse_unit_01", UnitTopicKind.STATUS), "evse/evse_unit_01/status"),
        (UnitTopic("CP-001", UnitTopicKind.STATE), "evse/CP-001/state"),
        (UnitTopic("CP-001", UnitTopicKind.EVENT), "evse/CP-001/event"),
        (UnitTopic("CP-001", UnitTopicKind.ALARM), "evse/CP-001/alarm"),
        (CommandTopic("CP-001", "stop"), "evse/CP-001/cmd/stop"),
        (AckTopic("CP-001", "stop"), "evse/CP-001/cmd/stop/ack"),
        (EngineTopic("engine-1"), "evse/_engine/engine-1/status"),
        (SiteTopic("home", SiteTopicKind.GRID), "site/home/grid"),
        (SiteTopic("home", SiteTopicKind.SOLAR), "site/home/solar"),
        (SiteTopic("home", SiteTopicKind.PRICE), "site/home/price"),
    ],
)
def test_a_topic_is_spelled_as_documented_and_read_back(topic: MqttTopic, text: str) -> None:
    assert str(topic) == text
    assert parse_topic(text) == topic


@given(topics)
def test_spelling_and_parsing_are_inverse(topic: MqttTopic) -> None:
    assert parse_topic(str(topic)) == topic


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(["evse", "site", "_engine", "cmd", "ack", "status", "CP", "+", "#", ""])).map(
            "/".join
        ),
    )
)
@example("evse/_engine/status")
@example("evse/CP-001/telemetry\n")
@example("evse/CP-001/cmd/stop/ack/ack")
def test_any_text_is_a_topic_that_spells_itself_or_a_typed_error(text: str) -> None:
    try:
        topic = parse_topic(text)
    except TopicError:
        return
    assert str(topic) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evse",
        "evse/CP-001",
        "evse//telemetry",
        "evse/CP 1/telemetry",
        "evse/+/telemetry",
        "evse/CP-001/Telemetry",
        "evse/CP-001/cmd/STOP",
        "evse/CP-001/cmd/",
        "evse/_engine/status",
        "evse/_engine/a/telemetry",
        "site/home/status",
        "/evse/CP-001/telemetry",
        "evse/CP-001/telemetry/",
        "evse/" + "x" * 49 + "/telemetry",
    ],
)
def test_what_is_no_topic_of_ours_is_refused_with_what_was_got(text: str) -> None:
    with pytest.raises(TopicError):
        parse_topic(text)


@pytest.mark.parametrize("unit_id", ["", "a/b", "a+b", "a#", "a b", "ä", "_engine", "x" * 49, "a\n"])
def test_a_unit_id_that_cannot_travel_is_refused_when_the_topic_is_made(unit_id: str) -> None:
    with pytest.raises(TopicError, match="unit id"):
        UnitTopic(unit_id, UnitTopicKind.STATUS)
    with pytest.raises(TopicError, match="unit id"):
        commands_of(unit_id)


def test_a_huge_topic_is_not_repeated_in_full() -> None:
    with pytest.raises(TopicError) as refused:
        parse_topic("x" * 60_000)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("evse/+/telemetry", "evse/CP-001/telemetry", True),
        ("evse/+/telemetry", "evse/CP-001/status", False),
        ("evse/+/status", "evse/_engine/a/status", False),
        ("evse/_engine/+/status", "evse/_engine/a/status", True),
        ("evse/#", "evse/CP-001/cmd/stop", True),
        ("evse/#", "evse", True),
        ("evse/#", "evsex", False),
        ("#", "anything/at/all", True),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("evse/+", "evse", False),
        ("evse", "evse", True),
        ("evse/+", "evse/", True),
    ],
)
def test_filters_match_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize("topic", ["", "evse/+/status", "evse/#", "a\0b", "\ud800", "x" * 65_536])
def test_what_no_broker_takes_is_refused_before_it_is_queued(topic: str) -> None:
    with pytest.raises(TopicError):
        require_publishable(topic)


@given(topics)
def test_every_topic_of_ours_can_be_published_to(topic: MqttTopic) -> None:
    require_publishable(str(topic))
