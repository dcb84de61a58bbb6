from __future__ import annotations

import random
import string

import pytest

from evcharging.apps.swarm import orders as orders_module
from evcharging.apps.swarm.orders import PACKED_AT_MOST, OrdersSaid, orders_of, said_of
from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import MAX_LIST_LENGTH, NO_LIST, LocalList
from evcharging.messages.network import SwarmLocalList, SwarmStandingOrders
from evcharging.ocpp.station.interfaces import HeldReservation, StandingOrders

AT_S = 1_763_726_400.0
LISTED = LocalList(7, {"abc": IdTagInfo(AuthStatus.BLOCKED, AT_S, "FLEET"), "def": IdTagInfo(AuthStatus.ACCEPTED)})
EVERYTHING = StandingOrders(
    {"ConnectionTimeOut": "11"},
    LISTED,
    frozenset({0, 2}),
    (HeldReservation(0, 5, "MINE", "FLEET", AT_S), HeldReservation(2, 6, "YOURS", None, AT_S)),
    "v2.5",
)


@pytest.mark.parametrize(
    "orders",
    [
        EVERYTHING,
        StandingOrders({"ConnectionTimeOut": "11"}),
        StandingOrders(local_list=LISTED),
        StandingOrders(inoperative=frozenset({1})),
        StandingOrders(firmware_version="v2.5"),
    ],
)
def test_what_was_set_is_said_and_taken_up_as_it_was(orders):
    assert orders_of(SwarmStandingOrders.model_validate_json(said_of(orders).model_dump_json())) == orders


def test_nothing_said_is_nothing_set():
    assert orders_of(None) is None


def test_what_is_said_is_made_once_a_change():
    said = OrdersSaid()
    first = said.of("S-1", EVERYTHING)
    again = StandingOrders(EVERYTHING.configuration, LISTED, frozenset({0, 2}), EVERYTHING.reservations, "v2.5")
    assert said.of("S-1", again) is first
    assert said.of("S-2", EVERYTHING) is not first
    assert said.of("S-1", StandingOrders(local_list=LISTED)).configuration is None
    said.forget("S-1")
    assert said.of("S-1", EVERYTHING) is not first


def test_the_longest_list_of_a_station_fits_into_a_record():
    random.seed(1)

    def tag() -> str:
        return "".join(random.choices(string.ascii_lowercase + string.digits, k=20))

    info = [IdTagInfo(AuthStatus.ACCEPTED, AT_S + number, tag().upper()) for number in range(MAX_LIST_LENGTH)]
    longest = LocalList(1, {tag(): one for one in info})
    said = said_of(StandingOrders(local_list=longest))
    assert said.local_list is not None
    assert len(said.local_list.packed) <= PACKED_AT_MOST
    taken_up = orders_of(said)
    assert taken_up is not None
    assert taken_up.local_list == longest


def test_a_list_that_is_too_long_for_a_record_is_left_out_as_if_none_had_been_sent(monkeypatch):
    monkeypatch.setattr(orders_module, "PACKED_AT_MOST", 20)
    said = OrdersSaid().of("S-1", EVERYTHING)
    assert (said.local_list, said.inoperative) == (None, (0, 2))


@pytest.mark.parametrize("packed", ["", "%%%", "AAAA", "eJyLjgUAARUAuQ", "eJyrVgIAAMoAhg=="])
def test_a_list_that_cannot_be_read_is_none(packed):
    said = SwarmStandingOrders(local_list=SwarmLocalList(version=3, packed=packed), inoperative=(1,))
    taken_up = orders_of(said)
    assert taken_up == StandingOrders(local_list=NO_LIST, inoperative=frozenset({1}))
