"""What a station knows again after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.station.memory import BadMemory, StationMemory
from evcharging.ocpp.station.interfaces import TransactionRecord


def record(**changes: object) -> TransactionRecord:
    values = {
        "station_id": "CP-1",
        "connector_id": 1,
        "local_id": "t",
        "id_tag": "TAG",
        "started_at_s": 5.0,
        "meter_start_wh": 10,
        "meter_wh": 20,
        "transaction_id": 3,
        **changes,
    }
    return TransactionRecord(**values)  # type: ignore[arg-type]


def test_begins_with_nothing(tmp_path: Path) -> None:
    memory = StationMemory(tmp_path / "m", "CP-1")
    assert (memory.transactions, memory.registers_wh) == ((), ())


def test_gives_back_what_was_kept_last(tmp_path: Path) -> None:
    memory = StationMemory(tmp_path / "m", "CP-1")
    memory.keep([record()], [12.5])
    memory.keep([record(meter_wh=21), record(local_id="u")], [13.5, 0.0])
    again = StationMemory(tmp_path / "m", "CP-1")
    assert again.transactions == (record(meter_wh=21), record(local_id="u"))
    assert again.registers_wh == (13.5, 0.0)


def test_writes_only_what_changed_and_never_half(tmp_path: Path) -> None:
    memory = StationMemory(tmp_path / "m", "CP-1")
    memory.keep([record()], [1.0])
    (tmp_path / "m").unlink()
    memory.keep([record()], [1.0])
    assert not (tmp_path / "m").exists()
    memory.keep([record()], [2.0])
    assert [one.name for one in tmp_path.iterdir()] == ["m"]


def test_is_not_another_stations(tmp_path: Path) -> None:
    StationMemory(tmp_path / "m", "CP-1").keep([], [])
    with pytest.raises(BadMemory, match="is of station CP-1, not of CP-2"):
        StationMemory(tmp_path / "m", "CP-2")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"station_id": "CP-1"}', '{"station_id": "CP-1", "transactions": [{}]}']
)
def test_says_so_where_the_file_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "m").write_text(content)
    with pytest.raises(BadMemory, match="is no memory of a station"):
        StationMemory(tmp_path / "m", "CP-1")


def test_says_so_where_it_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(BadMemory, match="cannot be read"):
        StationMemory(tmp_path, "CP-1")
    memory = StationMemory(tmp_path / "absent" / "m", "CP-1")
    with pytest.raises(BadMemory, match="cannot be written"):
        memory.keep([record()], [])
