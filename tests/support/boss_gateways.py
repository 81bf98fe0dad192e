"""Our BossDB dialect in front of a BossDB: the same names on both sides, so that both can be asked the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from support.boss_remotes import boss_config
from support.bossdb import BossServer
from support.bossdb.raw import Raw
from support.servers import settings
from voxgate_gateway.settings import BossSettings, GatewaySettings
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_standalone.suite import start_suite


@dataclass(frozen=True)
class BossGateway:
    """A gateway that speaks the dialect.

    Attributes:
        address: 127.0.0.1:port.
    """

    address: str

    @property
    def raw(self) -> Raw:
        """Plain HTTP to it, as nobody in particular."""
        return Raw(self, None)


@contextlib.contextmanager
def boss_gateway(
    server: BossServer, others: Mapping[str, RemoteConfig] | None = None, **keys: Any
) -> Iterator[BossGateway]:
    """A gateway over a BossDB whose collections have their own names there, and over other remotes.

    Args:
        server: the BossDB.
        others: remotes beside it, by name.
        keys: of the BossDB's configuration.
    """
    remotes = {"boss": boss_config(server, **keys), **(others or {})}
    told = GatewaySettings(bossdb=BossSettings(home="boss"))
    suite = start_suite(RemotesConfig(remotes=remotes), settings(), gateway_settings=told)
    try:
        yield BossGateway(suite.gateway.url.removeprefix("http://"))
    finally:
        suite.stop(1.0)


def told_by(reply: requests.Response) -> tuple[int, Any]:
    """What a reply says: its status, and its JSON; of a refusal the code alone, for its words are each server's own."""
    if reply.status_code >= 400:
        document = reply.json()
        assert document["status"] == reply.status_code
        assert document["message"]
        return reply.status_code, document["code"]
    return reply.status_code, reply.json() if reply.content else None
