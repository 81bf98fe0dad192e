"""The job database: its connections, its transactions, and patience with it.

SQLite keeps a write-ahead log and waits for the disk at every commit (`synchronous=FULL`). NORMAL would be enough for
the blocks of a ledger, since a commit that a loss of power undoes only has its blocks done again; it is not for the
rest: a job that somebody was told the name of, or that it has ended, must still be there.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc

from voxgate.model.errors import ConfigInvalid, InternalError, Unavailable
from voxgate_jobs.addresses import is_in_memory, parse_address, shown

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_PASSING = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
"""What a database that is locked, restarted, moved or out of reach answers with."""
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 1.0
_WRITES = "voxgate_writes"


class Database:
    """A pool of connections. Thread-safe.

    Args:
        address: see `parse_address`.
        patience_s: how long a database that does not answer is tried again before Unavailable is raised.
        pool_size: connections kept open; twice as many more are opened while they are needed.

    Raises:
        ConfigInvalid: when the address is none, or nothing is installed that speaks to such a database.
    """

    def __init__(self, address: str, *, patience_s: float = 10.0, pool_size: int = 8) -> None:
        self._url = parse_address(address)
        self._patience_s = patience_s
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = _sqlite(self._url, pool_size) if self._is_sqlite else _postgres(self._url, pool_size)
        self._writers = self._engine.execution_options(**{_WRITES: True})
        # SQLite has one writer: threads of this process queue here instead of polling the file. A database in memory
        # is one connection, so its readers queue too.
        self._turn = threading.Lock()
        self._readers_queue = is_in_memory(self._url)

    def __repr__(self) -> str:
        """Never the address: it may hold a password."""
        return f"<Database: {shown(self._url)}>"

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self._is_sqlite

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction that sees one state of the database and changes nothing.

        `work` may be called again, whole, when the database was away. Raises Unavailable when it stays away.
        """
        return self._patiently(lambda: self._once(self._engine, work, queued=self._readers_queue))

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction, and commit it: on return it outlives a loss of power.

        `work` may be called again, whole: also after a commit that took place although its answer was lost. It has to
        notice that, or to come to the same when done twice.

        Raises:
            Unavailable: when the database stays away; then the transaction took place whole or not at all.
        """
        return self._patiently(lambda: self._once(self._writers, work, queued=self._is_sqlite))

    def now(self, connection: sa.Connection) -> int:
        """Microseconds since 1970 by the database's clock, at this very moment."""
        clock = _SQLITE_CLOCK if self._is_sqlite else _POSTGRES_CLOCK
        return int(connection.scalar(sa.text(clock)))

    def close(self) -> None:
        """Close the connections that nobody uses; later calls open new ones."""
        self._engine.dispose()

    def _once(self, engine: sa.Engine, work: Callable[[sa.Connection], T], *, queued: bool) -> T:
        with self._in_turn() if queued else contextlib.nullcontext(), engine.begin() as connection:
            return work(connection)

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._patience_s):
            raise exc.TimeoutError("other threads hold the database")
        try:
            yield
        finally:
            self._turn.release()

    def _patiently(self, once: Callable[[], T]) -> T:
        until, delay_s = time.monotonic() + self._patience_s, _FIRST_DELAY_S
        while True:
            try:
                return once()
            except _PASSING as error:
                if time.monotonic() + delay_s > until:
                    _LOG.warning("the job database (%s) stays away: %s", shown(self._url), _reason(error))
                    raise Unavailable(
                        "the job database does not answer",
                        "try again; nothing was half done",
                        retry_after_s=5.0,
                    ) from error
                _LOG.info("the job database (%s) is tried again: %s", shown(self._url), _reason(error))
            except exc.IntegrityError:
                raise
            except exc.SQLAlchemyError as error:
                raise InternalError("the job database refused a statement of ours") from error
            time.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)


_SQLITE_CLOCK = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
# now() would be the start of the transaction: before it waited for whoever had the row.
_POSTGRES_CLOCK = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


def _reason(error: Exception) -> str:
    """The driver's words: no statement, parameter or address."""
    return str(error.orig) if isinstance(error, exc.DBAPIError) else str(error)


def _sqlite(url: sa.URL, pool_size: int) -> sa.Engine:
    arguments = {"check_same_thread": False, "timeout": 1.0}
    if not is_in_memory(url) and not pathlib.Path(str(url.database)).resolve().parent.is_dir():
        raise ConfigInvalid("the folder that the job database should be in does not exist", "make it, or name another")
    if is_in_memory(url):
        engine = sa.create_engine(url, poolclass=sa.StaticPool, connect_args=arguments, hide_parameters=True)
    else:
        engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            pool_size=pool_size,
            max_overflow=2 * pool_size,
            pool_timeout=5.0,
            connect_args=arguments,
            hide_parameters=True,
        )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are ours to begin: the driver's begin with the first change
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer says so at once: one that had read before could be refused for what another wrote meanwhile.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres(url: sa.URL, pool_size: int) -> sa.Engine:
    arguments: dict[str, Any] = {"connect_timeout": 5, "tcp_user_timeout": 15_000, "application_name": "voxgate"}
    try:
        engine = sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=2 * pool_size,
            pool_timeout=5.0,
            pool_pre_ping=True,
            connect_args={key: value for key, value in arguments.items() if key not in url.query},
            hide_parameters=True,
        )
    except ImportError as error:
        raise ConfigInvalid(
            "nothing is installed that speaks to PostgreSQL", 'pip install "voxgate-jobs[postgres]"'
        ) from error
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: Any) -> None:
    """Nobody waits for ever: not for a row, and not for a coordinator that froze while it held one."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
        cursor.execute("SET idle_in_transaction_session_timeout = '30s'")
        cursor.execute("SET synchronous_commit = on")
    connection.commit()
