from __future__ import annotations

import resource
import socket

import pytest
from packaging.requirements import Requirement

from evcharging.apps.doctor import machine
from evcharging.apps.doctor.check import CheckFailed
from evcharging.apps.doctor.machine import (
    declared_requirements,
    look_at_directory,
    look_at_open_files,
    look_at_ports,
    look_at_python,
    look_at_requirements,
    machine_checks,
)
from evcharging.apps.up.addresses import Addresses


def test_python_3_11_will_do_and_an_older_one_will_not():
    assert look_at_python((3, 11, 0)).startswith("3.11.0")
    with pytest.raises(CheckFailed, match=r"3.10.14, expected 3.11 or later"):
        look_at_python((3, 10, 14))


def test_what_the_project_asks_for_is_installed_here():
    requirements = declared_requirements()
    assert "aiokafka" in {wanted.name for wanted in requirements}
    assert look_at_requirements(requirements) == f"{len(requirements)} at the versions asked for"


def test_extras_are_not_asked_for():
    assert "msgpack" not in {wanted.name for wanted in declared_requirements()}


def test_without_an_installed_package_the_requirements_are_read_from_the_sources(monkeypatch):
    installed = {str(wanted) for wanted in declared_requirements()}

    def not_installed(_name):
        raise machine.metadata.PackageNotFoundError

    monkeypatch.setattr(machine.metadata, "requires", not_installed)
    assert {wanted.name for wanted in declared_requirements()} == {Requirement(text).name for text in installed}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("no-such-package>=1", "no-such-package is not installed"),
        ("pydantic>=99", r"pydantic [\d.]+ is installed, expected >=99"),
    ],
)
def test_a_package_that_is_missing_or_of_another_version_is_named(asked, told):
    with pytest.raises(CheckFailed, match=told) as failed:
        look_at_requirements([Requirement("pydantic"), Requirement(asked)])
    assert "pip install" in failed.value.mend


def test_a_package_that_is_there_and_cannot_be_imported_is_named(monkeypatch):
    monkeypatch.setitem(machine.MODULES, "pydantic", "no_such_module")
    with pytest.raises(CheckFailed, match=r"pydantic .* cannot be imported \(No module named 'no_such_module'\)"):
        look_at_requirements([Requirement("pydantic")])


def test_a_hard_limit_that_is_too_low_is_told_with_the_command_that_mends_it():
    with pytest.raises(CheckFailed, match="at most 256, expected 1024 or more") as failed:
        look_at_open_files(256, 256)
    assert "ulimit" in failed.value.mend


def test_a_low_soft_limit_is_no_finding_since_services_raise_it():
    assert look_at_open_files(256, 20_000).startswith("20000")
    assert look_at_open_files(256, resource.RLIM_INFINITY).startswith("no limit")


def test_looking_at_the_data_directory_leaves_nothing_behind(tmp_path):
    assert "can be written to" in look_at_directory(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_is_a_file_fails(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckFailed, match="is a file"):
        look_at_directory(tmp_path / "file")


def test_a_full_disk_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 2**80)
    with pytest.raises(CheckFailed, match="MiB free"):
        look_at_directory(tmp_path)


def test_a_port_that_is_taken_is_named_with_the_flag_that_chooses_another(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(machine, "PORTS", {port: ("Central, HTTP", "--http-port")})
        with pytest.raises(CheckFailed, match=rf"taken: {port} \(Central, HTTP\)") as failed:
            look_at_ports(None)
        assert "--http-port" in failed.value.mend


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("http", "http://127.0.0.1:{}"),
        ("can", "hub://127.0.0.1:{}"),
        ("tcp", "127.0.0.1:{}"),
        ("ocpp", "ws://127.0.0.1:{}/ocpp"),
        ("gateway_http", "http://127.0.0.1:{}"),
        ("swarm_metrics", ["http://127.0.0.1:{}/metrics"]),
    ],
)
def test_a_port_that_our_own_run_has_taken_is_no_finding(monkeypatch, field, address):
    elsewhere = dict.fromkeys(("http", "kafka", "mqtt", "can", "tcp", "ocpp", "engine_health", "database"), "at:1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(machine, "PORTS", {port: ("Central, HTTP", "--http-port")})
        ours = address.format(port) if isinstance(address, str) else [one.format(port) for one in address]
        running = Addresses.model_validate({**elsewhere, "pid": 77, field: ours})
        assert "pid 77" in look_at_ports(running)


def test_taken_ports_stop_nothing():
    optional = {check.name for check in machine_checks(machine.Path()) if not check.required}
    assert optional == {"ports"}
