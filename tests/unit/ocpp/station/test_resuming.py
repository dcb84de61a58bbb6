from evcharging.ocpp.station.interfaces import TransactionRecord
from tests.support.station_world import living


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
