import json
from random import Random

import pytest

from evcharging.ocpp.errors import CallRejected
from evcharging.ocpp.frames import Call
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.fault_kinds import FaultKind
from evcharging.ocpp.station.spoiled_calls import WHOLE, spoiled
from evcharging.ocpp.versions import OcppVersion

STOP = Call("a-2", "StopTransaction", {"meterStop": 5, "timestamp": "2026-01-31T12:00:00Z", "transactionId": 7})


@pytest.mark.parametrize("kind", [FaultKind.WRONG_TYPE, FaultKind.MISSING_FIELD, FaultKind.TOO_LONG_VALUE])
def test_a_spoiled_payload_breaks_its_schema_and_the_good_one_stays_as_it_was(kind):
    payload = spoiled(kind, STOP, version=OcppVersion.V16, random=Random(3))
    with pytest.raises(CallRejected):
        check_request(OcppVersion.V16, STOP.action, payload)
    check_request(OcppVersion.V16, STOP.action, STOP.payload)


def test_a_heartbeat_has_nothing_that_could_be_of_the_wrong_type():
    assert spoiled(FaultKind.WRONG_TYPE, Call("a", "Heartbeat", {}), version=OcppVersion.V16, random=Random(3)) is None


def test_a_wrong_transaction_is_one_that_nobody_has():
    payload = spoiled(FaultKind.WRONG_TRANSACTION_ID, STOP, version=OcppVersion.V16, random=Random(3))
    assert payload == {**STOP.payload, "transactionId": 2_147_483_000}


def test_half_a_call_is_no_json():
    with pytest.raises(json.JSONDecodeError):
        json.loads(WHOLE[FaultKind.BAD_JSON]("m", STOP))
