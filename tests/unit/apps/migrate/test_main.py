from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evcharging.apps.migrate.main import main


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_every_database_is_brought_to_its_newest_schema_and_a_repeat_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--db-path", "data/simulator.db"]) == 0
    before = {path.name: tables(path) for path in (tmp_path / "data").glob("*.db")}
    assert before.keys() == {"simulator.db", "history.db", "gateway.db"}
    assert "sessions" in before["simulator.db"]
    assert "snapshots" in before["history.db"]
    assert "transactions" in before["gateway.db"]
    assert main(["--db-path", "data/simulator.db"]) == 0
    assert {path.name: tables(path) for path in (tmp_path / "data").glob("*.db")} == before


def test_each_database_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CENTRAL_HISTORY_DATABASE_URL", "sqlite:///long/ago.db")
    monkeypatch.setenv("OCPP_GATEWAY_DATABASE_URL", "sqlite:///wire.db")
    assert main([]) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")} == {
        "simulator.db",
        "long/ago.db",
        "wire.db",
    }


def test_a_file_that_the_gateway_was_given_is_the_one_that_is_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCPP_GATEWAY_DB_PATH", "wire/gateway.db")
    assert main(["--db-path", "data/simulator.db"]) == 0
    assert "transactions" in tables(tmp_path / "wire" / "gateway.db")
    assert not (tmp_path / "data" / "gateway.db").exists()


def test_a_url_that_names_no_database_is_told_with_its_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--history-database-url", "mysql://host/name"]) == 2
    assert "--history-database-url" in capsys.readouterr().err
