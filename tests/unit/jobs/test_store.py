import threading
import uuid
from dataclasses import replace

import pytest

from voxgate.model.errors import InternalError, InvalidArgument, RequestIdReused, UnknownJob
from voxgate.model.jobs import Job, JobState, TransferSpec
from voxgate_jobs.states import ALLOWED
from voxgate_jobs.store import InMemoryJobStore, JobQuery, JobRequest

SPEC = TransferSpec("fib25/seg", "scratch/copy")


def request(owner="ada", request_id=None, spec=SPEC, asked=None) -> JobRequest:
    return JobRequest(owner, request_id or str(uuid.uuid4()), asked or spec, spec)


def to(state: JobState):
    return lambda job: replace(job, state=state)


def test_a_created_job_is_pending_and_has_the_first_sequence_number():
    job = InMemoryJobStore().create(request())
    assert (job.state, job.sequence, job.spec) == (JobState.PENDING, 1, SPEC)
    assert job.name.startswith("jobs/")


def test_a_repeated_request_answers_the_first_job_even_after_its_version_was_resolved():
    store = InMemoryJobStore()
    asked = TransferSpec("fib25/seg", "scratch/copy")
    first = store.create(request(request_id="1", asked=asked, spec=replace(asked, source_version="v7")))
    again = store.create(request(request_id="1", asked=asked, spec=replace(asked, source_version="v8")))
    assert again == first
    assert again.spec.source_version == "v7"
    assert len(store.list(JobQuery("ada")).jobs) == 1


def test_a_request_id_that_is_used_for_something_else_is_refused():
    store = InMemoryJobStore()
    store.create(request(request_id="1"))
    with pytest.raises(RequestIdReused):
        store.create(request(request_id="1", spec=replace(SPEC, destination="scratch/other")))
    assert len(store.list(JobQuery("ada")).jobs) == 1


def test_request_ids_of_different_owners_have_nothing_to_do_with_each_other():
    store = InMemoryJobStore()
    one = store.create(request(owner="ada", request_id="1"))
    other = store.create(request(owner="bob", request_id="1", spec=replace(SPEC, source="fib25/em")))
    assert one.name != other.name


def test_simultaneous_repeats_create_one_job():
    store = InMemoryJobStore()
    names: list[str] = []
    barrier = threading.Barrier(8)

    def create() -> None:
        barrier.wait(10)
        names.append(store.create(request(request_id="1")).name)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(names) == 8
    assert len(set(names)) == 1


def test_an_update_makes_a_new_record_and_leaves_the_old_one_as_it_was():
    store = InMemoryJobStore()
    before = store.create(request())
    after = store.update(before.name, to(JobState.RUNNING))
    assert (before.state, before.sequence) == (JobState.PENDING, 1)
    assert (after.state, after.sequence) == (JobState.RUNNING, 2)
    assert store.get(before.name) == after


def test_a_change_that_answers_the_same_record_changes_nothing():
    store = InMemoryJobStore()
    job = store.create(request())
    assert store.update(job.name, lambda job: job).sequence == 1


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_only_the_listed_changes_of_state_are_allowed(before: JobState, after: JobState):
    ways = {
        JobState.PENDING: [],
        JobState.RUNNING: [JobState.RUNNING],
        JobState.CANCELLING: [JobState.RUNNING, JobState.CANCELLING],
        JobState.SUCCEEDED: [JobState.RUNNING, JobState.SUCCEEDED],
        JobState.FAILED: [JobState.FAILED],
        JobState.CANCELLED: [JobState.CANCELLED],
    }
    store = InMemoryJobStore()
    job = store.create(request())
    for state in ways[before]:
        store.update(job.name, to(state))
    allowed = after in ALLOWED[before] or (after is before and not before.is_terminal)
    if allowed:
        assert store.update(job.name, to(after)).state is after
    else:
        with pytest.raises(InternalError):
            store.update(job.name, to(after))
        assert store.get(job.name).state is before


def test_an_ended_job_never_changes_again():
    assert [ALLOWED[state] for state in JobState if state.is_terminal] == [frozenset()] * 3


def test_a_change_may_not_give_the_job_to_somebody_else():
    store = InMemoryJobStore()
    job = store.create(request())
    with pytest.raises(InternalError):
        store.update(job.name, lambda job: replace(job, owner="eve"))


def test_jobs_of_others_are_unknown():
    store = InMemoryJobStore()
    job = store.create(request(owner="ada"))
    assert store.get(job.name, owner="ada") == job
    with pytest.raises(UnknownJob):
        store.get(job.name, owner="bob")
    with pytest.raises(UnknownJob):
        store.get("jobs/0")


def test_waiting_answers_a_change_that_happened_before_at_once():
    store = InMemoryJobStore()
    job = store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    assert store.wait_for_change(job.name, 1, 60.0).state is JobState.RUNNING


def test_waiting_wakes_on_the_change_and_not_on_those_of_other_jobs():
    store = InMemoryJobStore()
    job, other = store.create(request()), store.create(request())
    seen: list[Job] = []
    watcher = threading.Thread(target=lambda: seen.append(store.wait_for_change(job.name, 1, 60.0)))
    watcher.start()
    store.update(other.name, to(JobState.RUNNING))
    watcher.join(0.1)
    assert watcher.is_alive()
    store.update(job.name, to(JobState.RUNNING))
    watcher.join(10)
    assert [(one.name, one.sequence) for one in seen] == [(job.name, 2)]


def test_waiting_for_a_job_that_has_ended_is_over_at_once():
    store = InMemoryJobStore()
    job = store.create(request())
    ended = store.update(job.name, to(JobState.CANCELLED))
    assert store.wait_for_change(job.name, ended.sequence, 60.0) == ended


def test_waiting_in_vain_answers_the_job_as_it_stands():
    store = InMemoryJobStore()
    job = store.create(request())
    assert store.wait_for_change(job.name, 1, 0.01) == job


def test_pages_come_newest_first_and_are_not_shifted_by_new_jobs():
    store = InMemoryJobStore()
    names = [store.create(request()).name for _ in range(5)]
    store.create(request(owner="bob"))
    first = store.list(JobQuery("ada", page_size=2))
    names.append(store.create(request()).name)
    second = store.list(JobQuery("ada", page_size=2, page_token=first.next_page_token))
    third = store.list(JobQuery("ada", page_size=2, page_token=second.next_page_token))
    assert [job.name for page in (first, second, third) for job in page.jobs] == names[4::-1]
    assert third.next_page_token == ""


def test_a_last_page_that_is_exactly_full_has_no_next():
    store = InMemoryJobStore()
    for _ in range(2):
        store.create(request())
    assert store.list(JobQuery("ada", page_size=2)).next_page_token == ""


def test_listing_filters_by_state():
    store = InMemoryJobStore()
    job, _ = store.create(request()), store.create(request())
    store.update(job.name, to(JobState.RUNNING))
    assert [one.name for one in store.list(JobQuery("ada", state=JobState.RUNNING)).jobs] == [job.name]


@pytest.mark.parametrize("token", ["later", "-1", "1.5"])
def test_a_page_token_of_somebody_else_is_refused(token: str):
    with pytest.raises(InvalidArgument):
        InMemoryJobStore().list(JobQuery("ada", page_token=token))


def test_the_oldest_ended_jobs_are_forgotten_and_running_ones_never():
    store = InMemoryJobStore(keep_records=3)
    running = store.create(request())
    store.update(running.name, to(JobState.RUNNING))
    ended = [store.create(request(request_id=str(i))) for i in range(5)]
    for job in ended:
        store.update(job.name, to(JobState.CANCELLED))
    newest = store.create(request())
    assert [job.name for job in store.list(JobQuery("ada")).jobs] == [newest.name, ended[4].name, running.name]
    assert store.create(request(request_id="0")).name != ended[0].name  # its request id is free again
