"""The newest socket of a station is the station's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evcharging.apps.ocpp_gateway.links import Links


@dataclass(eq=False)
class Link:
    cp_id: str
    epoch: int = 0


def links(*moments_ns: int) -> Any:
    times = iter(moments_ns)
    return Links(wall_ns=lambda: next(times))


def test_a_station_is_found_while_its_link_is_in() -> None:
    held = links(100)
    link = Link("CP-001")

    assert held.enter(link) is None
    assert held.get("CP-001") is link
    assert (len(held), list(held)) == (1, [link])
    assert held.leave(link)
    assert held.get("CP-001") is None


def test_a_newer_link_replaces_the_older_and_only_the_newer_is_removed() -> None:
    held = links(100, 200)
    old, new = Link("CP-001"), Link("CP-001")
    held.enter(old)

    assert held.enter(new) is old
    assert not held.leave(old)
    assert held.get("CP-001") is new
    assert held.leave(new)
    assert not held.leave(new)


def test_epochs_grow_even_where_the_clock_stands_still_or_goes_back() -> None:
    held = links(100, 100, 50, 300)
    made = [Link(f"CP-{number}") for number in range(4)]
    for link in made:
        held.enter(link)

    assert [link.epoch for link in made] == [100, 101, 102, 300]
