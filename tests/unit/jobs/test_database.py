import logging
import threading
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from support.postgres import PASSWORD, postgres, program
from voxgate.model.errors import ConfigInvalid, InternalError, Unavailable
from voxgate.model.jobs import JobState, TransferSpec
from voxgate_jobs.addresses import parse_address, with_password
from voxgate_jobs.database import Database
from voxgate_jobs.ledger import LedgerPlan
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.store import JobRequest
from voxgate_jobs.work import BlockResult

SPEC = TransferSpec("fib25/seg", "scratch/copy")
SECRET = "postgresql://ada:s3cret-word@127.0.0.1:1/jobs?sslkey=s3cret-word"


def request() -> JobRequest:
    return JobRequest("ada", str(uuid.uuid4()), SPEC, SPEC)


def result(block: int) -> BlockResult:
    return BlockResult(block + 1, bytes([block % 256]) * 32)


@pytest.fixture
def fragile_server():
    """A PostgreSQL server of the test's own, because it is going to be ended."""
    if program("initdb") is None:
        pytest.skip("no PostgreSQL server is installed here")
    with postgres() as server:
        yield server


def test_a_server_that_is_restarted_in_between_loses_no_job_and_nothing_is_half_done(fragile_server):
    store = SqlJobStore(fragile_server.new_database(), patience_s=120.0)
    job = store.create(request())
    claim = store.claim("me", 3600.0)
    store.ledger.begin(claim.lease, LedgerPlan(4000))
    committed = threading.Semaphore(0)
    failed = []

    def commit() -> None:
        try:
            for block in range(400):
                store.ledger.commit(claim.lease, 0, {block: result(block)})
                committed.release()
            store.update(job.name, lambda job: replace(job, state=JobState.SUCCEEDED), lease=claim.lease)
        except Exception as error:  # noqa: BLE001  (told below)
            failed.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    for _ in range(3):
        for _ in range(20):
            assert committed.acquire(timeout=120)
        fragile_server.stop()
        fragile_server.start()
    thread.join(240)
    assert failed == []
    assert store.get(job.name).state is JobState.SUCCEEDED
    assert [block.block_index for block in store.ledger.manifest(job.name)] == list(range(400))
    assert store.ledger.totals(job.name).done_bytes == sum(range(401))


def test_a_server_that_stays_away_is_unavailable_and_answers_again_once_it_is_back(fragile_server, caplog):
    caplog.set_level(logging.DEBUG)
    address = fragile_server.new_database()
    store = SqlJobStore(address, patience_s=0.5)
    job = store.create(request())
    fragile_server.stop()
    for ask in (
        lambda: store.get(job.name),
        lambda: store.create(request()),
        lambda: store.claim("me", 60.0),
        lambda: SqlJobStore(address, patience_s=0.1),
    ):
        with pytest.raises(Unavailable) as refused:
            ask()
        assert refused.value.retry_after_s is not None
        assert PASSWORD not in str(refused.value)
    fragile_server.start()
    assert store.get(job.name) == job
    assert "stays away" in caplog.text
    assert PASSWORD not in caplog.text


def once_committed_fails(database: Database, times: int) -> None:
    """Lose the answer of the next commits, as a connection that breaks at that moment does."""
    left = [times]
    once = database._once

    def lose(engine, work, *, queued):
        answer = once(engine, work, queued=queued)
        if left[0] == 0 or not engine.get_execution_options():  # reads are not committed
            return answer
        left[0] -= 1
        raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("the connection was lost"))

    database._once = lose


def test_a_change_whose_answer_was_lost_is_made_once(store):
    job = store.create(request())
    once_committed_fails(store._database, 2)
    calls = []

    def run(job):
        calls.append(job.sequence)
        return replace(job, state=JobState.RUNNING)

    assert store.update(job.name, run).sequence == 2
    assert calls == [1]


def test_a_job_that_was_created_although_the_answer_was_lost_is_created_once(store):
    once_committed_fails(store._database, 2)
    asked = request()
    job = store.create(asked)
    assert store.create(asked) == job


def test_a_claim_whose_answer_was_lost_takes_one_job_only(store):
    jobs = [store.create(request()) for _ in range(2)]
    once_committed_fails(store._database, 2)
    assert store.claim("one", 3600.0).job.name == jobs[0].name
    assert store.claim("two", 3600.0).job.name == jobs[1].name


def test_a_commit_whose_answer_was_lost_counts_once(store):
    job = store.create(request())
    lease = store.claim("me", 3600.0).lease
    store.ledger.begin(lease, LedgerPlan(10))
    once_committed_fails(store._database, 1)
    store.ledger.commit(lease, 0, {3: result(3)})
    assert store.ledger.totals(job.name).done_bytes == 4


def test_a_statement_that_is_wrong_is_our_fault_and_is_not_tried_again(store):
    calls = []

    def wrong(connection):
        calls.append(1)
        connection.execute(sa.select(sa.column("nothing")).select_from(sa.table("jobs")).where(sa.text("1 = :missing")))

    with pytest.raises(InternalError):
        store._database.read(wrong)
    assert calls == [1]


def test_many_threads_write_and_read_at_once(address):
    store = SqlJobStore(address)
    job = store.create(request())
    store.update(job.name, lambda job: replace(job, state=JobState.RUNNING))
    failed = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                store.update(job.name, lambda job: replace(job, run_count=job.run_count + 1))
                store.get(job.name)
        except Exception as error:  # noqa: BLE001  (told below)
            failed.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert (store.get(job.name).run_count, store.get(job.name).sequence) == (120, 122)
    store.close()


def test_every_commit_to_a_file_waits_for_the_disk(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    values = database.read(lambda connection: [connection.scalar(sa.text(f"PRAGMA {name}")) for name in pragmas])
    assert values == ["wal", 2, 1]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jobs.db",
        "mysql://ada:s3cret-word@host/jobs",
        "postgresql+asyncpg://ada:s3cret-word@host/jobs",
        "postgresql://ada:s3cret-word@host:port/jobs",
        "sqlite:////nowhere-to-be-found/s3cret-word/jobs.db",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(address):
    with pytest.raises(ConfigInvalid) as refused:
        Database(address)
    assert "s3cret-word" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_password_is_never_shown(caplog):
    caplog.set_level(logging.DEBUG)
    database = Database(SECRET, patience_s=0.2)
    with pytest.raises(Unavailable) as refused:
        database.read(lambda connection: None)
    chain, error = [], refused.value
    while error is not None:
        chain.append(repr(error) + str(error))
        error = error.__cause__
    assert len(chain) > 1
    for text in (repr(database), *chain, caplog.text):
        assert "s3cret-word" not in text
    assert repr(database) == "<Database: PostgreSQL at 127.0.0.1>"


@pytest.mark.parametrize("name", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_the_one_driver(name):
    assert parse_address(f"{name}://host/jobs").drivername == "postgresql+psycopg"


def test_a_password_comes_from_a_file_and_whatever_it_is_made_of_arrives(tmp_path):
    file = tmp_path / "password"
    file.write_text("p@ss:/wörd %41#\n")
    url = parse_address(with_password("postgresql://jobs@db.example:5433/voxgate?sslmode=require", str(file)))
    assert (url.username, url.password, url.host, url.port) == ("jobs", "p@ss:/wörd %41#", "db.example", 5433)
    assert (url.database, url.query["sslmode"]) == ("voxgate", "require")
    assert with_password("sqlite://", "") == "sqlite://"


@pytest.mark.parametrize(
    ("address", "content", "said"),
    [
        ("postgresql://jobs@db/voxgate", None, "cannot be read: No such file"),
        ("postgresql://jobs@db/voxgate", b"\n", "has none"),
        ("postgresql://jobs@db/voxgate", b"\xff\xfe", "has none"),
        ("postgresql://db/voxgate", b"swordfish", "names a user and no password"),
        ("postgresql://jobs:other@db/voxgate", b"swordfish", "names a user and no password"),
        ("sqlite:///jobs.db", b"swordfish", "names a user and no password"),
    ],
)
def test_a_password_file_that_cannot_be_meant_is_refused_without_its_content(tmp_path, address, content, said):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=said) as refused:
        with_password(address, str(file))
    assert "swordfish" not in str(refused.value)
    assert "other" not in refused.value.message
