"""Every test of the store runs on both kinds of database, each time on one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.postgres import Postgres, postgres, program
from voxgate_jobs.sqlstore import SqlJobStore


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run; one that a test stopped is started again by that test."""
    if program("initdb") is None:
        pytest.skip("no PostgreSQL server is installed here")
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlJobStore]:
    """An empty store."""
    if request.param == "memory":
        address = "sqlite://"
    elif request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'jobs.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.new_database()
    opened = SqlJobStore(address)
    yield opened
    opened.close()
