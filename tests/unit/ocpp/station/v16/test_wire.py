import pytest

from evcharging.ocpp.errors import InvalidAnswer
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.interfaces import ConnectorState
from evcharging.ocpp.station.wire import Condition
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import World


@pytest.mark.parametrize("state", list(ConnectorState))
@pytest.mark.parametrize("condition", list(Condition))
def test_every_state_and_condition_has_its_words(state: ConnectorState, condition: Condition):
    request = World().station.wire.status(1, state, condition, 0.0)
    assert request is not None
    check_request(OcppVersion.V16, request.action, request.payload)


def test_a_boot_answer_with_a_time_that_is_none_is_invalid():
    wire = World().station.wire
    with pytest.raises(InvalidAnswer, match="currentTime|timestamp"):
        wire.read_boot({"status": "Accepted", "interval": 5, "currentTime": "noon"})


def test_names_are_cut_to_what_the_standard_allows():
    world = World(vendor="V" * 60, model="M" * 60, serial_number="S" * 60, firmware_version="F" * 60)
    request = world.station.wire.boot("PowerUp")
    check_request(OcppVersion.V16, request.action, request.payload)


def test_an_answer_about_a_card_that_cannot_be_read_accepts_nobody():
    wire = World().station.wire
    info = wire.read_authorization({"idTagInfo": {"status": "Accepted", "expiryDate": "whenever"}})
    assert not info.accepted


def test_a_transaction_id_goes_into_what_waits_and_not_into_a_start():
    wire = World().station.wire
    stop: dict = {"meterStop": 1, "timestamp": "t", "transactionId": -1}
    start: dict = {"meterStart": 1, "timestamp": "t"}
    for payload in (stop, start):
        wire.follow(payload, 5)
    assert stop["transactionId"] == 5
    assert "transactionId" not in start
