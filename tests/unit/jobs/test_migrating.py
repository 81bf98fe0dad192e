import contextlib
import importlib.resources
import threading

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from voxgate.model.errors import ConfigInvalid
from voxgate.model.jobs import PyramidJobSpec, TransferSpec
from voxgate_jobs.addresses import parse_address
from voxgate_jobs.migrating import upgrade
from voxgate_jobs.schema import METADATA
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest

SPEC = TransferSpec("fib25/seg", "scratch/copy")


@pytest.fixture
def connection(address):
    engine = sa.create_engine(parse_address(address))
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def shape(connection: sa.Connection) -> dict:
    """Everything that a database says of its tables, but for Alembic's own."""
    inspector = sa.inspect(connection)
    names = [name for name in inspector.get_table_names() if name != "alembic_version"]
    return {
        name: {
            "columns": [{**column, "type": str(column["type"])} for column in inspector.get_columns(name)],
            "key": inspector.get_pk_constraint(name),
            "foreign": inspector.get_foreign_keys(name),
            "unique": sorted(inspector.get_unique_constraints(name), key=lambda one: one["name"]),
            "indexes": sorted(inspector.get_indexes(name), key=lambda one: one["name"]),
        }
        for name in names
    }


def test_migrations_make_the_schema_that_the_code_speaks_of(address, connection):
    upgrade(address)
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, METADATA) == []
    migrated = shape(connection)
    assert sorted(migrated) == ["failures", "jobs", "windows"]
    connection.rollback()
    METADATA.drop_all(connection)
    METADATA.create_all(connection)
    assert shape(connection) == migrated


def test_migrating_again_changes_nothing_and_keeps_what_is_there(address, connection):
    upgrade(address)
    with contextlib.closing(SqlJobStore(address)) as store:
        job = store.create(JobRequest("ada", "1", SPEC, SPEC))
    upgrade(address)
    with contextlib.closing(SqlJobStore(address)) as store:
        assert store.get(job.name) == job


def test_jobs_of_the_release_before_are_known_by_their_kind(address, connection):
    with contextlib.closing(SqlJobStore(address)) as store:
        specs = (SPEC, PyramidJobSpec('a/{"kind":"mesh"'), TransferSpec('a/{"kind":"pyramid"', "b/c"))
        names = [store.create(JobRequest("ada", str(number), spec, spec)).name for number, spec in enumerate(specs)]
    config = Config()
    config.set_main_option("script_location", "voxgate_jobs:migrations")
    with connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "kind" not in [column["name"] for column in sa.inspect(connection).get_columns("jobs")]
    with contextlib.closing(SqlJobStore(address)) as store:
        claimed = [store.claim("one", 3600.0, kinds) for kinds in ({"mesh"}, {"pyramid"}, {"transfer"}, {"transfer"})]
        assert [claim and claim.job.name for claim in claimed] == [None, names[1], names[0], names[2]]


def test_a_database_of_a_newer_release_is_refused_and_left_as_it_is(address, connection):
    upgrade(address)
    with connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for start in (upgrade, SqlJobStore):
        with pytest.raises(ConfigInvalid) as refused:
            start(address)
        assert refused.value.details == {"revision": "9999"}
    assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


def test_servers_that_start_at_once_make_one_schema(address, connection):
    failed = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait(30)
        try:
            upgrade(address)
        except Exception as error:  # noqa: BLE001  (told below)
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert sorted(shape(connection)) == ["failures", "jobs", "windows"]


def test_migrations_are_part_of_the_package():
    migrations = importlib.resources.files("voxgate_jobs") / "migrations"
    assert (migrations / "env.py").is_file()
    assert (migrations / "versions" / "v0002_kinds.py").is_file()
