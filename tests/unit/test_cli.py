from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
from importlib.metadata import version

import pytest

from evcharging import cli

HEAVY = (
    "aiokafka",
    "alembic",
    "amqtt",
    "can",
    "confluent_kafka",
    "fastapi",
    "httpx",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
)


def modules_after(*arguments: str) -> set[str]:
    """The modules that a fresh interpreter has loaded once the command line has run."""
    code = (
        "import sys; from evcharging.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n'.join(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stderr.splitlines())


def test_help_loads_no_service_and_no_heavy_library():
    loaded = modules_after("--help")
    assert not loaded & set(HEAVY)
    assert not [name for name in loaded if name.startswith("evcharging.apps.") and "runtime" not in name]


def test_one_service_does_not_load_another():
    loaded = {name.split(".")[2] for name in modules_after("broker", "--help") if name.startswith("evcharging.apps.")}
    assert loaded == {"broker", "runtime"}


@pytest.mark.parametrize("subcommand", cli.COMMANDS, ids=lambda subcommand: subcommand.name)
def test_every_subcommand_has_its_module(subcommand):
    assert importlib.util.find_spec(subcommand.module) is not None


def test_the_arguments_and_the_exit_code_are_handed_on_as_they_are(monkeypatch):
    seen = []
    service = types.ModuleType("a_service")
    service.main = lambda argv: seen.append(argv) or 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evcharging.apps.ev_central.main", service)
    assert cli.main(["central", "--help", "--http-port", "1", "-x"]) == 3
    assert seen == [["--help", "--http-port", "1", "-x"]]


def test_alone_it_shows_its_help(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert all(subcommand.name in out for subcommand in cli.COMMANDS)


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_that_of_the_installed_package(arguments, capsys):
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.strip() == version("evcharging")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["centrl"], "evcharging: No such command 'centrl'. Did you mean 'central'?"),
        (["gateways-of-all-kinds"], "evcharging: No such command 'gateways-of-all-kinds'; see evcharging --help"),
        (["--nope"], "evcharging: No such option: --nope; see evcharging --help"),
    ],
)
def test_bad_usage_is_2_with_one_line(arguments, told, capsys):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == told + "\n"


def test_bad_usage_of_a_service_is_2_with_one_line_of_the_services(capsys):
    assert cli.main(["broker", "--prot", "1"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("evcharging broker: ")
    assert told.count("\n") == 1


def test_the_package_runs_as_a_module():
    run = subprocess.run([sys.executable, "-m", "evcharging", "version"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == version("evcharging")
