from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.up.ports import HOST, PortChooser


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def test_the_usual_port_is_taken_when_it_is_free():
    usual = free_port()
    assert PortChooser([usual]).choose("--http-port", usual, None) == usual


def test_the_next_free_port_is_taken_when_the_usual_one_is_not(taken):
    chosen = PortChooser([taken]).choose("--http-port", taken, None)
    assert taken < chosen < taken + 200


def test_the_usual_port_of_another_service_is_left_to_it(taken):
    assert PortChooser([taken, taken + 1]).choose("--http-port", taken, None) > taken + 1


def test_a_port_asked_for_that_is_taken_is_refused_and_named(taken):
    with pytest.raises(UsageError, match=rf"--http-port {taken}: the port is taken"):
        PortChooser([]).choose("--http-port", 8000, taken)


def test_a_port_asked_for_twice_is_refused():
    chooser = PortChooser([])
    port = free_port()
    chooser.choose("--http-port", 8000, port)
    with pytest.raises(UsageError, match=f"--listen-port {port}.*another service"):
        chooser.choose("--listen-port", 9999, port)


def test_zero_asks_for_any_free_port():
    assert PortChooser([]).choose("--http-port", 8000, 0) > 0


def test_a_port_chosen_once_is_not_chosen_again():
    chooser = PortChooser([])
    usual = free_port()
    assert chooser.choose("--a", usual, None) != chooser.choose("--b", usual, None)


def test_a_port_chosen_can_be_listened_on():
    port = PortChooser([]).choose("--http-port", 8000, 0)
    with socket.create_server((HOST, port)):
        pass
