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


def with_password(address: str, file: str) -> str:
    """The address of a PostgreSQL server with the password that a file has; as it is where no file is named.

    Raises:
        ConfigInvalid: when the file cannot be read or is empty, or the address names no user, or a password.
    """
    if not file:
        return address
    url = parse_address(address)
    if not url.username or url.password is not None:
        raise ConfigInvalid(
            "a password from a file needs an address of the job database that names a user and no password",
            'write "postgresql://user@host/database"',
        )
    try:
        password = pathlib.Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigInvalid(
            f"the password of the job database cannot be read: {error.strerror}",
            "mount it where jobs_password_file says",
        ) from None
    except UnicodeDecodeError:
        password = ""
    if not password:
        raise ConfigInvalid(
            "the file with the password of the job database has none", "write it there as a line of UTF-8"
        )
    return url.set(password=password).render_as_string(hide_password=False)


def shown(url: sa.URL) -> str:
    """A URL for people: what kind of database it is and where, no user, password or option."""
    if url.get_backend_name() == "sqlite":
        return "SQLite in memory" if is_in_memory(url) else f"SQLite file {pathlib.Path(str(url.database)).name}"
    return f"PostgreSQL at {url.host or 'its default place'}"


def is_in_memory(url: sa.URL) -> bool:
    """Whether the database lives in one connection and ends with it."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
