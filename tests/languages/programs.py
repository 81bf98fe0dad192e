"""Runs a client's program and reads what it saved."""

from __future__ import annotations

import os
import pathlib
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of a client came to.

    Attributes:
        status: its exit status.
        printed: lines of its output.
        complained: lines of its standard error.
    """

    status: int
    printed: list[str]
    complained: list[str]


class Client:
    """Runs a client's program in a folder of its own."""

    def __init__(self, program: list[str], folder: pathlib.Path) -> None:
        self._program, self.folder = program, folder

    def run(self, *arguments: str, **environment: str) -> Ran:
        """Run it to its end, without what this machine's environment says of proxies, tokens and authorities."""
        own = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LD_LIBRARY_PATH")}
        command = [*self._program, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**own, **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode >= 0, done.stderr
        return Ran(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())

    def obj(self, *arguments: str, **environment: str) -> list[str]:
        """Run it and read the OBJ that it saved: its lines that are not comments."""
        ran = self.run(*arguments, "-o", "body.obj", **environment)
        assert ran.status == 0, ran.complained
        assert ran.printed[-1] == "saved body.obj"
        return without_comments(self.folder / "body.obj")


def without_comments(path: pathlib.Path) -> list[str]:
    """The lines of an OBJ but those that begin with #."""
    text = path.read_bytes().decode("ascii")
    assert text.endswith("\n")
    return [line for line in text.split("\n") if not line.startswith("#")]
