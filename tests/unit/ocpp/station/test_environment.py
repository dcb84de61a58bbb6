import pytest

from evcharging.ocpp.station.environment import SharedEnvironment


def test_watchers_hear_of_a_change_before_it_returns_and_of_no_other():
    environment = SharedEnvironment(price=20.0)
    heard = []
    end = environment.watch(lambda: heard.append(environment.price))
    environment.change(price=21.0)
    environment.change(price=21.0)
    end()
    environment.change(price=22.0)
    assert heard == [21.0]
    end()


def test_a_name_that_is_none_is_refused():
    with pytest.raises(TypeError, match="no 'weather'"):
        SharedEnvironment().change(weather="fine")
    with pytest.raises(TypeError, match="no '_watchers'"):
        SharedEnvironment().change(_watchers={})
