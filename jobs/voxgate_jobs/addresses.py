"""Addresses of job databases: which are understood, and how one is told to people without its password."""

from __future__ import annotations

import pathlib

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from voxgate.model.errors import ConfigInvalid

_REMEDY = 'write "sqlite:///jobs.db", or "postgresql://user:password@host/database"'
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_SQLITE = ("sqlite", "sqlite+pysqlite")


def parse_address(address: str) -> sa.URL:
    """The URL of a job database: of a SQLite file, of SQLite in memory ("sqlite://"), or of a PostgreSQL server.

    Raises:
        ConfigInvalid: when it is neither; the message never repeats the address, which may hold a password.
    """
    try:
        url = sa.make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigInvalid("the address of the job database is no URL", _REMEDY) from None
    if url.drivername in _POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in _SQLITE:
        return url.set(drivername="sqlite+pysqlite")
    raise ConfigInvalid(f"jobs cannot be kept in a database of the kind {url.drivername!r}", _REMEDY)


def shown(url: sa.URL) -> str:
    """A URL for people: what kind of database it is and where, no user, password or option."""
    if url.get_backend_name() == "sqlite":
        return "SQLite in memory" if is_in_memory(url) else f"SQLite file {pathlib.Path(str(url.database)).name}"
    return f"PostgreSQL at {url.host or 'its default place'}"


def is_in_memory(url: sa.URL) -> bool:
    """Whether the database lives in one connection and ends with it."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
