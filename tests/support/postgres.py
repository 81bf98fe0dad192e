"""A PostgreSQL server of one's own, in a folder of its own, that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator

import psycopg

from support.scripted_http import closed_port

PASSWORD = "swordfish-of-the-jobs"  # secrets of a server that lives as long as a test, on this machine's loopback
_INSTALLED = pathlib.Path("/usr/lib/postgresql")


def program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs: on the search path, or the newest where Debian puts them."""
    newest_first = sorted(_INSTALLED.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    return shutil.which(name) or next((str(path) for path in newest_first), None)


class Postgres:
    """A server, started by `start`; `stop` ends it as a loss of power would."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = closed_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        # What a loss of power would take is not what these tests are about: without fsync they take seconds.
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": self.port}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_somebody(), program("postgres"), "-D", str(self.folder / "data"), *arguments],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self._address("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"jobs_{uuid.uuid4().hex}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://voxgate:{PASSWORD}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A running server; ended and removed afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="voxgate-postgres-"))
    try:
        (folder / "password").write_text(PASSWORD)
        if _as_somebody():
            for path in (folder, folder / "password"):
                shutil.chown(path, "nobody")
        secret = ["--username=voxgate", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
        make = [program("initdb"), "-D", str(folder / "data"), "--no-sync", "--encoding=UTF8", "--locale=C", *secret]
        subprocess.run([*_as_somebody(), *make], check=True, capture_output=True, cwd="/")
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _as_somebody() -> list[str]:
    """What starts a program as somebody else: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    somebody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]
