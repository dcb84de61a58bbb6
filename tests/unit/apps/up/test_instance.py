from __future__ import annotations

import os

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.up.instance import only_run_in


def test_a_second_run_in_the_same_directory_is_refused_with_the_pid_of_the_first(tmp_path):
    with (
        only_run_in(tmp_path),
        pytest.raises(UsageError, match=rf"already running in .* \(pid {os.getpid()}\)"),
        only_run_in(tmp_path),
    ):
        raise AssertionError("two runs at once")


def test_the_directory_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with only_run_in(tmp_path / "data"):
            assert (tmp_path / "data").is_dir()


def test_two_directories_are_two_runs(tmp_path):
    with only_run_in(tmp_path / "a"), only_run_in(tmp_path / "b"):
        pass


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match=r"--data-dir .*file.*data: cannot be written to"),
        only_run_in(tmp_path / "file" / "data"),
    ):
        pass
