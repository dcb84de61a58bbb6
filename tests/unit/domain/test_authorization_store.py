import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import (
    NO_LIST,
    ListEntry,
    ListOutcome,
    ListUpdate,
    StationAuthorization,
)

NOW = 1_000.0
ACCEPTED = IdTagInfo(AuthStatus.ACCEPTED)
BLOCKED = IdTagInfo(AuthStatus.BLOCKED)
FULL, DIFFERENTIAL = ListUpdate.FULL, ListUpdate.DIFFERENTIAL


def listed(version=1, **infos):
    store = StationAuthorization()
    assert store.update_list(version, FULL, [ListEntry(tag, info) for tag, info in infos.items()]) is (
        ListOutcome.ACCEPTED
    )
    return store


def test_a_station_knows_nothing_at_first():
    store = StationAuthorization()
    assert store.known("A", NOW) is None
    assert store.list_version == 0


def test_a_full_update_takes_the_place_of_the_whole_list():
    store = listed(3, A=ACCEPTED, B=BLOCKED)
    assert store.list_version == 3
    assert store.update_list(2, FULL, [ListEntry("C", ACCEPTED)]) is ListOutcome.ACCEPTED
    assert set(store.entries) == {"c"}
    assert store.list_version == 2


def test_a_differential_update_changes_adds_and_removes():
    store = listed(1, A=ACCEPTED, B=ACCEPTED)
    entries = [ListEntry("A", BLOCKED), ListEntry("B", None), ListEntry("C", ACCEPTED), ListEntry("D", None)]
    assert store.update_list(2, DIFFERENTIAL, entries) is ListOutcome.ACCEPTED
    assert store.entries == {"a": BLOCKED, "c": ACCEPTED}


@pytest.mark.parametrize("version", [1, 3])
def test_a_differential_update_that_is_not_newer_is_a_version_mismatch(version):
    store = listed(3, A=ACCEPTED)
    assert store.update_list(version, DIFFERENTIAL, [ListEntry("B", ACCEPTED)]) is ListOutcome.VERSION_MISMATCH
    assert set(store.entries) == {"a"}


def test_an_empty_list_has_version_0_whatever_it_was_sent_with():
    store = listed(3, A=ACCEPTED)
    assert store.update_list(4, FULL, []) is ListOutcome.ACCEPTED
    assert store.list_version == 0
    assert store.update_list(2, DIFFERENTIAL, [ListEntry("B", ACCEPTED)]) is ListOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("version", "update", "entries"),
    [
        (0, FULL, [ListEntry("B", ACCEPTED)]),
        (-1, DIFFERENTIAL, [ListEntry("B", ACCEPTED)]),
        (2, FULL, [ListEntry("B", None)]),
        (2, FULL, [ListEntry("B", ACCEPTED), ListEntry("b", BLOCKED)]),
        (2, FULL, [ListEntry(str(number), ACCEPTED) for number in range(4)]),
        (2, DIFFERENTIAL, [ListEntry(str(number), ACCEPTED) for number in range(3)]),
    ],
    ids=["version 0", "negative", "full without info", "twice the same", "too many at once", "too many in all"],
)
def test_an_update_that_fails_leaves_the_list_as_it_was(version, update, entries):
    store = StationAuthorization(max_list_length=3, max_send_length=3)
    store.update_list(1, FULL, [ListEntry("A", ACCEPTED)])
    assert store.update_list(version, update, entries) is ListOutcome.FAILED
    assert (store.list_version, set(store.entries)) == (1, {"a"})


def test_a_station_without_lists_says_so():
    store = StationAuthorization(list_enabled=False)
    assert store.list_version == -1
    assert store.update_list(1, FULL, [ListEntry("A", ACCEPTED)]) is ListOutcome.NOT_SUPPORTED


def test_the_list_goes_before_the_cache():
    store = StationAuthorization()
    store.remember("A", ACCEPTED)
    store.update_list(1, FULL, [ListEntry("A", BLOCKED)])
    store.remember("A", ACCEPTED)
    assert store.known("a", NOW) == BLOCKED
    assert store.cached == 0


def test_a_cached_acceptance_expires():
    store = StationAuthorization()
    store.remember("A", IdTagInfo(AuthStatus.ACCEPTED, expires_at_s=NOW))
    assert store.known("A", NOW - 1).accepted
    assert store.known("A", NOW).status is AuthStatus.EXPIRED


def test_the_newest_answer_counts():
    store = StationAuthorization()
    store.remember("A", ACCEPTED)
    store.remember("a", BLOCKED)
    assert store.known("A", NOW) == BLOCKED


def test_a_full_cache_forgets_what_was_used_longest_ago():
    store = StationAuthorization(max_cache_length=2)
    store.remember("A", ACCEPTED)
    store.remember("B", ACCEPTED)
    store.known("A", NOW)
    store.remember("C", ACCEPTED)
    assert [store.known(tag, NOW) is not None for tag in "ABC"] == [True, False, True]


def test_that_a_tag_charges_elsewhere_is_not_remembered():
    store = StationAuthorization()
    store.remember("A", IdTagInfo(AuthStatus.CONCURRENT_TX))
    assert store.known("A", NOW) is None


def test_a_cleared_cache_is_empty_and_one_that_is_off_cannot_be_cleared():
    store = StationAuthorization()
    store.remember("A", ACCEPTED)
    assert store.clear_cache()
    assert store.known("A", NOW) is None
    off = StationAuthorization(cache_enabled=False)
    off.remember("A", ACCEPTED)
    assert off.known("A", NOW) is None
    assert not off.clear_cache()


tags = st.text("abAB12", min_size=1, max_size=2)


@given(st.lists(st.tuples(st.integers(-1, 6), st.sampled_from(ListUpdate), st.lists(st.tuples(tags, st.booleans())))))
def test_versions_of_differential_updates_only_rise_and_sizes_hold(updates):
    store = StationAuthorization(max_list_length=5, max_send_length=4)
    for version, update, given_entries in updates:
        before = (store.list_version, dict(store.entries))
        outcome = store.update_list(
            version, update, [ListEntry(tag, ACCEPTED if kept else None) for tag, kept in given_entries]
        )
        if outcome is ListOutcome.ACCEPTED:
            assert update is FULL or version > before[0]
            assert len(store.entries) <= 5
            assert store.list_version == (version if store.entries else 0)
        else:
            assert (store.list_version, dict(store.entries)) == before


def test_a_list_goes_on_at_a_station_that_is_made_anew():
    before = listed(3, A=ACCEPTED, B=BLOCKED)
    store = StationAuthorization(local_list=before.local_list)
    assert (store.list_version, store.known("b", NOW)) == (3, BLOCKED)
    assert store.update_list(4, DIFFERENTIAL, [ListEntry("B", None)]) is ListOutcome.ACCEPTED
    assert set(store.entries) == {"a"}
    assert set(before.entries) == {"a", "b"}


def test_a_list_without_entries_is_none():
    store = listed(3, A=ACCEPTED)
    assert store.update_list(4, FULL, []) is ListOutcome.ACCEPTED
    assert store.local_list is NO_LIST
