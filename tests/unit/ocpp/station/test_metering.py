import pytest

from evcharging.ocpp.station import metering
from tests.support.station_world import VEHICLE, living


def sampled(meter_value: dict) -> dict[str, str]:
    return {one["measurand"]: one["value"] for one in meter_value["sampledValue"]}


async def test_the_measurands_of_the_configuration_are_sampled_at_its_interval():
    settings = {"MeterValueSampleInterval": "15", "MeterValuesSampledData": "SoC,Current.Import,Voltage"}
    async with living(configuration=settings) as world:
        await world.charge()
        await world.clock.advance(46)
        values = world.csms.of("MeterValues")
        assert [one["meterValue"][0]["timestamp"][14:19] for one in values] == ["00:15", "00:30", "00:45"]
        for one in values:
            assert one["transactionId"] == 1
            assert list(sampled(one["meterValue"][0])) == ["SoC", "Current.Import", "Voltage"]
        assert sampled(values[0]["meterValue"][0])["Current.Import"] == "32.00"


async def test_every_measurand_that_stations_have_is_told_with_its_unit():
    names = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC,Temperature,Current.Offered"
    async with living(configuration={"MeterValuesSampledData": names}) as world:
        await world.charge()
        await world.clock.advance(61)
        values = world.csms.of("MeterValues")[0]["meterValue"][0]["sampledValue"]
        assert ",".join(one["measurand"] for one in values) == names
        assert [one["unit"] for one in values] == ["Wh", "W", "A", "V", "Percent", "Celsius", "A"]
        assert 0 <= int(values[0]["value"]) - int(7360 / 60) <= 1


async def test_a_changed_interval_acts_on_the_session_that_runs():
    async with living() as world:
        await world.charge()
        await world.csms.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"})
        await world.clock.advance(21)
        assert len(world.csms.of("MeterValues")) == 4
        await world.csms.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "0"})
        await world.clock.advance(60)
        assert len(world.csms.of("MeterValues")) == 4


async def test_clock_aligned_values_come_at_multiples_from_midnight_with_and_without_a_transaction():
    settings = {
        "ClockAlignedDataInterval": "900",
        "MeterValuesAlignedData": "Energy.Active.Import.Register,Voltage",
        "MeterValueSampleInterval": "0",
    }
    start_s = 1_750_032_000.0 + 800
    async with living(connectors=2, configuration=settings, now_s=start_s) as world:
        await world.clock.advance(101)
        first = world.csms.of("MeterValues")
        assert [one["connectorId"] for one in first] == [1, 2]
        assert all("transactionId" not in one for one in first)
        assert {one["meterValue"][0]["timestamp"] for one in first} == {"2025-06-16T00:15:00.000Z"}
        await world.charge(connector_id=2)
        await world.clock.advance(900)
        second = world.csms.of("MeterValues")[2:]
        assert [one.get("transactionId") for one in second] == [None, 1]
        assert {one["context"] for one in second[1]["meterValue"][0]["sampledValue"]} == {"Sample.Clock"}


async def test_the_clock_aligned_interval_acts_at_once_when_it_is_changed():
    async with living() as world:
        await world.csms.call("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "60"})
        await world.clock.advance(121)
        assert len(world.csms.of("MeterValues")) == 2
        await world.csms.call("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "0"})
        await world.clock.advance(121)
        assert len(world.csms.of("MeterValues")) == 2


async def test_a_stop_carries_no_data_unless_it_is_asked_for():
    async with living() as world:
        await world.charge()
        await world.clock.advance(61)
        world.station.unplug(1)
        await world.settle()
        assert "transactionData" not in world.csms.of("StopTransaction")[0]


async def test_stop_txn_sampled_data_brings_begin_samples_and_end_in_the_stop():
    async with living(configuration={"StopTxnSampledData": "Energy.Active.Import.Register"}) as world:
        await world.charge()
        await world.clock.advance(125)
        world.station.unplug(1)
        await world.settle()
        stop = world.csms.of("StopTransaction")[0]
        contexts = [one["sampledValue"][0].get("context", "Sample.Periodic") for one in stop["transactionData"]]
        assert contexts == ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]
        registers = [int(one["sampledValue"][0]["value"]) for one in stop["transactionData"]]
        assert registers[0] == 0
        assert registers == sorted(registers)
        assert registers[-1] == stop["meterStop"]


async def test_stop_txn_aligned_data_brings_the_clock_aligned_ones():
    settings = {"StopTxnAlignedData": "Voltage", "ClockAlignedDataInterval": "60", "MeterValuesAlignedData": ""}
    async with living(configuration=settings) as world:
        await world.charge()
        await world.clock.advance(125)
        world.station.unplug(1)
        await world.settle()
        data = world.csms.of("StopTransaction")[0]["transactionData"]
        assert [one["sampledValue"][0]["context"] for one in data] == ["Sample.Clock", "Sample.Clock"]
        assert {one["sampledValue"][0]["measurand"] for one in data} == {"Voltage"}


async def test_samples_for_the_stop_are_thinned_out_and_keep_the_first(monkeypatch):
    monkeypatch.setattr(metering, "MOST_SAMPLES", 6)
    settings = {"StopTxnSampledData": "Energy.Active.Import.Register", "MeterValueSampleInterval": "1"}
    async with living(configuration=settings) as world:
        await world.charge()
        await world.clock.advance(40)
        world.station.unplug(1)
        await world.settle()
        data = world.csms.of("StopTransaction")[0]["transactionData"]
        assert 3 <= len(data) <= 7
        assert data[0]["sampledValue"][0]["context"] == "Transaction.Begin"
        assert data[-1]["sampledValue"][0]["context"] == "Transaction.End"


async def test_soc_is_left_out_while_no_vehicle_is_there():
    async with living(configuration={"MeterValuesSampledData": "SoC"}) as world:
        assert await world.csms.call("TriggerMessage", {"requestedMessage": "MeterValues"}) == {"status": "Accepted"}
        await world.settle()
        assert world.csms.of("MeterValues") == []
        world.station.plug_in(1, VEHICLE)
        await world.csms.call("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})
        await world.settle()
        value = world.csms.of("MeterValues")[0]["meterValue"][0]["sampledValue"][0]
        assert (value["value"], value["context"]) == ("30.0", "Trigger")


async def test_a_meter_that_was_just_read_for_a_sample_is_not_looked_at_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
):
    async with living(configuration={"MeterValueSampleInterval": "5"}, watch_interval_s=5.0) as world:
        await world.charge()
        connector = world.station.connectors[0]
        looks = []
        advance = connector.charger.advance
        monkeypatch.setattr(
            type(connector.charger), "advance", lambda _, now_s: (looks.append(now_s), advance(now_s))[1]
        )
        await world.clock.advance(100)
        assert len(world.csms.of("MeterValues")) == 20
        assert len(looks) <= 22
