"""Why a session ended, beside the standard's words."""

from __future__ import annotations

import pytest

from evcharging.domain.end_reasons import EndReason
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.stop_notes import StopNote, custom_data_of, read_custom_data, read_vendor_code, vendor_fields_of
from evcharging.ocpp.versions import OcppVersion

NOTE = StopNote(EndReason.PRICE_TOO_HIGH, "Price too high (24.50 > 20.00)" + "!" * 60)


def test_what_a_status_says_is_read_again_and_fits_the_standard() -> None:
    payload = {"connectorId": 1, "errorCode": "NoError", "status": "Finishing", **vendor_fields_of(NOTE)}
    check_request(OcppVersion.V16, "StatusNotification", payload)
    assert read_vendor_code(payload["vendorErrorCode"]) is EndReason.PRICE_TOO_HIGH


def test_what_a_transaction_event_says_is_read_again_and_fits_the_standard() -> None:
    info = {"transactionId": "t-1", "stoppedReason": "Local", "customData": custom_data_of(NOTE)}
    payload = {
        "eventType": "Ended",
        "timestamp": "2026-03-01T12:00:00Z",
        "triggerReason": "ChargingStateChanged",
        "seqNo": 3,
        "transactionInfo": info,
    }
    check_request(OcppVersion.V201, "TransactionEvent", payload)
    assert read_custom_data(info["customData"]) is EndReason.PRICE_TOO_HIGH


@pytest.mark.parametrize("code", [None, "", "E-17", "price_too_high", "evcharging:engine_lost"])
def test_a_code_that_is_none_of_ours_says_nothing(code: str | None) -> None:
    assert read_vendor_code(code) is None
    assert read_custom_data({"vendorId": "x", "endReason": code}) is None


@pytest.mark.parametrize("custom", [None, "text", {"vendorId": "x"}, {"vendorId": "x", "endReason": 7}])
def test_custom_data_of_others_says_nothing(custom: object) -> None:
    assert read_custom_data(custom) is None
