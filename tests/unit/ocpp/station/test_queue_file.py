from contextlib import closing
from pathlib import Path

import pytest

from evcharging.ocpp.station import queue_file
from evcharging.ocpp.station.queue_file import QueueFile, QueueFileError
from tests.support.station_world import living


def entry(key: int, **values: object) -> dict:
    return {"key": key, "action": "MeterValues", "payload": {}, "local_id": "a", "attempts": 0, **values}


def kept(path: Path) -> list[dict]:
    with closing(QueueFile(path)) as store:
        return store.load()


def test_entries_come_back_in_order_with_their_last_contents(tmp_path: Path):
    store = QueueFile(tmp_path / "deep" / "queue.jsonl")
    for key in (1, 2, 3):
        store.append(entry(key))
    store.update(entry(2, attempts=1))
    store.remove(entry(1))
    store.close()
    assert kept(store.path) == [entry(2, attempts=1), entry(3)]


def test_a_line_cut_short_by_a_power_loss_is_dropped(tmp_path: Path):
    store = QueueFile(tmp_path / "queue.jsonl", sync=True)
    store.append(entry(1))
    store.append(entry(2))
    store.close()
    store.path.write_bytes(store.path.read_bytes()[:-5])
    again = QueueFile(store.path)
    assert again.load() == [entry(1)]
    again.append(entry(3))
    again.close()
    assert kept(store.path) == [entry(1), entry(3)]


@pytest.mark.parametrize("line", [b"garbage", b"[]", b'{"put": 5}', b'{"what": 1}'])
def test_a_line_that_is_none_is_an_error_that_names_it(tmp_path: Path, line: bytes):
    path = tmp_path / "queue.jsonl"
    path.write_bytes(b'{"end": 1}\n' + line + b"\n")
    with pytest.raises(QueueFileError, match="line 2"):
        QueueFile(path)


def test_the_file_does_not_grow_with_what_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_file, "REWRITE_AFTER", 20)
    store = QueueFile(tmp_path / "queue.jsonl")
    store.append(entry(0))
    for key in range(1, 200):
        store.append(entry(key))
        store.remove(entry(key))
    assert len(store.path.read_bytes().splitlines()) < 50
    store.close()
    assert kept(store.path) == [entry(0)]


def test_removing_what_is_not_there_changes_nothing(tmp_path: Path):
    store = QueueFile(tmp_path / "queue.jsonl")
    store.remove(entry(7))
    store.close()
    assert kept(store.path) == []


async def test_a_station_delivers_after_a_power_loss_what_it_kept_on_disk(tmp_path: Path):
    path = tmp_path / "CP-001.jsonl"
    async with living(queue=QueueFile(path), configuration={"AllowOfflineTxForUnknownId": "true"}) as world:
        world.network.up = False
        world.network.cut()
        await world.charge("TAG")
        await world.clock.advance(65)
        world.station.unplug(1)
    async with living(queue=QueueFile(path)) as world:
        await world.clock.advance(1)
        assert [one for one in world.csms.actions() if "Transaction" in one or "Meter" in one] == [
            "StartTransaction",
            "MeterValues",
            "StopTransaction",
        ]
        assert world.csms.of("StopTransaction")[0]["transactionId"] == 1
    assert kept(path) == []
