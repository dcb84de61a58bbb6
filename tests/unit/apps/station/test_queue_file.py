"""What a station's queue on the disk keeps, over kills too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.station import queue_file
from evcharging.apps.station.queue_file import BadQueueFile, QueueFile


def entry(key: int, **changes: Any) -> dict[str, Any]:
    return {"key": key, "action": "StartTransaction", "payload": {"idTag": "Ü"}, "attempts": 0, **changes}


def test_brings_back_what_was_kept_in_order_with_its_last_contents(tmp_path: Path) -> None:
    queue = QueueFile(tmp_path / "queue.db", "CP-001")
    assert queue.load() == []
    for key in (3, 10, 2):
        queue.append(entry(key))
    queue.update(entry(10, attempts=2))
    queue.remove(entry(3))
    queue.close()
    queue.close()
    assert QueueFile(tmp_path / "queue.db", "CP-001").load() == [entry(2), entry(10, attempts=2)]


def test_gives_no_station_what_another_left(tmp_path: Path) -> None:
    queue = QueueFile(tmp_path / "queue.db", "CP-001")
    queue.append(entry(1))
    queue.close()
    other = QueueFile(tmp_path / "queue.db", "CP-002")
    assert other.load() == []
    other.append(entry(1, attempts=7))
    other.close()
    assert QueueFile(tmp_path / "queue.db", "CP-001").load() == [entry(1)]


def test_loses_nothing_to_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from evcharging.apps.station.queue_file import QueueFile\n"
        "queue = QueueFile(Path(sys.argv[1]), 'CP-001')\n"
        "for key in range(20):\n"
        "    queue.append({'key': key})\n"
        "queue.remove({'key': 4})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "queue.db")], check=False, timeout=60)
    assert killed.returncode == -9
    kept = QueueFile(tmp_path / "queue.db", "CP-001").load()
    assert [one["key"] for one in kept] == [key for key in range(20) if key != 4]


def test_one_process_has_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_file, "LOCKED_FOR_S", 0.05)
    first = QueueFile(tmp_path / "queue.db", "CP-001")
    first.append(entry(1))
    with pytest.raises(BadQueueFile, match=r"queue\.db: cannot be used as a queue file \(database is locked\)"):
        QueueFile(tmp_path / "queue.db", "CP-001").load()
    first.close()


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"no database" * 100)])
def test_says_so_where_the_file_is_no_queue(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "queue.db")
    with pytest.raises(BadQueueFile, match=r"queue\.db: cannot be used as a queue file"):
        QueueFile(tmp_path / "queue.db", "CP-001")


def test_says_so_where_an_entry_is_damaged(tmp_path: Path) -> None:
    queue = QueueFile(tmp_path / "queue.db", "CP-001")
    queue._database.execute("INSERT INTO waiting VALUES ('CP-001', 1, '{')")
    with pytest.raises(BadQueueFile, match="an entry of CP-001 is damaged"):
        queue.load()
    queue.close()
