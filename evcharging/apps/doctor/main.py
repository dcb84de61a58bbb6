"""``evcharging doctor``: looks at this machine and says what is missing and how to mend it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from evcharging.apps.doctor.check import Verdict, run_checks
from evcharging.apps.doctor.machine import machine_checks
from evcharging.apps.doctor.programs import program_checks
from evcharging.apps.doctor.round_trips import round_trip_checks
from evcharging.apps.runtime.commands import run_commands
from evcharging.apps.runtime.errors import EXIT_GAVE_UP, EXIT_OK
from evcharging.apps.runtime.logs import configure_logging
from evcharging.apps.up.addresses import DATA_DIR

__all__ = ["main", "verdict_as_json"]

NAME_WIDTH = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Check and return the exit code: 0 where everything required passed, 1 otherwise, 2 bad usage."""
    configure_logging(level="error", log_format="text", who="doctor", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return run_commands(app, "evcharging doctor", argv)


@app.command()
def doctor(
    data_dir: Annotated[Path, typer.Option(metavar="DIR", help="Data directory of evcharging up.")] = DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> int:
    """Check this machine, with how to mend what fails."""
    console = Console(highlight=False)
    checks = [*machine_checks(data_dir), *round_trip_checks(), *program_checks()]
    verdicts = asyncio.run(run_checks(checks, (lambda _verdict: None) if as_json else _printer(console)))
    failed = [verdict for verdict in verdicts if verdict.check.required and not verdict.passed]
    if as_json:
        sys.stdout.write(
            json.dumps({"ok": not failed, "checks": list(map(verdict_as_json, verdicts))}, indent=2) + "\n"
        )
    elif failed:
        console.print(Text(f"\n{len(failed)} required failed: mend what is marked FAIL.", "bold red"))
    else:
        console.print(Text("\nEverything required is here: evcharging up", "bold green"))
    return EXIT_GAVE_UP if failed else EXIT_OK


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict for programs."""
    return {
        "name": verdict.check.name,
        "required": verdict.check.required,
        "needed_for": verdict.check.needed_for or "everything",
        "passed": verdict.passed,
        "detail": verdict.detail,
        "mend": verdict.mend,
    }


def _printer(console: Console) -> Any:
    def show(verdict: Verdict) -> None:
        line = Text()
        if verdict.passed:
            line.append("ok    ", "green")
        elif verdict.check.required:
            line.append("FAIL  ", "bold red")
        else:
            line.append("-     ", "yellow")
        line.append(f"{verdict.check.name:<{NAME_WIDTH}}", "bold")
        line.append(verdict.detail)
        if not verdict.passed and verdict.check.needed_for is not None:
            line.append(f" (needed for {verdict.check.needed_for})", "dim")
        console.print(line, soft_wrap=True)
        if verdict.mend is not None:
            console.print(Text(f"{'':<{NAME_WIDTH + 6}}mend: {verdict.mend}", "yellow"), soft_wrap=True)

    return show


if __name__ == "__main__":
    sys.exit(main())
