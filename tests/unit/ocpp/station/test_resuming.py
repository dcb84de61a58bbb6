from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charging_profiles import ChargingProfile, Installed, Kind, Period, Purpose, RateUnit, Schedule
from evcharging.ocpp.station.interfaces import StillThere, TransactionRecord
from evcharging.ocpp.station.model_charger import ModelCharger
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import NOON_S, VEHICLE, World, living

LONG = BehaviourProfile(name="long", pause_s=Range(3600.0, 3600.0))


def left_open(**values: object) -> TransactionRecord:
    return TransactionRecord(
        **{
            "station_id": "CP-001",
            "connector_id": 1,
            "local_id": "left",
            "id_tag": "TAG",
            "started_at_s": 1_750_031_000.0,
            "meter_start_wh": 1000,
            "meter_wh": 1500,
            **values,
        }
    )


async def test_a_transaction_that_another_process_left_ends_with_power_loss_at_its_last_register():
    async with living(resume=(left_open(transaction_id=77),)) as world:
        assert world.csms.of("StartTransaction") == []
        assert world.csms.of("StopTransaction") == [
            {
                "transactionId": 77,
                "meterStop": 1500,
                "timestamp": "2025-06-16T00:00:00.000Z",
                "reason": "PowerLoss",
            }
        ]
        assert world.ear.settled[0].energy_wh == 500


async def test_one_that_the_csms_may_not_know_begins_again_with_the_same_contents():
    async with living(resume=(left_open(),)) as world:
        start = world.csms.of("StartTransaction")[0]
        assert (start["meterStart"], start["timestamp"]) == (1000, "2025-06-15T23:43:20.000Z")
        assert world.csms.of("StopTransaction")[0]["transactionId"] == 1


async def test_the_meter_goes_on_from_the_register_that_was_left():
    async with living(resume=(left_open(transaction_id=1),), register_wh=(200.0,)) as world:
        await world.charge()
        assert world.csms.of("StartTransaction")[0]["meterStart"] == 1500


async def test_what_was_settled_is_left_alone():
    async with living(resume=(left_open(transaction_id=1, delivered=True),)) as world:
        assert world.csms.of("StopTransaction") == []


def still_there(**values: object) -> dict[str, StillThere]:
    return {"left": StillThere(**{"vehicle": VEHICLE, "soc": 0.55, **values})}


def registers(world: World) -> list[int]:
    """What the CSMS was told of the transaction's meter."""
    values = [value for one in world.csms.of("MeterValues") for value in one["meterValue"]]
    samples = [sample for value in values for sample in value["sampledValue"]]
    return [int(one["value"]) for one in samples if one.get("measurand") == "Energy.Active.Import.Register"]


async def test_a_transaction_whose_vehicle_is_still_there_goes_on_with_its_id_its_register_and_its_charge():
    resumed = {"resume": (left_open(transaction_id=77),), "register_wh": (1500.4,), "still_there": still_there()}
    async with living(**resumed, configuration={"MeterValueSampleInterval": "60"}) as world:
        assert world.csms.of("StartTransaction") == []
        assert world.csms.statuses()[-1] == "Charging"
        assert "Charging goes on (0.50 kWh delivered before)" in world.messages()
        assert world.station.snapshot().connectors[0].soc == 0.55
        await world.clock.advance(180.0)
        told = registers(world)
        assert told[0] > 1500
        assert told == sorted(told)
        assert {one["transactionId"] for one in world.csms.of("MeterValues")} == {77}
        assert world.station.snapshot().connectors[0].soc > 0.55
        world.station.charging.end_all("Local")
        await world.settle()
        (stop,) = world.csms.of("StopTransaction")
        assert (stop["transactionId"], "reason" in stop) == (77, False)
        (settled,) = world.ear.settled
        assert settled.energy_wh == stop["meterStop"] - 1000
        assert 1500 + 7360 * 178 / 3600 <= stop["meterStop"] <= 1501 + 7360 * 180 / 3600


async def test_one_that_goes_on_ends_when_its_driver_wanted_to_leave_even_if_that_is_past():
    for leaves_at_s, at_wh in ((NOON_S - 5.0, 1500), (NOON_S + 100.0, 1704)):
        there = still_there(leaves_at_s=leaves_at_s)
        async with living(resume=(left_open(transaction_id=77),), still_there=there, profile=LONG) as world:
            await world.clock.advance(101.0)
            (stop,) = world.csms.of("StopTransaction")
            assert abs(stop["meterStop"] - at_wh) <= 1
            assert stop["idTag"] == "TAG"


async def test_one_that_goes_on_keeps_to_its_charging_profile_and_the_profile_ends_with_it():
    schedule = Schedule(RateUnit.AMPS, (Period(0.0, 10.0),))
    profile = ChargingProfile(1, 0, Purpose.TX, Kind.RELATIVE, schedule, transaction_id=77)
    installed = {"charging_profiles": (Installed(1, profile),)}
    async with living(resume=(left_open(transaction_id=77),), still_there=still_there(), **installed) as world:
        assert world.station.snapshot().connectors[0].limit_amps == 10.0
        world.station.charging.end_all("Local")
        assert world.station.snapshot().charging_profiles == ()
    async with living(resume=(left_open(transaction_id=77),), **installed) as world:
        assert world.station.snapshot().charging_profiles == ()


async def test_one_that_goes_on_before_its_card_was_accepted_gets_no_more_than_was_allowed():
    there = still_there(allowance_wh=1600.0, stop_at_allowance=True)
    async with living(resume=(left_open(transaction_id=77),), still_there=there) as world:
        await world.clock.advance(120.0)
        (stop,) = world.csms.of("StopTransaction")
        assert stop["reason"] == "DeAuthorized"
        assert 1600 <= stop["meterStop"] <= 1610


async def test_where_the_charger_cannot_go_on_the_transaction_ends_with_power_loss(monkeypatch):
    made = ModelCharger.__init__

    def broken(self, *given, **named):
        made(self, *given, **named)
        self.inject_fault(FaultCode.GROUND_FAULT)

    monkeypatch.setattr(ModelCharger, "__init__", broken)
    async with living(resume=(left_open(transaction_id=77),), still_there=still_there()) as world:
        assert world.csms.of("StopTransaction")[0]["reason"] == "PowerLoss"
        assert world.station.snapshot().connectors[0].transaction is None


async def test_in_2_0_1_one_that_goes_on_tells_events_behind_those_that_may_have_been_told():
    left = left_open(transaction_id="left", next_event=104)
    version = {"version": OcppVersion.V201, "configuration": {"SampledDataCtrlr.TxUpdatedInterval": "60"}}
    async with living(resume=(left,), still_there=still_there(), **version) as world:
        await world.clock.advance(61.0)
        events = world.csms.of("TransactionEvent")
        assert [(one["eventType"], one["seqNo"]) for one in events] == [("Updated", 104)]
        assert events[0]["transactionInfo"]["transactionId"] == "left"
        assert events[0]["transactionInfo"]["chargingState"] == "Charging"
