from evcharging.domain.charger_state import ChargerState, FaultCode
from evcharging.ocpp.schemas import check_request
from evcharging.ocpp.station.interfaces import Reading
from evcharging.ocpp.station.v16.meter_values import MEASURANDS, meter_value, text_time
from evcharging.ocpp.station.wire import Context, Sample
from evcharging.ocpp.versions import OcppVersion

READING = Reading(1234.9, 10.126, 230.0, 2329.0, 0.4567, 31.24, ChargerState.CHARGING, FaultCode.NONE, 16.0)


def sample(context: Context = Context.PERIODIC, reading: Reading = READING) -> Sample:
    return Sample(1_750_032_000.5, context, 1234, reading)


def test_a_sample_is_spelled_as_the_standard_has_it():
    value = meter_value(sample(), tuple(MEASURANDS))
    assert value is not None
    check_request(OcppVersion.V16, "MeterValues", {"connectorId": 1, "meterValue": [value]})
    assert value["timestamp"] == "2025-06-16T00:00:00.500Z"
    assert [one["value"] for one in value["sampledValue"]] == [
        "1234",
        "2329.0",
        "10.13",
        "16.00",
        "230.0",
        "45.7",
        "31.2",
    ]


def test_the_context_is_told_unless_it_is_the_one_taken_for_granted():
    periodic = meter_value(sample(), ("Voltage",))
    ended = meter_value(sample(Context.END), ("Voltage",))
    assert periodic is not None
    assert ended is not None
    assert "context" not in periodic["sampledValue"][0]
    assert ended["sampledValue"][0]["context"] == "Transaction.End"


def test_nothing_is_told_where_nothing_is_asked_for_or_known():
    assert meter_value(sample(), ()) is None
    without = Reading(0.0, 0.0, 230.0, 0.0, None, 25.0, ChargerState.AVAILABLE, FaultCode.NONE, 16.0)
    assert meter_value(sample(reading=without), ("SoC",)) is None


def test_times_are_utc_with_milliseconds():
    assert text_time(1_750_032_000.1239) == "2025-06-16T00:00:00.123Z"


def test_a_sample_is_not_changed_by_the_next_one():
    first = meter_value(sample(), ("Voltage", "Current.Import"))
    second = meter_value(sample(reading=READING._replace(volts=231.0)), ("Voltage", "Current.Import"))
    assert first is not None
    assert second is not None
    assert [one["value"] for one in first["sampledValue"]] == ["230.0", "10.13"]
    assert [one["value"] for one in second["sampledValue"]] == ["231.0", "10.13"]
