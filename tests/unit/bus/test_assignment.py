from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evcharging.bus.assignment import Partition, deal_in_ranges, deal_stickily

TOPICS = ("a", "b", "c")
COUNTS = st.fixed_dictionaries({topic: st.integers(1, 12) for topic in TOPICS})
NAMES = st.sampled_from([f"member-{number}" for number in range(6)])
MEMBERS = st.dictionaries(NAMES, st.sets(st.sampled_from(TOPICS), min_size=1), min_size=1)


def test_members_get_ranges_of_each_topic_in_the_order_of_their_names() -> None:
    dealt = deal_in_ranges({"m2": {"a", "b"}, "m1": {"a", "b"}, "m3": {"b"}}, {"a": 5, "b": 4})
    assert dealt["m1"] == {("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)}
    assert dealt["m2"] == {("a", 3), ("a", 4), ("b", 2)}
    assert dealt["m3"] == {("b", 3)}


def test_topics_of_equal_count_go_together() -> None:
    for members in range(1, 7):
        dealt = deal_in_ranges({f"m{number}": {"a", "b"} for number in range(members)}, {"a": 4, "b": 4})
        for partitions in dealt.values():
            assert {n for topic, n in partitions if topic == "a"} == {n for topic, n in partitions if topic == "b"}


def test_nobody_to_deal_to_gets_nothing() -> None:
    assert deal_in_ranges({}, {}) == {}
    assert deal_stickily({}, {}, {}) == {}


@given(members=MEMBERS, counts=COUNTS)
def test_every_partition_goes_to_exactly_one_of_its_readers(
    members: dict[str, set[str]], counts: dict[str, int]
) -> None:
    for dealt in (deal_in_ranges(members, counts), deal_stickily(members, counts, {})):
        check_complete(members, counts, dealt)


@given(members=MEMBERS, counts=COUNTS, leaving=st.sets(NAMES), joining=MEMBERS)
def test_sticky_shares_are_fair_and_move_no_more_than_fairness_asks(
    members: dict[str, set[str]], counts: dict[str, int], leaving: set[str], joining: dict[str, set[str]]
) -> None:
    before = deal_stickily(members, counts, {})
    after_members = {name: topics for name, topics in (members | joining).items() if name not in leaving}
    after = deal_stickily(after_members, counts, before)
    check_complete(after_members, counts, after)
    for topic in TOPICS:
        readers = [name for name, topics in after_members.items() if topic in topics]
        if not readers:
            continue
        shares = [len(of(after[name], topic)) for name in readers]
        assert max(shares) - min(shares) <= 1
        most = -(-counts[topic] // len(readers))
        for name in readers:
            had, has = of(before.get(name, set()), topic), of(after[name], topic)
            assert len(had & has) >= min(len(had), most - 1), "a member gave up what it could have kept"


def of(partitions: set[Partition], topic: str) -> set[Partition]:
    return {partition for partition in partitions if partition[0] == topic}


def check_complete(members: dict[str, set[str]], counts: dict[str, int], dealt: dict[str, set[Partition]]) -> None:
    assert dealt.keys() == members.keys()
    owners = Counter(partition for partitions in dealt.values() for partition in partitions)
    read = {topic for topics in members.values() for topic in topics}
    assert owners == Counter((topic, number) for topic in read for number in range(counts[topic]))
    for name, partitions in dealt.items():
        assert {topic for topic, _ in partitions} <= members[name]
