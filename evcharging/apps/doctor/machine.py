"""Python, packages, limits, ports and disk."""

from __future__ import annotations

import importlib
import platform
import re
import resource
import shutil
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from evcharging.apps.doctor.check import Check, CheckFailed
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.http import bind
from evcharging.apps.up.addresses import Addresses

__all__ = ["machine_checks"]

HOST = "127.0.0.1"
OLDEST_PYTHON = (3, 11)
FEWEST_OPEN_FILES = 1024
COMFORTABLE_OPEN_FILES = 16_384
LEAST_FREE_BYTES = 200 * 1024 * 1024
PORTS = {
    8000: ("Central, HTTP", "--http-port"),
    9999: ("Central, TCP control plane", "--listen-port"),
    8001: ("engine health", "--health-port"),
    9092: ("Kafka", "--kafka-port"),
    1883: ("MQTT", "--mqtt-port"),
    29536: ("CAN hub", "--can-port"),
    9000: ("OCPP gateway, WebSocket", "--ws-port"),
    9101: ("OCPP gateway, HTTP", "--gateway-http-port"),
    9100: ("swarm metrics", "--metrics-port"),
}
MODULES = {
    "argon2-cffi": "argon2",
    "confluent-kafka": "confluent_kafka",
    "hdrhistogram": "hdrh",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
    "python-can": "can",
    "pyyaml": "yaml",
    "python-dotenv": "dotenv",
}
"""Where the name that is installed is not the one that is imported."""


def machine_checks(data_dir: Path) -> list[Check]:
    """The checks of what is there before anything is started."""

    async def look_at_packages() -> str:
        return look_at_requirements(declared_requirements())

    async def look_at_data_dir() -> str:
        return look_at_directory(data_dir)

    async def look_at_files() -> str:
        return look_at_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))

    async def look_at_port_numbers() -> str:
        return look_at_ports(Addresses.read(data_dir))

    async def look_at_this_python() -> str:
        return look_at_python(sys.version_info[:3])

    return [
        Check("Python", look_at_this_python),
        Check("packages", look_at_packages),
        Check("open files", look_at_files),
        Check("data directory", look_at_data_dir),
        Check("ports", look_at_port_numbers, needed_for="the usual addresses; up takes the next free port"),
    ]


def look_at_python(version: tuple[int, ...]) -> str:
    """Raises `CheckFailed` for a Python older than 3.11."""
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        raise CheckFailed(
            f"{shown}, expected 3.11 or later",
            mend="make the virtual environment with a newer one: python3.11 -m venv .venv",
        )
    return f"{shown}, {platform.python_implementation()}"


def declared_requirements() -> list[Requirement]:
    """What the project asks for: by its installed metadata, else by pyproject.toml beside the sources."""
    try:
        texts = metadata.requires("evcharging") or []
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[3] / "pyproject.toml"
        texts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    requirements = [Requirement(text) for text in texts]
    return [wanted for wanted in requirements if wanted.marker is None or wanted.marker.evaluate({"extra": ""})]


def look_at_requirements(requirements: list[Requirement]) -> str:
    """Raises `CheckFailed` naming each package that is missing, has another version, or cannot be imported."""
    wrong = [told for wanted in requirements if (told := _wrong(wanted)) is not None]
    if wrong:
        raise CheckFailed("; ".join(wrong), mend="install them into this environment: pip install -r requirements.txt")
    return f"{len(requirements)} at the versions asked for"


def look_at_open_files(soft: int, hard: int) -> str:
    """Raises `CheckFailed` where even the hard limit would not do."""
    if hard != resource.RLIM_INFINITY and hard < FEWEST_OPEN_FILES:
        raise CheckFailed(
            f"at most {hard}, expected {FEWEST_OPEN_FILES} or more",
            mend=f"raise the limit: ulimit -Hn {COMFORTABLE_OPEN_FILES}, or nofile in /etc/security/limits.conf",
        )
    limit = "no limit" if hard == resource.RLIM_INFINITY else f"{hard}"
    return f"{limit} (services raise their soft limit, {soft} here, to it)"


def look_at_directory(data_dir: Path) -> str:
    """Raises `CheckFailed` where nothing can be written, or little room is left. Leaves nothing behind."""
    place = data_dir.absolute()
    while not place.exists():
        place = place.parent
    mend = f"give another directory with --data-dir, or mend the permissions of {place}"
    if not place.is_dir():
        raise CheckFailed(f"{place} is a file", mend=mend)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise CheckFailed(f"{place} cannot be written to ({error.strerror})", mend=mend) from None
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        raise CheckFailed(
            f"{free // 2**20} MiB free in {place}, expected {LEAST_FREE_BYTES // 2**20} or more",
            mend="make room, or give another directory with --data-dir",
        )
    return f"{data_dir} can be written to, {free / 2**30:.1f} GiB free"


def look_at_ports(running: Addresses | None) -> str:
    """Raises `CheckFailed` naming the usual ports that are taken; those of a run of ours are not a finding."""
    ours = _ports_of(running) if running is not None else set()
    taken = [port for port in PORTS if port not in ours and not _is_free(port)]
    if taken:
        flags = ", ".join(PORTS[port][1] for port in taken)
        raise CheckFailed(
            "taken: " + ", ".join(f"{port} ({PORTS[port][0]})" for port in taken),
            mend=f"see what uses them (ss -ltnp), or choose others: {flags}",
        )
    shown = ", ".join(map(str, PORTS))
    if running is not None:
        return f"{shown}: free, or used by the run that is up (pid {running.pid})"
    return f"{shown}: free"


def _wrong(wanted: Requirement) -> str | None:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is not installed"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"{wanted.name} {version} is installed, expected {wanted.specifier}"
    try:
        importlib.import_module(MODULES.get(wanted.name.lower(), wanted.name.lower().replace("-", "_")))
    except ImportError as error:
        return f"{wanted.name} {version} cannot be imported ({error})"
    return None


def _is_free(port: int) -> bool:
    try:
        with bind(HOST, port, flag=""):
            return True
    except UsageError:
        return False


def _ports_of(running: Addresses) -> set[int]:
    told = running.model_dump(include={"http", "kafka", "mqtt", "can", "tcp", "ocpp", "gateway_http", "engine_health"})
    return {int(port) for address in (*told.values(), *running.swarm_metrics) for port in _PORT.findall(address)}


_PORT = re.compile(r":(\d+)(?:/.*)?$")
