from __future__ import annotations

import pytest

from evcharging.apps.broker.settings import BrokerSettings
from evcharging.apps.runtime.errors import UsageError


def test_the_port_is_kafkas_usual_one_unless_told_otherwise() -> None:
    assert BrokerSettings.load([], environ={}).port == 9092
    assert BrokerSettings.load([], environ={"BROKER_PORT": "9192 # the other one"}).port == 9192
    assert BrokerSettings.load(["--port", "0"], environ={"BROKER_PORT": "9192"}).port == 0


def test_a_port_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="--port"):
        BrokerSettings.load(["--port", "65536"], environ={})
