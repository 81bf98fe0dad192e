"""Every test of the store runs on both kinds of database, each time on one of its own; engines on two executors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.job_engines import Bench, ThreadExecutor
from support.postgres import Postgres, postgres, program
from voxgate_jobs.executors import DaskExecutor
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


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An engine on threads, over records in memory."""
    bench = Bench()
    yield bench
    bench.engine.close(grace_s=5.0)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What blocks wait for; opened when the test ends."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture(params=["threads", "dask"])
def either(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """An engine on each kind of executor."""
    executor = ThreadExecutor if request.param == "threads" else lambda opener: DaskExecutor.embedded(opener, 3)
    bench = Bench(executor=executor)
    yield bench
    bench.engine.close(grace_s=5.0)
