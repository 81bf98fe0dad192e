"""Numbers for the page of metrics, and the threads and bytes that they are about."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voxgate.model.errors import ServerBusy, Unavailable
from voxgate.model.measures import BOUNDS_S, Durations
from voxgate.model.volumes import CallContext
from voxgate_serving.budget import ByteBudget
from voxgate_serving.job_metrics import JobNumbers
from voxgate_serving.metrics import exposition, histogram
from voxgate_serving.pool import CallPool


def numbers(metrics):
    return {(metric.name, *metric.labels.values()): metric.value for metric in metrics}


def test_a_histogram_has_every_duration_in_the_buckets_that_it_belongs_to():
    durations = Durations()
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] * 1.01, 7.0, 1e9):
        durations.add(seconds)
    spread = durations.spread()
    assert (spread.below[0], spread.below[1], spread.below[-1], spread.count) == (2, 3, 4, 5)
    assert spread.total_s == pytest.approx(1e9 + 7.0 + BOUNDS_S[0] * 2.01)
    text = exposition(histogram("voxgate_seconds", "how long", {"method": "a/B"}, spread))
    (family,) = text_string_to_metric_families(text)
    assert family.type == "histogram"
    by_bound = {sample.labels.get("le"): sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert by_bound["+Inf"] == 5
    assert by_bound["0.001"] == 2
    assert [float(bound) for bound in by_bound] == [*BOUNDS_S, float("inf")]


def test_a_budget_says_what_is_held_who_waits_and_who_was_refused():
    budget, waits = ByteBudget(100), threading.Event()

    class Patient(CallContext):
        def check(self):
            waits.set()

    share = budget.share(40, Patient(), patience_s=60)  # held until the test is over
    with budget.share(70, CallContext()):
        waiting = threading.Thread(target=share.__enter__)
        waiting.start()
        assert waits.wait(60)
        with pytest.raises(ServerBusy), budget.share(31, CallContext(), patience_s=0):
            pass
        held = numbers(budget.metrics("mesh"))
    waiting.join(60)
    assert held["voxgate_budget_bytes", "mesh"] == 100
    assert held["voxgate_budget_used_bytes", "mesh"] == 70
    assert held["voxgate_budget_waiting", "mesh"] == 1
    assert held["voxgate_budget_refused_total", "mesh"] == 1
    after = numbers(budget.metrics("mesh"))
    assert (after["voxgate_budget_used_bytes", "mesh"], after["voxgate_budget_waiting", "mesh"]) == (40, 0)


def test_a_pool_counts_what_runs_and_what_waits_also_after_errors_and_when_waiting_work_is_dropped():
    pool, gate, runs = CallPool(1), threading.Event(), threading.Event()

    def work():
        runs.set()
        gate.wait(60)
        raise KeyError("x")

    first, second = pool.submit(work), pool.submit(work)
    assert runs.wait(60)
    busy = numbers(pool.metrics())
    assert (busy["voxgate_call_threads_busy",], busy["voxgate_calls_waiting",]) == (1, 1)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
    with pytest.raises(KeyError):
        first.result(60)
    assert second.cancelled()
    pool.shutdown()
    free = numbers(pool.metrics())
    assert (free["voxgate_call_threads_busy",], free["voxgate_calls_waiting",]) == (0, 0)


def test_jobs_are_counted_by_state_and_records_that_do_not_answer_hold_nobody_up():
    gate = threading.Event()
    asked = []

    def count():
        asked.append(1)
        gate.wait(60)
        return {"running": 2, "failed": 0}

    jobs = JobNumbers(count, patience_s=0.05)
    assert numbers(jobs.metrics()) == {("voxgate_job_database_up",): 0}
    assert numbers(jobs.metrics()) == {("voxgate_job_database_up",): 0}
    assert len(asked) == 1, "one question at a time"
    gate.set()
    patient = JobNumbers(count, patience_s=60)
    assert numbers(patient.metrics()) == {
        ("voxgate_job_database_up",): 1,
        ("voxgate_jobs", "running"): 2,
        ("voxgate_jobs", "failed"): 0,
    }


def test_records_that_are_away_are_said_to_be():
    def count():
        raise Unavailable("the database does not answer")

    assert numbers(JobNumbers(count, patience_s=60).metrics()) == {("voxgate_job_database_up",): 0}
