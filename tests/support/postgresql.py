"""A PostgreSQL server of the tests' own: made in a temporary directory, on a loopback port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from tests.support.ports import free_port

__all__ = ["PostgresqlMissing", "PostgresqlServer"]

DEBIAN = Path("/usr/lib/postgresql")
HOST = "127.0.0.1"
OWNER = "evcharging"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
# What would only make the tests slow: their data need not outlive the machine.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "100"}

# Becomes the server, beside a watcher that crashes it when our end of the pipe closes, as it does when we are killed.
ENDS_WITH_US = 'exec 3<&0; (cat <&3 >/dev/null; kill -QUIT $$) & exec "$@" </dev/null 3<&-'


class PostgresqlMissing(Exception):
    """PostgreSQL cannot be run here; the message says what is missing and how to get it."""


class PostgresqlServer:
    """One server that asks for a password. Root lends it to the user ``postgres``, since it refuses to run as root."""

    def __init__(self) -> None:
        self._bin = _programs()
        self._user = _unprivileged_user()
        self._dir = Path(tempfile.mkdtemp(prefix="evcharging-postgresql-"))
        self._data = self._dir / "data"
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        try:
            password_file = self._dir / "password"
            password_file.write_text(self._password, encoding="ascii")
            if self._user is not None:
                for path in (self._dir, password_file):
                    shutil.chown(path, self._user, self._user)
            self._run(
                "initdb",
                f"--pgdata={self._data}",
                f"--username={OWNER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            )
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._dir, ignore_errors=True)

    def start(self) -> None:
        """Start on the data and wait until connections are let in."""
        options = OPTIONS | {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": ""}
        with (self._dir / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", ENDS_WITH_US, "sh", str(self._bin / "postgres"), "-D", str(self._data)]
                + [f"--{name}={value}" for name, value in options.items()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._dir,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._call("pg_isready", "--quiet", f"--host={HOST}", f"--port={self.port}").returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                told = (self._dir / "server.log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"PostgreSQL did not come up on port {self.port}: {told[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash would: connections break; what was committed is recovered at the next start."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.communicate(timeout=STOP_TIMEOUT_S)

    async def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{secrets.token_hex(6)}"
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://{OWNER}:{self._password}@{HOST}:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        ended = self._call(program, *arguments)
        if ended.returncode != 0:
            raise RuntimeError(f"{program} ended with {ended.returncode}: {ended.stdout}")

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._bin / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self._dir,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )


def _programs() -> Path:
    """Where initdb and postgres are: Debian keeps them off the PATH, one directory a version."""
    on_path = shutil.which("initdb")
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    if on_path is not None:
        return Path(on_path).resolve().parent
    raise PostgresqlMissing(
        f"there is no initdb on the PATH and no PostgreSQL in {DEBIAN}; install it (Debian: apt install postgresql), "
        "or leave out what is marked postgresql"
    )


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise PostgresqlMissing(
            "PostgreSQL does not run as root, and there is no user postgres to run it as; install PostgreSQL from the "
            "system's packages (Debian: apt install postgresql), or run the tests as another user"
        ) from None
