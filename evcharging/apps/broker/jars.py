"""Apache Kafka's jars, fetched once with Maven into a cache; they need Java 17 or later to run."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

__all__ = ["DEFAULT_CACHE", "KafkaJarsMissing", "kafka_jars", "main"]

DEFAULT_CACHE = Path(".cache/kafka")
FETCH_TIMEOUT_S = 600
JAVA_AT_LEAST = 17
POM = files("evcharging.apps.broker").joinpath("kafka-pom.xml")


class KafkaJarsMissing(Exception):
    """Apache Kafka cannot be run here; the message says what is missing and how to get it."""


def kafka_jars(cache: Path = DEFAULT_CACHE) -> Path:
    """The directory that holds the jars, filled at first use.

    Raises:
        KafkaJarsMissing: there is no Java 17, no Maven, or Maven could not fetch them.
    """
    _check_java()
    pom = POM.read_bytes()
    jars = cache.resolve() / hashlib.sha256(pom).hexdigest()[:12]
    if not jars.exists():
        _fetch(jars)
    return jars


def main() -> int:
    """Fill the default cache and say where it is: 0; 1 where Apache Kafka cannot be run here."""
    try:
        sys.stdout.write(f"{kafka_jars()}\n")
    except KafkaJarsMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise KafkaJarsMissing(
            f"Apache Kafka needs Java {JAVA_AT_LEAST} or later, and there is no java on the PATH; install it "
            "(Debian: apt install openjdk-17-jre-headless), or leave out what is marked kafka"
        )
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        raise KafkaJarsMissing(f"Apache Kafka needs Java {JAVA_AT_LEAST} or later, got {told.strip()[:200]!r}")


def _fetch(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaJarsMissing(
            "Apache Kafka's jars are fetched with Maven, and there is no mvn on the PATH; install it (Debian: apt "
            "install maven), or leave out what is marked kafka"
        )
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as fetched_into, as_file(POM) as pom:
        arguments = [
            "--quiet",
            "--batch-mode",
            "--file",
            str(pom),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={fetched_into}/jars",
            "-DincludeScope=runtime",
        ]
        try:
            fetched = subprocess.run(  # noqa: S603
                [maven, *arguments], capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise KafkaJarsMissing(f"Maven did not fetch Apache Kafka within {FETCH_TIMEOUT_S} s") from None
        if fetched.returncode != 0:
            raise KafkaJarsMissing(f"Maven could not fetch Apache Kafka: {fetched.stdout.strip()[-500:]}")
        # Whole or not at all, and whoever else fetched them meanwhile has the same.
        with contextlib.suppress(OSError):
            Path(fetched_into, "jars").rename(jars)


if __name__ == "__main__":
    sys.exit(main())
