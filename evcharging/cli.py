"""The root command ``evcharging``: finds the subcommand and hands its arguments on.

Imports a subcommand's module only when that subcommand is run, so that help is quick and one service never loads
another. Every subcommand is a ``main(argv) -> exit code`` of its own with its own ``--help``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from evcharging.apps.runtime.commands import help_alone, run_commands

__all__ = ["COMMANDS", "Subcommand", "main"]


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand: ``module`` has its ``main(argv) -> exit code``."""

    name: str
    module: str
    summary: str
    panel: str


SERVICES = "Services"
RUNS = "Runs"
TOOLS = "Tools"

COMMANDS = (
    Subcommand("up", "evcharging.apps.up.main", "Start everything on this machine, and stay until Ctrl-C.", RUNS),
    Subcommand("central", "evcharging.apps.ev_central.main", "The central controller.", SERVICES),
    Subcommand("engine", "evcharging.apps.ev_cp_e.main", "The engine of one or more charge points.", SERVICES),
    Subcommand("monitor", "evcharging.apps.ev_cp_m.main", "The health monitor of charge points.", SERVICES),
    Subcommand("driver", "evcharging.apps.ev_driver.main", "A driver who works through a requests file.", SERVICES),
    Subcommand("gateway", "evcharging.apps.ocpp_gateway.main", "The OCPP gateway, or a CSMS of its own.", SERVICES),
    Subcommand("charger", "evcharging.apps.charger.main", "The charger's CAN nodes, with their hub.", SERVICES),
    Subcommand("swarm-worker", "evcharging.apps.swarm.main", "A worker of the swarm: simulated stations.", SERVICES),
    Subcommand("swarm", "evcharging.apps.load_run.main", "A load run: OCPP stations against any CSMS.", RUNS),
    Subcommand("station", "evcharging.apps.station.main", "One OCPP station, its log on the terminal.", RUNS),
    Subcommand("broker", "evcharging.apps.broker.main", "The embedded Kafka alone.", SERVICES),
    Subcommand("mqtt-broker", "evcharging.apps.mqtt_broker.main", "The embedded MQTT broker alone.", SERVICES),
    Subcommand("migrate", "evcharging.apps.migrate.main", "Bring the databases to their newest schemas.", TOOLS),
    Subcommand("topics", "evcharging.apps.topics.main", "Look into Kafka: list, tail.", TOOLS),
    Subcommand("can", "evcharging.apps.can_tools.main", "The virtual CAN bus: demo, monitor, send.", TOOLS),
    Subcommand("doctor", "evcharging.apps.doctor.main", "Check this machine, with how to mend what fails.", TOOLS),
)

PASS_EVERYTHING_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

app = typer.Typer(
    name="evcharging",
    help="An electric-vehicle charging network in a box.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; bad usage is 2, with one line on standard error."""
    return run_commands(app, "evcharging", argv)


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed  # noqa: PLC0415 - only when asked for

    return installed("evcharging")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    help_alone(context)


def _handing_on(subcommand: Subcommand) -> Callable[[typer.Context], int]:
    def run(context: typer.Context) -> int:
        service: Callable[[Sequence[str]], int] = importlib.import_module(subcommand.module).main
        return service(context.args)

    return run


for _subcommand in COMMANDS:
    app.command(
        _subcommand.name,
        help=_subcommand.summary,
        add_help_option=False,
        context_settings=PASS_EVERYTHING_ON,
        rich_help_panel=_subcommand.panel,
    )(_handing_on(_subcommand))


@app.command("version", rich_help_panel=TOOLS)
def _version_command() -> None:
    """Show the version."""
    typer.echo(version())


if __name__ == "__main__":
    sys.exit(main())
