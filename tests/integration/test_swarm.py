"""A swarm worker with real stations against the `ocpp` package's central system, over a log in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from evcharging.apps.swarm import book, handover
from evcharging.apps.swarm.lease import Lease
from evcharging.messages.envelope import Event
from evcharging.messages.topics import SWARM_STATUS
from tests.support.ocpp_package import CentralSystem, central_system, charge_point
from tests.support.swarm import Csms, SwarmRig, registers_of, swarm_rig


@pytest.fixture
def csms() -> Csms:
    return Csms()


@pytest.fixture
async def central(csms: Csms) -> AsyncIterator[CentralSystem]:
    async with central_system(answers=csms.answers) as central:
        yield central


@pytest.fixture
async def rig(central: CentralSystem) -> AsyncIterator[SwarmRig]:
    async with swarm_rig(central.url) as rig:
        yield rig


async def test_the_central_system_tells_stations_apart_that_begin_alike_and_knows_one_that_repeats_itself(
    central: CentralSystem,
) -> None:
    alike = call16.StartTransaction(
        connector_id=1, id_tag="ABC123", meter_start=0, timestamp="2026-11-21T12:00:00.000Z"
    )
    numbers = []
    for station_id in ("PY-SIM-0001", "PY-SIM-0002", "PY-SIM-0001"):
        async with charge_point(f"{central.url}/{station_id}") as peer:
            numbers.append((await peer.call(alike)).transaction_id)
    assert numbers == [1, 2, 1]


async def test_stations_that_are_desired_boot_and_are_told_of(central: CentralSystem, rig: SwarmRig) -> None:
    await rig.desire("PY-SIM-0001", "PY-SIM-0002")
    await rig.start("w1")
    peer = await central.connected("PY-SIM-0001")
    await peer.next("BootNotification")
    status = await rig.until_status("PY-SIM-0002", lambda status: status.state == "available")
    assert status.worker == "w1"
    assert any("BootNotification sent" in line for line in await rig.lines("PY-SIM-0001"))
    assert peer.errors == []


async def test_a_station_charges_and_stops_when_it_is_no_longer_desired(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    status = await rig.until_status("PY-SIM-0001", lambda status: status.kw > 0 and status.transaction_id is not None)
    assert status.state == "charging"
    assert status.transaction_id in csms.open
    await rig.desire("PY-SIM-0001", running=False)
    stopped = await rig.until_status("PY-SIM-0001", lambda status: status.state == "stopped")
    assert csms.stops[1].get("reason", "Local") == "Local"
    assert (stopped.kw, stopped.transaction_id) == (0.0, None)
    (meter_start,) = [content[-1] for content in csms.ids]
    assert stopped.kwh == (csms.stops[1]["meter_stop"] - int(meter_start)) / 1000
    assert stopped.register_wh >= csms.stops[1]["meter_stop"]


async def test_a_price_acts_at_once_on_what_charges(central: CentralSystem, rig: SwarmRig, csms: Csms) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kw > 0)
    await rig.signal(99.0)
    await rig.until(lambda: not csms.open)
    status = await rig.until_status("PY-SIM-0001", lambda status: status.policy and status.policy.action == "wait")
    assert "Price too high (99.00 > 25.00)" in status.policy.reason
    await rig.signal(5.0)
    await rig.until(lambda: bool(csms.open))


async def test_a_worker_that_died_leaves_its_stations_to_the_next_with_register_and_transaction(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    before = await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.002 and status.transaction_id == 1)
    await rig.kill("w1")
    await rig.start("w2")
    after = await rig.until_status("PY-SIM-0001", lambda status: status.worker == "w2" and status.kw > 0)
    assert after.handover.term > before.handover.term
    assert after.transaction_id == 1
    assert after.register_wh >= before.register_wh
    again = await central.connected("PY-SIM-0001", times=2)
    told = await again.next("MeterValues", lambda request: request["transaction_id"] == 1)
    assert min(registers_of(told)) >= int(before.register_wh)
    await rig.desire("PY-SIM-0001", running=False)
    await rig.until(lambda: 1 in csms.stops)
    assert csms.stops[1].get("reason", "Local") == "Local"
    assert csms.stops[1]["meter_stop"] >= max(registers_of(told))
    assert (set(csms.ids.values()), csms.repeated_stops) == ({1}, 0)


async def test_a_limit_that_the_csms_set_holds_at_the_next_worker(central: CentralSystem, rig: SwarmRig) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kw > 0 and status.transaction_id == 1)
    profile = {
        "charging_profile_id": 4,
        "transaction_id": 1,
        "stack_level": 0,
        "charging_profile_purpose": "TxProfile",
        "charging_profile_kind": "Relative",
        "charging_schedule": {
            "charging_rate_unit": "A",
            "charging_schedule_period": [{"start_period": 0, "limit": 8.0}],
        },
    }
    peer = await central.connected("PY-SIM-0001")
    answer = await peer.call(call16.SetChargingProfile(connector_id=1, cs_charging_profiles=profile))
    assert answer.status == "Accepted"
    await rig.until_status("PY-SIM-0001", lambda status: len(status.handover.charging_profiles) == 1)
    await rig.kill("w1")
    await rig.start("w2")
    await rig.until_status("PY-SIM-0001", lambda status: status.worker == "w2" and status.kw > 0)
    again = await central.connected("PY-SIM-0001", times=2)
    await again.next("StatusNotification", lambda request: request["status"] == "Charging")
    composite = await again.call(call16.GetCompositeSchedule(connector_id=1, duration=60))
    assert composite.charging_schedule["charging_schedule_period"][0]["limit"] == 8.0
    status = (await rig.statuses())["PY-SIM-0001"]
    assert status.transaction_id == 1
    assert status.kw <= 8.0 * 0.230 + 0.001


async def test_what_the_csms_set_and_was_told_of_holds_at_the_next_worker(
    central: CentralSystem, rig: SwarmRig
) -> None:
    await rig.start("w1", connectors=3)
    await rig.desire("PY-SIM-0001")
    peer = await central.connected("PY-SIM-0001")
    await peer.next("StatusNotification")
    blocked = {"id_tag": "LISTED", "id_tag_info": {"status": "Blocked"}}
    expiry = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    for order in (
        call16.SendLocalList(list_version=4, update_type="Full", local_authorization_list=[blocked]),
        call16.ReserveNow(connector_id=3, expiry_date=expiry, id_tag="MINE", reservation_id=5),
        call16.ChangeAvailability(connector_id=2, type="Inoperative"),
        call16.ChangeConfiguration(key="ConnectionTimeOut", value="11"),
    ):
        assert (await peer.call(order)).status == "Accepted"
    await rig.kill("w1")
    await rig.start("w2", connectors=3)
    await rig.until_status("PY-SIM-0001", lambda status: status.worker == "w2" and status.state == "available")
    again = await central.connected("PY-SIM-0001", times=2)
    for connector_id, word in ((1, "Available"), (2, "Unavailable"), (3, "Reserved")):
        await again.next("StatusNotification", lambda told, of=connector_id: told["connector_id"] == of)
        told = [one for one in again.of("StatusNotification") if one["connector_id"] == connector_id]
        assert [one["status"] for one in told] == [word]
    configuration = await again.call(call16.GetConfiguration(key=["ConnectionTimeOut"]))
    assert configuration.configuration_key[0]["value"] == "11"
    assert (await again.call(call16.GetLocalListVersion())).list_version == 4
    assert (await again.call(call16.CancelReservation(reservation_id=5))).status == "Accepted"


async def test_variables_that_the_csms_set_hold_at_the_next_worker() -> None:
    asked = {"component": {"name": "TxCtrlr"}, "variable": {"name": "EVConnectionTimeOut"}}
    async with central_system(version="2.0.1") as central, swarm_rig(central.url) as rig:
        await rig.start("w1", version="2.0.1")
        await rig.desire("PY-SIM-0001")
        peer = await central.connected("PY-SIM-0001")
        await peer.next("StatusNotification")
        out = call201.ChangeAvailability(operational_status="Inoperative", evse={"id": 1})
        assert (await peer.call(out)).status == "Accepted"
        answer = await peer.call(call201.SetVariables(set_variable_data=[{**asked, "attribute_value": "11"}]))
        assert answer.set_variable_result[0]["attribute_status"] == "Accepted"
        await rig.kill("w1")
        await rig.start("w2", version="2.0.1")
        await rig.until_status("PY-SIM-0001", lambda status: status.worker == "w2" and status.state == "unavailable")
        again = await central.connected("PY-SIM-0001", times=2)
        await again.next("StatusNotification")
        result = await again.call(call201.GetVariables(get_variable_data=[asked]))
        assert result.get_variable_result[0]["attribute_value"] == "11"


async def test_a_station_that_is_stopped_and_desired_again_goes_on_with_what_the_csms_set(
    central: CentralSystem, rig: SwarmRig
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001")
    peer = await central.connected("PY-SIM-0001")
    await peer.next("StatusNotification")
    await peer.call(call16.ChangeAvailability(connector_id=1, type="Inoperative"))
    await rig.desire("PY-SIM-0001", running=False)
    await rig.until_status("PY-SIM-0001", lambda status: status.state == "stopped")
    await rig.desire("PY-SIM-0001", ocpp_version="1.6")
    await rig.until_status("PY-SIM-0001", lambda status: status.state == "unavailable")


async def test_a_second_worker_takes_its_share_and_each_station_is_run_once(
    central: CentralSystem, rig: SwarmRig
) -> None:
    ids = [f"PY-SIM-{number:04}" for number in range(1, 13)]
    first = await rig.start("w1")
    await rig.desire(*ids)
    await rig.until(lambda: len(first.host) == 12)
    kept_from_the_start = {station_id: len(central.peers.get(station_id, ())) for station_id in ids}
    second = await rig.start("w2")
    await rig.until(lambda: len(second.host) > 0 and len(first.host) + len(second.host) == 12)
    assert not set(first.host) & set(second.host)
    statuses = await rig.statuses()
    for station_id in second.host:
        await central.connected(station_id, times=2)
    for station_id in first.host:
        assert len(central.peers[station_id]) == max(kept_from_the_start[station_id], 1), "its socket was kept"
        assert statuses[station_id].worker == "w1"


async def test_a_stop_ends_transactions_and_closes_with_1001(central: CentralSystem, rig: SwarmRig, csms: Csms) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kw > 0 and status.transaction_id == 1)
    peer = await central.connected("PY-SIM-0001")
    await rig.stop("w1")
    assert csms.open == set()
    assert csms.stops[1].get("reason", "Local") == "Local"
    status = (await rig.statuses())["PY-SIM-0001"]
    assert status.handover.released
    assert status.state == "offline"
    await rig.until(lambda: peer.charge_point._connection.close_code is not None)
    assert peer.charge_point._connection.close_code == 1001


async def test_a_stop_that_hands_over_leaves_the_transaction_to_the_next_worker_who_goes_on_with_it(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1", hand_over=True)
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.002 and status.transaction_id == 1)
    peer = await central.connected("PY-SIM-0001")
    await rig.stop("w1")
    assert csms.open == {1}
    assert peer.charge_point._connection.close_code == 1001
    await rig.start("w2")
    again = await central.connected("PY-SIM-0001", times=2)
    await again.next("StatusNotification", lambda request: request["status"] == "Charging")
    await again.next("MeterValues", lambda request: request["transaction_id"] == 1)
    assert csms.open == {1}


async def test_a_transaction_of_a_station_nobody_ran_for_over_a_minute_ends_where_it_was_left(
    central: CentralSystem, rig: SwarmRig, csms: Csms, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.001 and status.transaction_id == 1)
    await rig.kill("w1")
    left = (await rig.statuses())["PY-SIM-0001"]
    monkeypatch.setattr(handover, "GOES_ON_WITHIN_S", -1.0)
    await rig.start("w2")
    await rig.until(lambda: 1 in csms.stops)
    assert csms.stops[1]["reason"] == "PowerLoss"
    assert csms.stops[1]["meter_stop"] == left.handover.transactions[0].meter_wh


async def test_what_a_stopped_station_left_open_is_told_to_its_csms_and_then_it_is_quiet(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.001 and status.transaction_id == 1)
    await rig.kill("w1")
    await rig.desire("PY-SIM-0001", running=False)
    worker = await rig.start("w2")
    await rig.until_status("PY-SIM-0001", lambda status: status.state == "stopped" and status.worker == "w2")
    assert csms.stops[1]["reason"] == "PowerLoss"
    assert csms.open == set()
    assert len(worker.host) == 0


async def test_a_profile_that_is_not_there_costs_that_station_only(central: CentralSystem, rig: SwarmRig) -> None:
    worker = await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="no-such-profile")
    await rig.desire("PY-SIM-0002")
    await rig.until_status("PY-SIM-0002", lambda status: status.state == "available")
    assert list(worker.host) == ["PY-SIM-0002"]
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until(lambda: len(worker.host) == 2)


async def test_another_profile_lets_a_station_begin_anew_with_its_register(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    charged = await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.001 and status.transaction_id == 1)
    await rig.desire("PY-SIM-0001", profile="no-transactions")
    status = await rig.until_status(
        "PY-SIM-0001", lambda status: status.profile == "no-transactions" and status.state == "available"
    )
    assert status.register_wh >= charged.register_wh
    assert csms.open == set()


async def test_a_station_that_is_removed_is_stopped(central: CentralSystem, rig: SwarmRig) -> None:
    worker = await rig.start("w1")
    await rig.desire("PY-SIM-0001")
    await rig.until(lambda: len(worker.host) == 1)
    await rig.remove("PY-SIM-0001")
    await rig.until(lambda: len(worker.host) == 0)


async def test_nothing_about_a_transaction_reaches_the_csms_before_the_log_has_it(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    await rig.start("w1")
    with_open_transaction: list[bool] = []
    told_and_known_wh: list[tuple[int, int]] = []
    answers = csms.answers("PY-SIM-0001")

    async def looking(**request: Any) -> dict[str, Any]:
        status = (await rig.statuses())["PY-SIM-0001"]
        with_open_transaction.append(bool(status.handover.transactions) and bool(status.handover.queue))
        return answers["StartTransaction"](**request)

    async def metered(**request: Any) -> dict[str, Any]:
        (transaction,) = (await rig.statuses())["PY-SIM-0001"].handover.transactions
        told_and_known_wh.append((max(registers_of(request)), transaction.meter_wh))
        return {}

    async with central_system(answers={**answers, "StartTransaction": looking, "MeterValues": metered}) as other:
        rig.csms_url = other.url
        await rig.desire("PY-SIM-0001", profile="eager")
        async with asyncio.timeout(30):
            while len(told_and_known_wh) < 4:
                await asyncio.sleep(0.01)
        assert with_open_transaction == [True]
        assert [(told, known) for told, known in told_and_known_wh if told > known] == []
        await rig.stop("w1")


async def test_a_worker_that_stood_still_cuts_its_sockets_and_comes_back_once_it_knows_its_stations(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    asleep_s = 0.0
    lease = Lease(lambda: time.monotonic() + asleep_s)
    worker = await rig.start("w1", lease=lease)
    await rig.desire("PY-SIM-0001", profile="eager")
    await rig.until_status("PY-SIM-0001", lambda status: status.kwh > 0.001 and status.transaction_id == 1)
    peer = await central.connected("PY-SIM-0001")
    asleep_s = 10.0
    heard = len(peer.requests)
    await rig.until(lambda: worker.checks()["lease"] is not None)
    await rig.until(lambda: peer.charge_point._connection.close_code is not None)
    assert len(peer.requests) <= heard + 1  # one may have been on its way already
    await rig.until(lambda: worker.checks()["lease"] is None)
    again = await central.connected("PY-SIM-0001", times=2)
    await again.next("MeterValues", lambda request: request["transaction_id"] == 1)
    assert csms.open == {1}


async def test_a_station_of_another_with_a_higher_term_is_cut_without_a_word(
    central: CentralSystem, rig: SwarmRig, csms: Csms
) -> None:
    worker = await rig.start("w1")
    await rig.desire("PY-SIM-0001", profile="eager")
    status = await rig.until_status("PY-SIM-0001", lambda status: status.kw > 0 and status.transaction_id == 1)
    claim = status.model_copy(
        update={"worker": "w2", "handover": status.handover.model_copy(update={"term": 9, "holder": "w2/b"})}
    )
    await rig.bus.publish(Event(SWARM_STATUS, claim, id="claim", source="swarm/w2"))
    await rig.until(lambda: len(worker.host) == 0)
    assert csms.open == {1}
    assert (await rig.statuses())["PY-SIM-0001"].worker == "w2"


async def test_the_last_record_of_a_station_is_of_who_has_it_whatever_another_says_late(
    rig: SwarmRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "BEAT_S", 3600.0)
    await rig.start("w1")
    await rig.desire("PY-SIM-0001")
    status = await rig.until_status("PY-SIM-0001", lambda status: status.state == "available")
    late = status.model_copy(
        update={"worker": "w0", "handover": status.handover.model_copy(update={"term": 0, "holder": "w0/b"})}
    )
    await rig.bus.publish(Event(SWARM_STATUS, late, id="late", source="swarm/w0"))
    assert (await rig.statuses())["PY-SIM-0001"].worker == "w0"
    again = await rig.until_status("PY-SIM-0001", lambda status: status.worker == "w1")
    assert again.handover == status.handover
