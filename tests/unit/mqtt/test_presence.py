from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcharging.mqtt.presence import Presence, PresenceReason, UnitPresence


def came(unit_id: str, reason: PresenceReason = PresenceReason.STATUS) -> UnitPresence:
    return UnitPresence(unit_id, online=True, reason=reason)


def went(unit_id: str, reason: PresenceReason = PresenceReason.STATUS) -> UnitPresence:
    return UnitPresence(unit_id, online=False, reason=reason)


def test_a_unit_comes_and_goes_by_its_own_status() -> None:
    presence = Presence()
    assert presence.unit_status("A", online=True) == [came("A")]
    assert presence.unit_status("A", online=False) == [went("A")]


def test_a_repeated_status_changes_nothing() -> None:
    presence = Presence()
    presence.unit_status("A", online=True)
    assert presence.unit_status("A", online=True) == []
    assert presence.online == {"A"}


def test_a_unit_first_heard_of_as_offline_is_no_change() -> None:
    assert Presence().unit_status("A", online=False) == []


def test_an_engine_that_goes_takes_its_units_along_and_brings_them_back() -> None:
    presence = Presence()
    for unit_id in ("A", "B", "C"):
        presence.unit_status(unit_id, online=True)
    presence.unit_engine("A", "e1")
    presence.unit_engine("B", "e1")
    assert presence.engine_status("e1", online=False) == [
        went("A", PresenceReason.ENGINE),
        went("B", PresenceReason.ENGINE),
    ]
    assert presence.online == {"C"}
    assert presence.engine_status("e1", online=True) == [
        came("A", PresenceReason.ENGINE),
        came("B", PresenceReason.ENGINE),
    ]


def test_a_unit_of_an_engine_that_is_offline_does_not_come_by_its_own_status() -> None:
    presence = Presence()
    presence.engine_status("e1", online=False)
    presence.unit_engine("A", "e1")
    assert presence.unit_status("A", online=True) == []


def test_a_unit_that_names_no_engine_any_more_does_not_go_with_it() -> None:
    presence = Presence()
    presence.unit_status("A", online=True)
    presence.unit_engine("A", "e1")
    presence.unit_engine("A", None)
    assert presence.engine_status("e1", online=False) == []


def test_what_does_not_announce_itself_again_after_a_reconnection_is_gone() -> None:
    presence = Presence()
    presence.unit_status("A", online=True)
    presence.unit_status("B", online=True)
    presence.reconnected()
    presence.unit_status("A", online=True)
    assert presence.give_up_unconfirmed() == [went("B", PresenceReason.NOT_CONFIRMED)]
    assert presence.give_up_unconfirmed() == []
    assert presence.unit_status("B", online=True) == [came("B")]


readings = st.one_of(
    st.tuples(st.just("status"), st.sampled_from("AB"), st.booleans()),
    st.tuples(st.just("engine_of"), st.sampled_from("AB"), st.sampled_from(["e1", "e2", None])),
    st.tuples(st.just("engine"), st.sampled_from(["e1", "e2"]), st.booleans()),
)


@given(st.lists(readings, max_size=12), st.randoms())
def test_the_order_and_number_of_retained_readings_do_not_matter(
    readings: list[tuple[str, str, object]], random: object
) -> None:
    latest = {(kind, name): value for kind, name, value in readings}
    once = told(list(latest.items()))
    shuffled = list(latest.items()) * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert told(shuffled).online == once.online


def told(readings: list[tuple[tuple[str, str], object]]) -> Presence:
    presence = Presence()
    known: dict[str, bool] = {}
    for (kind, name), value in readings:
        match kind:
            case "status":
                changes = presence.unit_status(name, online=bool(value))
            case "engine_of":
                changes = presence.unit_engine(name, value if value is None else str(value))
            case _:
                changes = presence.engine_status(name, online=bool(value))
        for change in changes:
            assert known.get(change.unit_id, False) is not change.online
            known[change.unit_id] = change.online
    assert {unit_id for unit_id, online in known.items() if online} == presence.online
    return presence
