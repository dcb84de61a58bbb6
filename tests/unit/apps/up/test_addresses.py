from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from evcharging.apps.up.addresses import Addresses, without_password


def addresses(pid: int) -> Addresses:
    return Addresses(
        http="http://127.0.0.1:8000",
        kafka="127.0.0.1:9092",
        mqtt="mqtt://127.0.0.1:1883",
        can="hub://127.0.0.1:29536",
        tcp="127.0.0.1:9999",
        ocpp="ws://127.0.0.1:9000/ocpp",
        swarm_metrics=["http://127.0.0.1:9100/metrics"],
        engine_health="http://127.0.0.1:8001",
        database=".evcharging/simulator.db",
        pid=pid,
    )


def test_what_was_written_is_read_again(tmp_path):
    addresses(os.getpid()).write(tmp_path)
    assert Addresses.read(tmp_path) == addresses(os.getpid())


def test_the_file_is_json_with_the_documented_keys(tmp_path):
    addresses(os.getpid()).write(tmp_path)
    addresses_of = {"http", "kafka", "mqtt", "can", "tcp", "ocpp", "gateway_http", "swarm_metrics", "engine_health"}
    keys = addresses_of | {"database", "pid"}
    assert json.loads((tmp_path / "addresses.json").read_text()).keys() == keys


def test_the_file_of_a_run_that_was_killed_is_not_believed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    addresses(ended.pid).write(tmp_path)
    assert Addresses.read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"http": 1}'])
def test_a_file_that_is_none_of_ours_is_not_believed(tmp_path, content):
    (tmp_path / "addresses.json").write_text(content)
    assert Addresses.read(tmp_path) is None


def test_no_file_is_no_run(tmp_path):
    assert Addresses.read(tmp_path / "nowhere") is None
    Addresses.remove(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ev:s3cret@db:5432/ev?ssl=1", "postgresql://ev:***@db:5432/ev?ssl=1"),
        ("mqtt://:s3cret@host", "mqtt://:***@host"),
        ("mqtt://ev@host:1883", "mqtt://ev@host:1883"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        (".evcharging/simulator.db", ".evcharging/simulator.db"),
        ("mqtt://ev:s3cret@[host", "***"),
    ],
)
def test_a_password_is_never_shown(url, shown):
    assert without_password(url) == shown
