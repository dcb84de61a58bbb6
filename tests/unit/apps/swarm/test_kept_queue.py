from __future__ import annotations

from evcharging.apps.swarm.kept_queue import KeptQueue


def entry(key):
    return {"key": key, "action": "MeterValues", "payload": {}}


def test_what_was_left_comes_first_and_every_change_is_told():
    changes = []
    queue = KeptQueue([entry(1)], on_change=lambda: changes.append(len(queue.entries)))
    queue.append(entry(2))
    queue.remove(entry(1))
    assert [kept["key"] for kept in queue.entries] == [2]
    assert changes == [2, 1]


def test_a_change_in_place_is_seen_through_what_was_loaded():
    changes = []
    queue = KeptQueue([entry(1)], on_change=lambda: changes.append(True))
    loaded = queue.load()
    loaded[0]["payload"] = {"transactionId": 7}
    queue.update(loaded[0])
    assert queue.entries[0]["payload"] == {"transactionId": 7}
    assert changes == [True]


def test_the_list_that_is_loaded_is_the_callers_own():
    queue = KeptQueue([entry(1)], on_change=lambda: None)
    queue.load().clear()
    assert len(queue.entries) == 1


def test_what_is_not_there_is_forgotten_already():
    changes = []
    KeptQueue([], on_change=lambda: changes.append(True)).remove(entry(1))
    assert changes == []
