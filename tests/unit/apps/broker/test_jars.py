from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from evcharging.apps.broker.jars import POM, KafkaJarsMissing, kafka_jars

MAKES_JARS = """
for argument; do case $argument in -DoutputDirectory=*) into=${argument#-DoutputDirectory=};; esac; done
/bin/mkdir -p $into; : > $into/kafka.jar
"""
NAME = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]


def program(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, in front of the shell's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def test_without_java_it_says_how_to_get_it(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(KafkaJarsMissing, match="no java on the PATH; install it"):
        kafka_jars(tmp_path)


def test_a_java_that_is_too_old_is_named(programs: Path, tmp_path: Path) -> None:
    program(programs, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    with pytest.raises(KafkaJarsMissing, match=r"Java 17 or later, got .*11\.0\.2"):
        kafka_jars(tmp_path)


def test_without_maven_it_says_how_to_get_it(programs: Path, tmp_path: Path) -> None:
    program(programs, "java", "echo 'openjdk version \"17.0.1\"' >&2")
    with pytest.raises(KafkaJarsMissing, match="no mvn on the PATH"):
        kafka_jars(tmp_path)


def test_jars_are_fetched_once(programs: Path, tmp_path: Path) -> None:
    program(programs, "java", "echo 'openjdk version \"21\"' >&2")
    program(programs, "mvn", f'echo "$@" >> {tmp_path}/calls; {MAKES_JARS}')
    jars = kafka_jars(tmp_path / "cache")
    assert jars == kafka_jars(tmp_path / "cache")
    assert jars.name == NAME
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert (jars / "kafka.jar").exists()
    assert "kafka-pom.xml dependency:copy-dependencies" in call


def test_a_fetch_that_failed_is_told_and_tried_again(programs: Path, tmp_path: Path) -> None:
    program(programs, "java", "echo 'openjdk version \"17\"' >&2")
    program(programs, "mvn", "echo no route to the repository; exit 1")
    with pytest.raises(KafkaJarsMissing, match="no route to the repository"):
        kafka_jars(tmp_path / "cache")
    program(programs, "mvn", MAKES_JARS)
    assert (kafka_jars(tmp_path / "cache") / "kafka.jar").exists()


def test_the_pom_asks_for_kafka_4() -> None:
    assert b"<artifactId>kafka_2.13</artifactId>\n      <version>4." in POM.read_bytes()
    assert os.path.basename(str(POM)) == "kafka-pom.xml"  # noqa: PTH119 - a resource need not be a path
