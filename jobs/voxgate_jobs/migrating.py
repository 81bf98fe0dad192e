"""Bring a job database to this release's schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from voxgate.model.errors import ConfigInvalid
from voxgate_jobs.database import Database

_LOCK = 0x766F7867  # of PostgreSQL's advisory locks; any number that nobody else uses


def upgrade(address: str) -> None:
    """Make the tables of a job database, or change them to this release's; harmless when they are so already.

    Servers that start at once wait for the first of them. What an earlier release recorded is kept.

    Raises:
        ConfigInvalid: when the database was made by a newer release, or the address is none.
        Unavailable: when the database does not answer.
    """
    database = Database(address)
    try:
        upgrade_database(database)
    finally:
        database.close()


def upgrade_database(database: Database) -> None:
    """See `upgrade`."""
    config = Config()
    config.set_main_option("script_location", "voxgate_jobs:migrations")
    scripts = ScriptDirectory.from_config(config)
    if database.read(lambda connection: _is_current(connection, scripts)):
        return

    def run(connection: sa.Connection) -> None:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if not _is_current(connection, scripts):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    database.write(run)


def _is_current(connection: sa.Connection, scripts: ScriptDirectory) -> bool:
    """Whether the schema is this release's; of one that is none of ours, nothing may be touched."""
    present = set(MigrationContext.configure(connection).get_current_heads())
    unknown = present - {script.revision for script in scripts.walk_revisions()}
    if unknown:
        raise ConfigInvalid(
            "the job database was made by a newer release of voxgate",
            "run that release or a later one, or name another database",
            details={"revision": sorted(unknown)[0]},
        )
    return present == set(scripts.get_heads())
