"""What is wrong with a voxgate.toml: everything, each with the path of its key and what to do about it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from voxgate.model.errors import ConfigInvalid
from voxgate.model.volumes import CallContext
from voxgate_gateway.settings import checked_gateway
from voxgate_remotes.config import RemoteConfig, checked_remotes, dotted
from voxgate_serving.auth.settings import checked_auth
from voxgate_serving.settings import checked_server, read_document, unknown_tables
from voxgate_serving.tls import TlsFiles
from voxgate_standalone.checking_remotes import Problem, Subject, look_at, made
from voxgate_standalone.checking_tls import file_problems

PATIENCE_S = 15.0
"""How long a remote may take to answer. All are asked at once."""


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """What became of one remote.

    Attributes:
        name: of the remote.
        store: the scheme of its adapter; empty where the file does not say.
        state: "reachable", "unreachable", "wrong" (what the file says of it cannot be used), or "not asked".
    """

    name: str
    store: str
    state: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is wrong with a configuration, and its remotes in the file's order."""

    problems: tuple[Problem, ...]
    remotes: tuple[RemoteReport, ...]


def check_file(path: Path, *, offline: bool = False, patience_s: float = PATIENCE_S) -> Report:
    """Check a configuration file, and what it refers to.

    Args:
        path: of the file.
        offline: look at nothing but the file, and at which adapters are installed.
        patience_s: how long a remote may take.

    Raises:
        ConfigInvalid: when the file cannot be read, or is not TOML.
    """
    document = read_document(path)
    table = document.get("remotes", {})
    server, server_problems = checked_server(document.get("server", {}), {})
    good, remote_problems = checked_remotes(table, path.resolve().parent)
    gateway, gateway_problems = checked_gateway(document.get("gateway", {}))
    if not offline:
        server_problems += file_problems(TlsFiles() if server is None else server.tls, gateway)
    auth_problems = checked_auth(document["auth"])[1] if "auth" in document else []
    stated = [*unknown_tables(document), *server_problems, *gateway_problems, *auth_problems, *remote_problems]
    problems = [_of_file(error) for error in stated]
    names = list(table) if isinstance(table, dict) else []
    looks = {name: _Look(name, good[name], offline=offline) for name in names if name in good}
    for look in looks.values():
        look.start(patience_s)
    reports = []
    for name in names:
        found = looks[name].wait() if name in looks else ([], "wrong")
        problems += found[0]
        reports.append(RemoteReport(name, good[name].uri.partition(":")[0] if name in good else "", found[1]))
    return Report(tuple(problems), tuple(reports))


def _of_file(error: ConfigInvalid) -> Problem:
    return Problem(error.details.get("key", ""), error.message, error.remedy)


class _Look:
    """One look at a remote, in a thread of its own: a store that never answers must not keep the command."""

    def __init__(self, name: str, config: RemoteConfig, *, offline: bool) -> None:
        self._name = name
        self._config = config
        self._offline = offline
        self._problems: list[Problem] = []
        self._state = "not asked"
        self._ended = threading.Event()
        self._deadline = 0.0

    def start(self, patience_s: float) -> None:
        self._deadline = time.monotonic() + patience_s
        threading.Thread(target=self._run, name=f"check-{self._name}", daemon=True).start()

    def wait(self) -> tuple[list[Problem], str]:
        """What is wrong, and the state of the remote; what takes too long counts as unreachable."""
        if self._ended.wait(max(0.0, self._deadline - time.monotonic())):
            return list(self._problems), self._state
        late = Problem(dotted("remotes", self._name, "uri"), "it does not answer", "look whether the store is there")
        return [*self._problems, late], "unreachable"

    def _run(self) -> None:
        try:
            registry, problems = made(self._name, self._config)
            self._problems += problems
            if registry is None:
                self._state = "wrong"
            elif not self._offline:
                context = CallContext(deadline=self._deadline)
                is_reachable = look_at(Subject(self._name, self._config, registry, context), self._problems)
                self._state = "reachable" if is_reachable else "unreachable"
        finally:
            self._ended.set()
