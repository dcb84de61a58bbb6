"""What a charge point has told and was set to, over HTTP, from the gateways' database."""

from __future__ import annotations

from typing import Any

import pytest

from evcharging.store.gateway import records, tables
from evcharging.store.gateway.records import LocalListEntry
from evcharging.store.gateway.registered_configuration import note_answers
from tests.support.central import START as NOW
from tests.support.ocpp import Station
from tests.support.web import WebRig

PROFILE = {
    "chargingProfileId": 4,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]},
}


@pytest.fixture
async def station(web: WebRig) -> Station:
    station = Station(web.core)
    await station.boots()
    await web.state(station.cp_id, "ACTIVATED")
    return station


async def standing(web: WebRig) -> dict[str, Any]:
    answer = await web.http.get("/api/v1/ocpp/ST-1")
    assert answer.status_code == 200
    record: dict[str, Any] = answer.json()
    return record


async def test_a_charge_point_of_which_nothing_is_kept_has_an_empty_record_and_an_unknown_one_none(web, station):
    record = await standing(web)
    assert (record["cp_id"], record["boot"], record["local_list"], record["firmware"]) == ("ST-1", None, None, None)
    assert (record["configuration"], record["charging_profiles"], record["rejected_messages"]) == ([], [], [])
    unknown = await web.http.get("/api/v1/ocpp/ST-404")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_charge_point")


async def test_everything_that_the_gateways_keep_of_a_charge_point_is_told(web, station):
    key = {"key": "HeartbeatInterval", "value": "60", "readonly": False, "reboot_required": False}
    async with web.gateway.begin() as transaction:
        await transaction.execute(
            tables.boots.insert().values(
                cp_id="ST-1", version="1.6", vendor="V", model="M", details={}, status="Accepted", booted_at=NOW
            )
        )
        await transaction.execute(
            tables.connectors.insert().values(
                cp_id="ST-1", connector_id=1, status="Faulted", error_code="GroundFailure", reported_at=NOW
            )
        )
        await records.note_configuration(transaction, "ST-1", [key], NOW)
        tried = {"key": "ConnectionTimeOut", "value": "60", "answer": "Rejected", "detail": None, "answered_at": NOW}
        await note_answers(transaction, [{"cp_id": "ST-1", **tried}])
        await records.install_profile(
            transaction,
            cp_id="ST-1",
            profile_id=4,
            connector_id=1,
            stack_level=2,
            purpose="TxDefaultProfile",
            transaction_id=None,
            profile=PROFILE,
            now=NOW,
        )
        await records.change_local_list(
            transaction, "ST-1", version=3, entries=[LocalListEntry("ABC", "Blocked")], replace=True, now=NOW
        )
        await records.note_maintenance(transaction, "ST-1", "firmware", status="Installed", now=NOW)
        await records.note_maintenance(
            transaction, "ST-1", "diagnostics", status="Uploaded", now=NOW, file_name="d.log"
        )
        await records.note_rejected(
            transaction, cp_id="ST-1", action="StopTransaction", payload={"reason": 5}, error="no", at=NOW
        )
    record = await standing(web)
    assert (record["boot"]["vendor"], record["boot"]["status"]) == ("V", "Accepted")
    assert [(c["connector_id"], c["status"], c["error_code"]) for c in record["connectors"]] == [
        (1, "Faulted", "GroundFailure")
    ]
    assert [(k["key"], k["value"]) for k in record["configuration"]] == [("HeartbeatInterval", "60")]
    assert record["registered_configuration"] == [{**tried, "answered_at": "2026-03-01T12:00:00.000Z"}]
    assert [(p["profile_id"], p["connector_id"], p["profile"]) for p in record["charging_profiles"]] == [
        (4, 1, PROFILE)
    ]
    assert record["local_list"]["sent_version"] == 3
    assert [(e["id_tag"], e["status"]) for e in record["local_list"]["entries"]] == [("ABC", "Blocked")]
    assert (record["firmware"]["status"], record["diagnostics"]["file_name"]) == ("Installed", "d.log")
    assert [(m["action"], m["payload"]) for m in record["rejected_messages"]] == [("StopTransaction", {"reason": 5})]


async def test_without_the_gateways_database_it_is_unavailable(web, station):
    async with web.gateway.outage():
        answer = await web.http.get("/api/v1/ocpp/ST-1")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
