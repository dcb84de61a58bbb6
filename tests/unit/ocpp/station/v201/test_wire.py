"""The requests of a 2.0.1 station through whole sessions. Every frame is held to the standard's schemas by the CSMS."""

from __future__ import annotations

import pytest

from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.charger_state import FaultCode
from evcharging.ocpp.errors import InvalidAnswer
from evcharging.ocpp.station.interfaces import TransactionRecord
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_v201 import Csms201, csms_of, living_201
from tests.support.station_world import NOON_S, VEHICLE, World


async def test_TC_B_01_cold_boot_tells_the_station_and_its_connectors():
    async with living_201(connectors=2, model="M" * 30) as world:
        csms = csms_of(world)
        boot = csms.of("BootNotification")[0]
        assert boot["reason"] == "PowerUp"
        assert boot["chargingStation"]["serialNumber"] == "CP-001"
        assert boot["chargingStation"]["model"] == "M" * 20
        assert (csms.words(1), csms.words(2), csms.words(0)) == (["Available"], ["Available"], [])


async def test_TC_B_02_a_pending_station_boots_again_after_the_interval():
    csms = Csms201()
    csms.answers["BootNotification"] = {"status": "Pending", "interval": 20, "currentTime": "2025-06-16T00:00:00Z"}
    async with living_201(csms) as world:
        assert csms.words() == []
        csms.answers["BootNotification"] = {**csms.answers["BootNotification"], "status": "Accepted"}
        await world.clock.advance(21)
        assert len(csms.of("BootNotification")) == 2
        assert csms.words() == ["Available"]


async def test_a_session_is_one_row_of_numbered_events():
    async with living_201(configuration={"SampledDataCtrlr.TxUpdatedInterval": "30"}) as world:
        csms = csms_of(world)
        await world.charge("TAG")
        await world.clock.advance(61)
        assert await world.station.present("TAG")
        world.station.unplug(1)
        await world.settle()
        events = csms.events()
        assert [one["eventType"] for one in events] == ["Started", "Updated", "Updated", "Ended"]
        assert [one["triggerReason"] for one in events] == [
            "Authorized",
            "MeterValuePeriodic",
            "MeterValuePeriodic",
            "StopAuthorized",
        ]
        assert [one["seqNo"] for one in events] == [0, 1, 2, 3]
        assert {one["offline"] for one in events} == {False}
        assert len({one["transactionInfo"]["transactionId"] for one in events}) == 1
        started, ended = events[0], events[-1]
        assert started["transactionInfo"]["chargingState"] == "Charging"
        assert started["evse"] == {"id": 1, "connectorId": 1}
        assert started["idToken"] == {"idToken": "TAG", "type": "ISO14443"}
        assert ended["transactionInfo"]["stoppedReason"] == "Local"
        assert csms.words() == ["Available", "Occupied", "Available"]


async def test_the_registers_of_beginning_and_end_are_those_of_the_record():
    async with living_201() as world:
        await world.charge()
        await world.clock.advance(600)
        await world.station.stop()
        csms, record = csms_of(world), world.ear.ended[0]
        readings = [
            (value.get("context"), value["value"])
            for meter in csms.events("Ended")[0]["meterValue"]
            for value in meter["sampledValue"]
        ]
        assert ("Transaction.Begin", float(record.meter_start_wh)) in readings
        assert readings[-1] == ("Transaction.End", float(record.meter_wh))
        assert record.energy_wh > 1000
        assert record.delivered


async def test_samples_are_numbers_with_their_units():
    async with living_201(configuration={"SampledDataCtrlr.TxUpdatedInterval": "10"}) as world:
        await world.charge()
        await world.clock.advance(11)
        sampled = csms_of(world).events("Updated")[-1]["meterValue"][0]["sampledValue"]
        by_name = {one["measurand"]: one for one in sampled}
        assert by_name["Current.Import"]["value"] == pytest.approx(32.0)
        assert by_name["Power.Active.Import"] == {
            "value": pytest.approx(7360.0),
            "measurand": "Power.Active.Import",
            "location": "Outlet",
            "unitOfMeasure": {"unit": "W"},
        }
        assert by_name["SoC"]["location"] == "EV"
        assert "Temperature" not in by_name


async def test_charging_that_is_suspended_and_goes_on_is_told_as_it_changes():
    async with living_201() as world:
        await world.charge()
        connector = world.station.connector(1)
        assert connector is not None
        connector.charger.set_limit_amps(0.0)
        await world.clock.advance(6)
        csms = csms_of(world)
        assert csms.events("Updated")[-1]["transactionInfo"]["chargingState"] == "SuspendedEVSE"
        connector.charger.set_limit_amps(16.0)
        await world.clock.advance(6)
        assert csms.events("Updated")[-1]["transactionInfo"]["chargingState"] == "Charging"
        assert csms.words() == ["Available", "Occupied"]


@pytest.mark.parametrize(
    ("act", "stopped", "trigger"),
    [
        (lambda world: world.station.unplug(1), "EVDisconnected", "EVCommunicationLost"),
        (lambda world: world.station.emergency_stop(1), "EmergencyStop", "AbnormalCondition"),
        (lambda world: world.station.inject_fault(1, FaultCode.GROUND_FAULT), "Other", "AbnormalCondition"),
        (lambda world: world.station.charging.end_all("HardReset"), "ImmediateReset", "ResetCommand"),
        (lambda world: world.station.charging.end_all("PowerLoss"), "PowerLoss", "AbnormalCondition"),
        (lambda world: world.station.charging.end_all("DeAuthorized"), "DeAuthorized", "Deauthorized"),
        (lambda world: world.station.charging.end_all("Local"), "Local", "ChargingStateChanged"),
    ],
)
async def test_ends_have_their_reason_and_trigger(act, stopped, trigger):
    async with living_201() as world:
        await world.charge()
        await world.clock.advance(30)
        act(world)
        await world.settle()
        ended = csms_of(world).events("Ended")[0]
        assert (ended["transactionInfo"]["stoppedReason"], ended["triggerReason"]) == (stopped, trigger)


async def test_offline_events_are_kept_in_order_and_marked():
    async with living_201(configuration={"SampledDataCtrlr.TxUpdatedInterval": "0"}) as world:
        csms = csms_of(world)
        await world.charge()
        csms.refuse = "away"
        world.station.drop()
        await world.clock.advance(30)
        world.station.unplug(1)
        world.station.plug_in(1, VEHICLE)
        assert csms.events("Ended") == []
        csms.refuse = None
        await world.clock.advance(120)
        events = csms.events()
        assert [one["seqNo"] for one in events] == list(range(len(events)))
        assert events[0]["offline"] is False
        assert events[-1]["eventType"] == "Ended"
        assert events[-1]["offline"] is True
        assert world.ear.settled[0].delivered


async def test_a_token_that_turns_out_blocked_is_deauthorized():
    csms = Csms201()
    csms.answers["TransactionEvent"] = lambda event: (
        {"idTokenInfo": {"status": "Blocked"}} if event["eventType"] == "Started" else {}
    )
    async with living_201(csms) as world:
        await world.charge()
        await world.clock.advance(5)
        ended = csms.events("Ended")
        assert [one["transactionInfo"]["stoppedReason"] for one in ended] == ["DeAuthorized"]


async def test_an_unknown_token_begins_nothing():
    csms = Csms201()
    csms.answers["Authorize"] = {"idTokenInfo": {"status": "Unknown"}}
    async with living_201(csms) as world:
        world.station.plug_in(1, VEHICLE)
        assert not await world.station.present("WHO", 1)
        assert csms.events() == []


async def test_a_state_is_told_again_over_the_next_connection_where_it_did_not_arrive():
    async with living_201() as world:
        csms = csms_of(world)
        csms.silent.add("StatusNotification")
        world.station.plug_in(1, VEHICLE)
        await world.settle()
        assert csms.words() == ["Available", "Occupied"]
        csms.silent.clear()
        world.station.drop()
        await world.clock.advance(120)
        assert csms.words() == ["Available", "Occupied", "Occupied"]


async def test_faults_and_absence_of_service_have_their_words():
    async with living_201() as world:
        csms = csms_of(world)
        world.station.inject_fault(1, FaultCode.GROUND_FAULT)
        await world.settle()
        world.station.clear_fault(1)
        await world.settle()
        world.station.availability.change(1, operative=False)
        await world.settle()
        assert csms.words() == ["Available", "Faulted", "Available", "Unavailable"]


async def test_clock_aligned_values_are_events_in_a_transaction_and_meter_values_outside():
    async with living_201(configuration={"AlignedDataCtrlr.Interval": "60"}) as world:
        csms = csms_of(world)
        await world.clock.advance(61)
        assert csms.of("MeterValues")[0]["evseId"] == 1
        await world.charge()
        await world.clock.advance(60)
        assert "MeterValueClock" in [one["triggerReason"] for one in csms.events("Updated")]
        assert len(csms.of("MeterValues")) == 1


async def test_a_transaction_left_by_another_process_goes_on_counting_its_events():
    left = TransactionRecord(
        station_id="CP-001",
        connector_id=1,
        local_id="t-1",
        id_tag="TAG",
        started_at_s=NOON_S - 600,
        meter_start_wh=1000,
        meter_wh=2500,
        transaction_id="t-1",
        next_event=7,
    )
    async with living_201(resume=(left,)) as world:
        await world.settle()
        [ended] = csms_of(world).events()
        assert (ended["eventType"], ended["seqNo"]) == ("Ended", 7)
        assert ended["transactionInfo"] == {"transactionId": "t-1", "stoppedReason": "PowerLoss"}


def test_answers_that_cannot_be_read_accept_nobody():
    wire = World(version=OcppVersion.V201).station.wire
    assert wire.read_authorization({"idTokenInfo": {"status": "Accepted"}}) == IdTagInfo(AuthStatus.ACCEPTED)
    assert not wire.read_authorization({"idTokenInfo": {"status": "Perhaps"}}).accepted
    assert not wire.read_authorization({}).accepted
    with pytest.raises(InvalidAnswer, match="BootNotification"):
        wire.read_boot({"status": "Accepted", "interval": 5, "currentTime": "soon"})


def test_begins_with_the_settings_by_component_and_variable():
    station = World(
        version=OcppVersion.V201,
        configuration={
            "OCPPCommCtrlr.HeartbeatInterval": "7",
            "ocppcommctrlr.messageattempts[transactionevent]": "9",
            "SampledDataCtrlr.TxUpdatedMeasurands": "SoC, Voltage",
        },
    ).station
    assert station.parameters.heartbeat_interval_s == 7
    assert station.parameters.message_attempts == 9
    assert station.parameters.sampled == ("SoC", "Voltage")


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"HeartbeatInterval": "7"}, "HeartbeatInterval: no variable of OCPP 2.0.1"),
        ({"SecurityCtrlr.Identity": "x"}, "SecurityCtrlr.Identity: no variable of OCPP 2.0.1 that can be set"),
        ({"SampledDataCtrlr.TxUpdatedMeasurands": "Temperature"}, "no such measurand here: Temperature"),
    ],
)
def test_says_what_is_wrong_with_settings(configuration, told):
    with pytest.raises(ValueError, match=told):
        World(version=OcppVersion.V201, configuration=configuration)
