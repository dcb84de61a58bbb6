"""Writes ``.env.example`` from the settings of every service: ``make env-example``. A test holds the file to it."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import textwrap
from typing import Final

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

import evcharging.apps
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.cli import COMMANDS

__all__ = ["rendered", "service_settings"]

WIDTH: Final = 119
HEADER: Final = """\
# Settings of every service, each with its default. Copy this file to .env, then take the leading # away from what you
# change. A flag wins over the environment, the environment over .env, and .env over the YAML file of --config (or of
# EVCHARGING_CONFIG). What follows a # behind a value is a comment. Secrets have no default, and none is set here.
#
# `evcharging up` gives its services their addresses itself; the containers are set in docker/docker-compose.yml.
"""


def service_settings() -> dict[str, type[ServiceSettings]]:
    """The settings of every service by subcommand: in the order of the command line, the runs of several at the end."""
    found: dict[str, type[ServiceSettings]] = {}
    for app in pkgutil.iter_modules(evcharging.apps.__path__, "evcharging.apps."):
        if importlib.util.find_spec(f"{app.name}.settings") is not None:
            module = importlib.import_module(f"{app.name}.settings")
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, ServiceSettings) and "prefix" in vars(value):
                    found[value.service] = value
    rank = {command.name: (command.panel == "Runs", number) for number, command in enumerate(COMMANDS)}
    return dict(sorted(found.items(), key=lambda item: rank.get(item[0], (True, len(rank)))))


def rendered() -> str:
    """The whole file. A variable that several services read stands where it is met first."""
    written: set[str] = set()
    blocks = [HEADER]
    for service, settings in service_settings().items():
        lines = _comment(f"evcharging {service}: {settings.summary}")
        variables = {settings.variable_of(name): field for name, field in settings.model_fields.items()}
        for variable in [variable for variable in variables if variable not in written]:
            field = variables[variable]
            lines.append(f"#{variable}={_shown(field.get_default(call_default_factory=True))} # {field.description}")
        if shared := [variable for variable in variables if variable in written]:
            lines += _comment(f"It reads these of the above too: {', '.join(shared)}.")
        written.update(variables)
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _shown(default: object) -> str:
    if default is PydanticUndefined or default is None or isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list | tuple):
        return ",".join(str(item) for item in default)
    return str(default)


if __name__ == "__main__":
    sys.stdout.write(rendered())
