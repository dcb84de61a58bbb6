from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.broker.apache import ApacheKafka, ApacheKafkaFailed, main


def test_its_address_is_known_before_it_runs_and_its_process_is_not(tmp_path: Path) -> None:
    node = ApacheKafka(tmp_path, port=9192, data_dir=tmp_path)
    assert node.bootstrap == "127.0.0.1:9192"
    with pytest.raises(ApacheKafkaFailed, match="not running"):
        _ = node.pid


async def test_a_node_that_cannot_start_says_what_java_said(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    node = ApacheKafka(tmp_path / "jars", data_dir=tmp_path / "data")
    with pytest.raises(ApacheKafkaFailed, match="StorageTool"):
        await node.start()


@pytest.mark.parametrize(("long_lived", "compiled"), [(False, "quickly"), (True, "well")])
async def test_a_node_that_lives_long_is_compiled_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long_lived: bool, compiled: str
) -> None:
    java = tmp_path / "java"
    java.write_text('#!/bin/sh\ncase "$*" in *TieredStopAtLevel=1*) echo quickly;; *) echo well;; esac\nexit 1\n')
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ApacheKafkaFailed, match=f": {compiled}$"):
        await ApacheKafka(tmp_path, data_dir=tmp_path / "data", long_lived=long_lived).start()


def test_make_kafka_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--cache", str(tmp_path)]) == 1
    assert "no java on the PATH" in capsys.readouterr().err
