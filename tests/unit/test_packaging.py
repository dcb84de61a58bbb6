"""What is installed, what is configured, and what the containers are told, held against the code."""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.settings import ServiceSettings
from tests.support.env_example import rendered, service_settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker/docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("evcharging:")}
THEIRS = {name: service for name, service in COMPOSE["services"].items() if name not in OURS}
FOUND_BY_NAME = {"asyncpg", "ocpp", "websockets"}
"""Dependencies that another one imports when a URL or a protocol asks for it, or whose files alone are read."""
REQUIRED_FLAGS = {
    "monitor": ["--cp-id", "CP-001"],
    "driver": ["--driver-id", "driver-alice"],
    "swarm": ["--csms-url", "ws://localhost:9000/ocpp"],
}


@pytest.fixture(autouse=True)
def _without_a_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# Dependencies


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_line_of_the_requirements_is_a_pin_in_alphabetical_order(file: str) -> None:
    lines = [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines), lines
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0].lower())


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (PROJECT["project"]["dependencies"], ["requirements.txt"]),
        (PROJECT["dependency-groups"]["dev"], ["requirements.txt", "requirements-dev.txt"]),
    ],
    ids=["run", "dev"],
)
def test_what_the_project_asks_for_is_pinned_within_its_range(wanted: list[str], files: list[str]) -> None:
    pinned = {canonicalize_name(name): version for file in files for name, version in pins(file).items()}
    for requirement in map(Requirement, wanted):
        assert Version(pinned[canonicalize_name(requirement.name)]) in requirement.specifier, requirement


def test_nothing_is_pinned_twice() -> None:
    assert not pins("requirements.txt").keys() & pins("requirements-dev.txt").keys()


def test_the_dependencies_are_what_the_code_imports() -> None:
    providers = packages_distributions()
    imported = {
        canonicalize_name(provider)
        for package in packages_imported_by(ROOT / "evcharging")
        for provider in providers.get(package, [package])
    }
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    assert imported - {"pydantic-core"} == declared - FOUND_BY_NAME  # pydantic pins its core


def packages_imported_by(folder: Path) -> set[str]:
    packages = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                packages.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                packages.add(node.module.partition(".")[0])
    return packages - sys.stdlib_module_names - {"evcharging"}


# .env.example


def test_the_example_names_every_setting_of_every_service() -> None:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert shown == rendered(), "settings have changed; run: make env-example"


def test_the_example_as_it_stands_sets_nothing() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("#") for line in lines if line)


@pytest.mark.parametrize("service", [name for name in service_settings() if name != "up"])
def test_taking_every_comment_sign_away_leaves_each_service_at_its_defaults(tmp_path: Path, service: str) -> None:
    settings, flags = service_settings()[service], REQUIRED_FLAGS.get(service, [])
    untouched = settings.load(flags, environ={})
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"(?m)^#(?=[A-Z_]+=)", "", example), encoding="utf-8")
    assert settings.load(flags, environ={}) == untouched


# The containers


def settings_of(service: dict[str, Any]) -> type[ServiceSettings]:
    return service_settings()[service["command"][0]]


def environment_of(service: dict[str, Any], **variables: str) -> dict[str, str]:
    """What compose gives the container, with what docker/.env must hold and perhaps more."""
    secrets = {"CENTRAL_API_TOKEN": "t0ken", "POSTGRES_PASSWORD": "s3cret", "OCPP_STATION_PASSWORD": "p4ssword" * 5}
    given = {**secrets, **variables}

    def resolve(match: re.Match[str]) -> str:
        name, how, text = match.groups()
        if how != "-" and name not in given:
            raise AssertionError(f"{match[0]}: nothing sets it")
        return given.get(name) or text or ""

    resolved = {
        name: re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", resolve, value)
        for name, value in service["environment"].items()
    }
    assert not [value for value in resolved.values() if "$" in value]
    return resolved


def loaded(name: str, **variables: str) -> Any:
    service = OURS[name]
    return settings_of(service).load([], environ=environment_of(service, **variables))


@pytest.mark.parametrize("name", OURS)
def test_a_container_is_told_nothing_but_settings_of_its_service(name: str) -> None:
    settings = settings_of(OURS[name])
    known = {variable for field in settings.model_fields for variable in (settings.variable_of(field),)}
    assert OURS[name]["environment"].keys() <= known
    loaded(name)


def test_a_misspelt_setting_would_be_noticed() -> None:
    service = OURS["ev-central"]
    misspelt = environment_of(service) | {"CENTRAL_HTPP_PORT": "8000"}
    with pytest.raises(UsageError, match="CENTRAL_HTPP_PORT .* did you mean CENTRAL_HTTP_PORT"):
        settings_of(service).load([], environ=misspelt)


def test_every_service_finds_the_brokers_where_they_listen() -> None:
    advertised = THEIRS["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for name in OURS:
        settings = loaded(name)
        if "kafka_bootstrap" in type(settings).model_fields:
            assert f"NETWORK://{settings.kafka_bootstrap}," in advertised
        if "mqtt" in type(settings).model_fields:
            assert settings.mqtt == "mqtt://mosquitto:1883"


@pytest.mark.parametrize(
    ("monitor", "engine"),
    [("ev-cp-m-1", "ev-cp-e-1"), ("ev-cp-m-2", "ev-cp-e-2"), ("ev-cp-m-more", "ev-cp-e-more")],
)
@pytest.mark.parametrize("charge_points", [2, 5])
def test_each_monitor_watches_the_engine_that_has_its_charge_points(
    tmp_path: Path, monitor: str, engine: str, charge_points: int
) -> None:
    variables = prepared(tmp_path, charge_points)
    watching, watched, charger = (loaded(name, **variables) for name in (monitor, engine, "ev-charger"))
    assert tuple(watching.cp_id) == watched.cp_ids
    assert (watching.cp_e_host, watching.cp_e_port) == (engine, watched.health_port)
    assert watched.can == f"hub://ev-charger:{charger.hub_port}"
    if engine != "ev-cp-e-more" or variables.get("COMPOSE_PROFILES"):
        assert set(watched.cp_ids) <= set(charger.names)
    central = loaded("ev-central", **variables)
    assert (watching.central_host, watching.central_port) == ("ev-central", central.http_port)
    assert watching.api_token == central.api_token


def test_simulated_stations_know_the_gateway_and_its_password() -> None:
    gateway, swarm = loaded("ev-gateway"), loaded("ev-swarm")
    assert swarm.csms_url == f"ws://ev-gateway:{gateway.ws_port}/ocpp"
    assert swarm.csms_password == gateway.station_password
    assert swarm.csms_password is not None


def test_central_and_the_migration_share_the_database_that_is_there() -> None:
    database = THEIRS["postgres"]["environment"]
    url = f"postgresql://{database['POSTGRES_USER']}:s3cret@postgres:5432/{database['POSTGRES_DB']}"
    assert loaded("ev-central").database == loaded("migrate").database == loaded("ev-gateway").database == url
    assert loaded("migrate").gateway_database == url


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_no_more_than_they_must(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_the_image_runs_as_no_privileged_user() -> None:
    users = re.findall(r"(?m)^USER (\S+)$", DOCKERFILE)
    assert users
    assert not users[-1].startswith(("root", "0"))


def test_every_image_is_pinned_to_a_version() -> None:
    images = [service["image"] for service in THEIRS.values()] + re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)
    assert len(images) == 5
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_both_stages_of_the_image_have_the_same_python() -> None:
    assert len(set(re.findall(r"(?m)^FROM (\S+)", DOCKERFILE))) == 1


def test_the_builder_is_given_what_the_dockerfile_copies_and_no_more() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = {line[1:] for line in ignore if line.startswith("!")}
    copied = {source for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE) for source in line.split()[:-1]}
    assert "*" in ignore
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_ports_are_published_to_this_machine_alone() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_whoever_is_waited_for_to_be_healthy_says_when_it_is() -> None:
    for service in COMPOSE["services"].values():
        for needed, how in service.get("depends_on", {}).items():
            target = COMPOSE["services"][needed]
            assert how["condition"] != "service_healthy" or "healthcheck" in target
            assert how["condition"] != "service_completed_successfully" or target["command"] == ["migrate"]


def test_volumes_are_declared_and_mounted_files_are_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / "docker" / source).exists()


# docker/prepare.sh


def prepare(folder: Path, *arguments: str, volume_exists: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script on a machine whose docker only knows whether there is a volume."""
    (folder / "bin").mkdir(exist_ok=True)
    docker = folder / "bin" / "docker"
    docker.write_text(f"#!/bin/sh\nexit {0 if volume_exists else 1}\n", encoding="ascii")
    docker.chmod(0o755)
    script = folder / "prepare.sh"
    script.write_text((ROOT / "docker/prepare.sh").read_text(encoding="utf-8"), encoding="utf-8")
    return subprocess.run(
        ["sh", str(script), *arguments],
        env={"PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def prepared(folder: Path, charge_points: int) -> dict[str, str]:
    ended = prepare(folder, str(charge_points))
    assert ended.returncode == 0, ended.stderr
    return variables_in(folder)


def variables_in(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / ".env").read_text(encoding="ascii").splitlines())


def test_the_secrets_that_compose_requires_are_made_up_for_the_owner_alone(tmp_path: Path) -> None:
    ended = prepare(tmp_path)
    text = (ROOT / "docker/docker-compose.yml").read_text(encoding="utf-8")
    assert variables_in(tmp_path).keys() == set(re.findall(r"\$\{(\w+):\?", text))
    assert all(re.fullmatch(r"[0-9a-f]{40}", secret) for secret in variables_in(tmp_path).values())
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert (ended.stdout, ended.stderr) == ("", "")


def test_what_was_set_before_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EVCHARGING_HTTP_PORT=8080\nCENTRAL_API_TOKEN=mine\n", encoding="ascii")
    prepare(tmp_path, "4")
    before = variables_in(tmp_path)
    prepare(tmp_path)
    assert variables_in(tmp_path) == before
    assert (before["EVCHARGING_HTTP_PORT"], before["CENTRAL_API_TOKEN"]) == ("8080", "mine")


def test_charge_points_can_be_added_and_taken_away(tmp_path: Path) -> None:
    assert prepared(tmp_path, 4)["COMPOSE_PROFILES"] == "more"
    assert "COMPOSE_PROFILES" not in prepared(tmp_path, 2)


@pytest.mark.parametrize("wanted", ["1", "100", "03", "three", "-2"])
def test_a_number_of_charge_points_that_cannot_be_is_refused(tmp_path: Path, wanted: str) -> None:
    ended = prepare(tmp_path, wanted)
    assert ended.returncode == 2
    assert f"CHARGE_POINTS={wanted}: expected a number from 2 to 99" in ended.stderr


def test_a_new_password_for_a_database_that_has_one_already_is_refused(tmp_path: Path) -> None:
    ended = prepare(tmp_path, volume_exists=True)
    assert ended.returncode == 2
    assert "make clean" in ended.stderr
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=known\n", encoding="ascii")
    assert prepare(tmp_path, volume_exists=True).returncode == 0
