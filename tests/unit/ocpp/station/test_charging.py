import itertools

from evcharging.domain.charger_state import FaultCode
from evcharging.ocpp.errors import CallRejected, Fault
from tests.support.station_world import VEHICLE, Csms, living


async def test_the_registers_of_begin_end_and_samples_add_up_exactly():
    async with living(configuration={"MeterValueSampleInterval": "7"}) as world:
        await world.charge()
        await world.clock.advance(7 * 13 + 3)
        world.station.unplug(1)
        await world.settle()
        start, stop = world.csms.of("StartTransaction")[0], world.csms.of("StopTransaction")[0]
        registers = [start["meterStart"]]
        registers += [int(one["meterValue"][0]["sampledValue"][0]["value"]) for one in world.csms.of("MeterValues")]
        registers.append(stop["meterStop"])
        assert len(registers) == 15
        assert registers == sorted(registers)
        steps = [after - before for before, after in itertools.pairwise(registers)]
        assert sum(steps) == stop["meterStop"] - start["meterStart"]
        assert world.ear.ended[0].energy_wh == sum(steps)
        assert abs(sum(steps) - 7360 * 94 / 3600) < 4


async def test_a_full_vehicle_suspends_the_session_at_its_own_side():
    nearly_full = VEHICLE.__class__(capacity_kwh=32.0, onboard_kw=7.36, arrival_soc=0.989)
    async with living(configuration={"MeterValueSampleInterval": "0"}) as world:
        await world.charge(vehicle=nearly_full)
        await world.clock.advance(3600)
        assert world.csms.statuses()[-1] == "SuspendedEV"
        assert world.csms.of("StopTransaction") == []


async def test_a_fault_ends_the_session_and_is_told_with_its_code():
    async with living() as world:
        await world.charge()
        await world.clock.advance(10)
        world.station.inject_fault(1, FaultCode.GROUND_FAULT)
        await world.settle()
        assert world.csms.of("StopTransaction")[0]["reason"] == "Other"
        last = world.csms.of("StatusNotification")[-1]
        assert (last["status"], last["errorCode"]) == ("Faulted", "GroundFailure")
        assert not await world.station.present("TAG", 1)
        assert world.station.clear_fault(1)
        await world.settle()
        assert world.csms.statuses()[-1] == "Finishing"


async def test_an_emergency_stop_ends_the_session_with_that_reason():
    async with living() as world:
        await world.charge()
        world.station.emergency_stop(1)
        await world.settle()
        assert world.csms.of("StopTransaction")[0]["reason"] == "EmergencyStop"
        last = world.csms.of("StatusNotification")[-1]
        assert (last["status"], last["errorCode"]) == ("Faulted", "OtherError")
        world.station.clear_fault(1)
        await world.settle()
        assert world.csms.statuses()[-1] == "Finishing"


async def test_a_card_refused_at_the_start_deauthorizes_the_session():
    csms = Csms()
    csms.answers["StartTransaction"] = {"transactionId": 9, "idTagInfo": {"status": "ConcurrentTx"}}
    async with living(csms) as world:
        await world.charge()
        stop = csms.of("StopTransaction")[0]
        assert (stop["reason"], stop["transactionId"]) == ("DeAuthorized", 9)


async def test_without_stop_on_invalid_id_the_session_stays_open_and_no_power_flows():
    csms = Csms()
    csms.answers["StartTransaction"] = {"transactionId": 9, "idTagInfo": {"status": "Invalid"}}
    async with living(csms, configuration={"StopTransactionOnInvalidId": "false"}) as world:
        await world.charge()
        await world.clock.advance(60)
        assert csms.of("StopTransaction") == []
        assert csms.statuses()[-1] == "SuspendedEVSE"
        assert world.station.snapshot().kw == 0.0


async def test_max_energy_on_invalid_id_lets_a_refused_session_take_so_much_and_ends_it():
    csms = Csms()
    csms.answers["StartTransaction"] = {"transactionId": 9, "idTagInfo": {"status": "Invalid"}}
    async with living(csms, configuration={"MaxEnergyOnInvalidId": "50"}) as world:
        await world.charge()
        await world.clock.advance(20)
        assert csms.of("StopTransaction") == []
        await world.clock.advance(20)
        stop = csms.of("StopTransaction")[0]
        assert stop["reason"] == "DeAuthorized"
        assert 50 <= stop["meterStop"] <= 62


async def test_a_start_the_csms_cannot_take_is_given_up_and_the_end_still_told():
    csms = Csms()
    csms.answers["StartTransaction"] = CallRejected(Fault.INTERNAL_ERROR, "out of order")
    settings = {"TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "10"}
    async with living(csms, configuration=settings) as world:
        await world.charge()
        await world.clock.advance(65)
        world.station.unplug(1)
        await world.settle()
        assert len(csms.of("StartTransaction")) == 2
        assert csms.of("MeterValues") == []
        assert csms.of("StopTransaction")[0]["transactionId"] == -1
        assert world.ear.dropped == ["StartTransaction"]
        csms.problems.clear()
