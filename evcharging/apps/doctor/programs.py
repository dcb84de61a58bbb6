"""Programs that are used where they are there: other brokers and databases for the whole of the tests, and tools."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from evcharging.apps.doctor.check import Check, CheckFailed

__all__ = ["look_for_program", "program_checks"]

VERSION_WITHIN_S = 10.0
COLOUR = re.compile(r"\x1b\[[\d;]*m")
DOTTED = re.compile(r"\d+(?:\.\d+)+")
WHOLE = re.compile(r"\d+")
OTHER_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql/*/bin", "/opt/homebrew/bin")
TEST_ALL = "make test-all"


def program_checks() -> list[Check]:
    """All of them optional."""

    def check(
        name: str, programs: Sequence[str], mend: str, needed_for: str, *, least: int = 0, flag: str = ""
    ) -> Check:
        async def look() -> str:
            return await look_for_program(programs, least=least, flag=flag or "--version", mend=mend)

        return Check(name, look, needed_for=needed_for)

    return [
        check("Java", ["java"], "apt install openjdk-17-jre-headless", TEST_ALL, least=17, flag="-version"),
        check("Maven", ["mvn"], "apt install maven", TEST_ALL),
        check("Mosquitto", ["mosquitto"], "apt install mosquitto", TEST_ALL, flag="-h"),
        check("PostgreSQL", ["postgres"], "apt install postgresql", TEST_ALL),
        check(
            "Chromium",
            ["chromium", "chromium-browser", "google-chrome", "chrome"],
            "apt install chromium",
            TEST_ALL,
        ),
        check("Node", ["node"], "apt install nodejs npm", "building the dashboard", least=20),
        check("kcat", ["kcat", "kafkacat"], "apt install kcat", "looking into Kafka by hand", flag="-V"),
    ]


async def look_for_program(programs: Sequence[str], *, least: int, flag: str, mend: str) -> str:
    """The version of the first of ``programs`` that is there.

    Raises:
        CheckFailed: none is there, or its version is under ``least``.
    """
    path = next((found for program in programs if (found := _find(program)) is not None), None)
    if path is None:
        raise CheckFailed("not found", mend=mend)
    version = await _version(path, flag)
    if version is None:
        raise CheckFailed(f"{path} does not tell its version", mend=mend)
    if int(version.split(".")[0]) < least:
        raise CheckFailed(f"{version}, expected {least} or later", mend=mend)
    return f"{version}, {path}"


def _find(program: str) -> str | None:
    directories = [str(found) for pattern in OTHER_DIRECTORIES for found in sorted(Path("/").glob(pattern.lstrip("/")))]
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *directories]))


async def _version(path: str, flag: str) -> str | None:
    process = await asyncio.create_subprocess_exec(
        path,
        flag,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), VERSION_WITHIN_S)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = COLOUR.sub("", output.decode("utf-8", "replace"))
    number = DOTTED.search(told) or WHOLE.search(told)
    return number[0] if number else None
