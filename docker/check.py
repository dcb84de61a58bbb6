"""Check the container files with the tools made for it: hadolint for the Dockerfile, compose for the compose file.

Prints a line for each check and exits 1 if one failed. What the compose file says of our services is checked by the
tests (tests/unit/test_packaging.py), which need neither tool. Never starts a container.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
COMPOSE_FILE = HERE / "docker-compose.yml"
SECRETS = ("CENTRAL_API_TOKEN", "POSTGRES_PASSWORD", "OCPP_STATION_PASSWORD")
TIMEOUT_S = 60


def main() -> int:
    """Run every check; 1 if any failed or could not be made, 0 otherwise."""
    problems = {
        "Dockerfile": check_dockerfile(HERE / "Dockerfile"),
        COMPOSE_FILE.name: check_compose(COMPOSE_FILE, compose_command()),
    }
    for name, problem in problems.items():
        sys.stdout.write(f"{name}: {problem or 'ok'}\n")
    return 1 if any(problems.values()) else 0


def check_dockerfile(path: Path) -> str | None:
    """What hadolint says against the file; None where it says nothing."""
    hadolint = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if hadolint is None:
        return "hadolint is missing; it is in requirements-dev.txt"
    return _problem([hadolint, str(path)])


def check_compose(path: Path, compose: Sequence[str] | None) -> str | None:
    """What compose says against the file, with every profile on; also where it accepts the file without a secret."""
    if compose is None:
        return "neither `docker compose` nor `docker-compose` is here (Debian: apt install docker-compose)"
    with tempfile.TemporaryDirectory() as folder:
        no_variables, file = Path(folder, "empty.env"), Path(folder, path.name)
        no_variables.touch()
        file.write_text(_for_version(path, _run([*compose, "version", "--short"]).stdout), encoding="utf-8")
        options = ["--file", str(file), "--project-directory", str(path.parent), "--env-file", str(no_variables)]
        return _compose_problem([*compose, *options, "--profile", "more", "config", "--quiet"])


def _for_version(path: Path, version: str) -> str:
    """The file as that version of compose knows it: the schema of 1.29 has no project name and no pids limit."""
    text = path.read_text(encoding="utf-8")
    if not version.startswith("1."):
        return text
    content = yaml.safe_load(text)
    del content["name"]
    for service in content["services"].values():
        service["deploy"]["resources"]["limits"].pop("pids", None)  # YAML anchors share one mapping among services
    return yaml.safe_dump(content)


def _compose_problem(config: Sequence[str]) -> str | None:
    secrets = dict.fromkeys(SECRETS, "0123456789abcdef")
    if problem := _problem(config, secrets):
        return problem
    for name in SECRETS:
        if _problem(config, secrets | {name: ""}) is None:
            return f"it is accepted without {name}; expected ${{{name}:?…}}"
    return None


def compose_command() -> Sequence[str] | None:
    """How compose is called on this machine: as docker's plugin or alone; None: not there."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _run([*command, "version", "--short"]).returncode == 0:
            return command
    return None


def _problem(command: Sequence[str], environment: dict[str, str] | None = None) -> str | None:
    ended = _run(command, environment)
    told = (ended.stdout + ended.stderr).strip()
    return None if ended.returncode == 0 else told or f"{command[0]} ended with {ended.returncode}"


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the commands above
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env=os.environ | (environment or {}),
    )


if __name__ == "__main__":
    sys.exit(main())
