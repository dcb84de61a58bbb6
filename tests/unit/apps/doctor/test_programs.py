from __future__ import annotations

import os
from pathlib import Path

import pytest

from evcharging.apps.doctor import programs
from evcharging.apps.doctor.check import CheckFailed
from evcharging.apps.doctor.programs import look_for_program, program_checks


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setattr(programs, "OTHER_DIRECTORIES", ())
    return tmp_path


def program(directory: Path, name: str, prints: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{prints}\n")
    path.chmod(0o755)


async def look(*names: str, least: int = 0) -> str:
    return await look_for_program(names, least=least, flag="--version", mend="install it")


async def test_the_version_and_the_place_are_told(directory):
    program(directory, "tool", "echo tool 1.2.3 of 2020")
    assert await look("tool") == f"1.2.3, {directory}/tool"


async def test_a_version_on_standard_error_or_in_colour_is_read_too(directory):
    program(directory, "tool", r"printf '\033[1mtool 4.5\033[0m\n' >&2")
    assert await look("tool") == f"4.5, {directory}/tool"


async def test_the_first_program_that_is_there_counts(directory):
    program(directory, "second", "echo 2.0")
    assert await look("first", "second") == f"2.0, {directory}/second"


async def test_a_program_that_is_not_there_is_told_how_to_get(directory):
    with pytest.raises(CheckFailed, match="not found") as failed:
        await look("tool")
    assert failed.value.mend == "install it"


async def test_a_version_that_is_too_old_fails(directory):
    program(directory, "tool", "echo 'openjdk version \"11.0.2\"'")
    with pytest.raises(CheckFailed, match=r"11.0.2, expected 17 or later"):
        await look("tool", least=17)
    program(directory, "tool", "echo 'openjdk version \"21\"'")
    assert (await look("tool", least=17)).startswith("21,")


async def test_a_program_that_tells_no_version_fails(directory):
    program(directory, "tool", "echo hello")
    with pytest.raises(CheckFailed, match="does not tell its version"):
        await look("tool")


async def test_a_program_that_hangs_is_ended(directory, monkeypatch):
    monkeypatch.setattr(programs, "VERSION_WITHIN_S", 0.1)
    program(directory, "tool", "exec sleep 60")
    with pytest.raises(CheckFailed, match="does not tell its version"):
        await look("tool")


def test_no_program_is_required():
    assert {check.name for check in program_checks()} == {
        "Java",
        "Maven",
        "Mosquitto",
        "PostgreSQL",
        "Chromium",
        "Node",
        "kcat",
    }
    assert not any(check.required for check in program_checks())
