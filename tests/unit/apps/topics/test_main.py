from __future__ import annotations

import json
import os

import pytest

from evcharging.apps.topics import kafka
from evcharging.apps.topics import main as topics
from evcharging.apps.up.addresses import Addresses


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kafka, "DEFAULT_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(topics, "ASK_WITHIN_S", 0.5)


def test_an_unknown_topic_is_bad_usage_and_those_there_are_are_named(capsys):
    assert topics.main(["tail", "cp.stats"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "no topic 'cp.stats'; there are: central.commands, " in told
    assert "ocpp.frames; and each with .dlq" in told


def test_an_unknown_option_is_bad_usage_in_one_line(capsys):
    assert topics.main(["tail", "cp.status", "--nope"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_broker_the_topics_are_listed_all_the_same(capsys):
    assert topics.main(["list", "--json"]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert len(rows) == 15
    assert all(row["partitions"] is None for row in rows)
    assert "no Kafka answers at 127.0.0.1:1 (Connection refused); offsets are left out" in captured.err


def test_the_broker_of_the_run_that_is_up_is_asked_where_none_is_named(tmp_path, capsys):
    (tmp_path / ".evcharging").mkdir()
    Addresses(
        http="", kafka="127.0.0.1:2", mqtt="", can="", tcp="", ocpp="", engine_health="", database="", pid=os.getpid()
    ).write(tmp_path / ".evcharging")
    topics.main(["list"])
    assert "no Kafka answers at 127.0.0.1:2" in capsys.readouterr().err
    topics.main(["list", "--kafka-bootstrap", "127.0.0.1:3"])
    assert "no Kafka answers at 127.0.0.1:3" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["list"], ["tail", "cp.status"]])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--kafka-sasl", "PLAIN", "--kafka-username", "ev"], "needs a user name and a password"),
        (["--kafka-tls", "--kafka-ca-file", "nowhere.pem"], "nowhere.pem"),
        (["--kafka-sasl", "PLAINLY"], "PLAINLY"),
        (["--kafka-bootstrap", "kafka"], "expected host:port"),
    ],
)
def test_ways_in_that_cannot_be_are_bad_usage_in_one_line(capsys, command, options, told):
    assert topics.main([*command, *options]) == 2
    captured = capsys.readouterr().err
    assert told in captured
    assert captured.count("\n") == 1


def test_alone_it_shows_its_help(capsys):
    assert topics.main([]) == 0
    assert "tail" in capsys.readouterr().out
