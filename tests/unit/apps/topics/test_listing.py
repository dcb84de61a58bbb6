from __future__ import annotations

import io

from rich.console import Console

from evcharging.apps.topics.listing import topic_rows, topic_table
from evcharging.bus.kafka_offsets import PartitionOffsets


def table(rows) -> str:
    output = io.StringIO()
    Console(file=output, width=120).print(topic_table(rows))
    return output.getvalue()


def test_every_topic_is_listed_with_message_key_and_compaction():
    rows = {row["topic"]: row for row in topic_rows(None)}
    assert len(rows) == 15
    assert rows["cp.status"] == {
        "topic": "cp.status",
        "message": "Status",
        "key": "cp_id",
        "compacted": True,
        "partitions": None,
    }
    assert rows["driver.requests"]["key"] == "cp_id, else driver_id"


def test_partitions_and_their_ends_are_listed_where_a_broker_was_asked():
    offsets = {"cp.status": {0: PartitionOffsets(3, 7), 1: PartitionOffsets(0, 0)}}
    rows = {row["topic"]: row for row in topic_rows(offsets)}
    assert rows["cp.status"]["partitions"] == [
        {"partition": 0, "first": 3, "end": 7},
        {"partition": 1, "first": 0, "end": 0},
    ]
    line = next(line for line in table(topic_rows(offsets)).splitlines() if line.startswith("cp.status"))
    assert line.split() == ["cp.status", "Status", "cp_id", "yes", "4", "0:7", "1:0"]


def test_a_topic_that_is_not_there_yet_is_said_to_be_so():
    line = next(line for line in table(topic_rows({})).splitlines() if line.startswith("cp.alerts"))
    assert line.split()[-2:] == ["none", "yet"]


def test_dead_letters_are_listed_only_where_there_are_any():
    assert "cp.status.dlq" not in table(topic_rows({}))
    assert "cp.status.dlq" in table(topic_rows({"cp.status.dlq": {0: PartitionOffsets(0, 1)}}))
