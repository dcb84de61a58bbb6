"""Runs a command line made with Typer and turns whatever ends it into an exit code and, at most, one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from evcharging.apps.runtime.errors import EXIT_OK, ServiceError

__all__ = ["OutputClosed", "help_alone", "run_commands"]


class OutputClosed(Exception):
    """Raised by a command whose reader, such as head, has seen enough: it is done. Typer would make a failure of it."""


def run_commands(app: typer.Typer, name: str, argv: Sequence[str] | None = None) -> int:
    """Run ``app`` as the program ``name`` and return the exit code: what its command returned, 0 for None.

    Prints one line on standard error for bad usage (2) and for every `ServiceError` (its own code).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        outcome = typer.main.get_command(app).main(args=arguments, prog_name=name, standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        message = error.format_message()
        hint = "" if message.endswith("?") else f"; see {name} --help"
        sys.stderr.write(f"{name}: {message.rstrip('.')}{hint}\n")
        return error.exit_code
    except ServiceError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_OK
    except (BrokenPipeError, OutputClosed):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        return EXIT_OK
    return outcome if isinstance(outcome, int) else EXIT_OK


def help_alone(context: typer.Context) -> None:
    """The callback of a command that has subcommands: called without any, it shows its help."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
