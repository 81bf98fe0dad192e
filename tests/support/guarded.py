"""A server whose callers are told apart, over remotes of which each belongs to somebody else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.servers import settings
from support.volume_service import spec
from voxgate_gateway.settings import BossSettings, GatewaySettings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_serving.auth.guard import guard_of
from voxgate_serving.auth.tokens import create_token
from voxgate_serving.settings import Configuration
from voxgate_standalone.suite import Beside, Suite, start_suite

GRANTS = [
    {"who": "user:ada", "role": "write", "on": "mine"},
    {"who": "group:lab", "role": "read", "on": "mine"},
    {"who": "user:bob", "role": "write", "on": "theirs"},
    {"who": "user:eve", "role": "read", "on": "theirs/shared/seg"},
    {"who": "user:root", "role": "admin", "on": "*"},
]
PEOPLE: Mapping[str, tuple[str, ...]] = {"ada": (), "bob": (), "eve": (), "lin": ("lab",), "root": ()}
MINE, THEIRS, OPEN = "mine/lab/seg", "theirs/lab/seg", "open/lab/seg"
ABSENT = "theirs/lab/nothing"


@dataclass(frozen=True)
class Guarded:
    """A running suite.

    Attributes:
        suite: with its gateway.
        tokens: of everybody, by name.
        folder: where its files are.
    """

    suite: Suite
    tokens: Mapping[str, str]
    folder: Path

    @property
    def address(self) -> str:
        return self.suite.server.address

    @property
    def url(self) -> str:
        assert self.suite.gateway is not None
        return self.suite.gateway.url

    def metadata(self, who: str) -> tuple[tuple[str, str], ...]:
        """What somebody's calls carry; nothing for nobody."""
        return (("authorization", f"Bearer {self.tokens[who]}"),) if who else ()


@contextlib.contextmanager
def guarded_suite(folder: Path) -> Iterator[Guarded]:
    """Remotes `mine`, `theirs` and `open` of files, with a volume in each; `open` is public."""
    tokens = {name: create_token(folder / "tokens.toml", name, groups) for name, groups in PEOPLE.items()}
    auth = {"tokens_file": "tokens.toml", "audit_file": "audit.log", "public": ["open"], "grants": GRANTS}
    configuration = Configuration(settings().guarded(), {}, folder, auth=auth)
    remotes = {}
    for name in ("mine", "theirs", "open"):
        (folder / name).mkdir()
        remotes[name] = RemoteConfig(uri=(folder / name).as_uri(), writable=True, deletable=True)
    boss = GatewaySettings(bossdb=BossSettings())
    suite = start_suite(
        RemotesConfig(remotes=remotes),
        configuration.server,
        gateway_settings=boss,
        beside=Beside(guard=guard_of(configuration)),
    )
    try:
        for name in (MINE, THEIRS, OPEN, "theirs/shared/seg"):
            suite.registry.create(name, spec())  # the server's own work
        yield Guarded(suite, tokens, folder)
    finally:
        suite.stop(1.0)
