"""The short form of `make abuse`: some inputs to everything, and every case with few connections."""

from __future__ import annotations

import mmap

import pytest
from abuse import connections, guards, messages, serving
from abuse.fuzzing import fuzz, run_here
from abuse.targets import names, target_of

SLOW = ("200 requests over HTTP of a byte now and then",)
"""Waits for a limit of 20 seconds; `make abuse` does."""


@pytest.mark.parametrize("name", names())
def test_wounded_bytes_are_refused_in_words_or_taken(name):
    outcome = run_here(name, target_of(name), 60, 11, mmap.mmap(-1, 2 << 20))
    assert outcome.faults == []
    assert outcome.inputs == outcome.taken + outcome.refused == 60


def test_what_kills_or_stalls_a_process_is_found(monkeypatch):
    monkeypatch.setattr("abuse.fuzzing.HANG_S", 3.0)
    assert fuzz("crash, to see that it is found", 3).faults[0]["fault"].startswith("crash (SIGABRT)")
    assert fuzz("hang, to see that it is found", 1).faults[0]["fault"].startswith("hang")
    assert "ZeroDivisionError" in fuzz("fault, to see that it is found", 1).faults[0]["fault"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("abused")
    (folder / "secret").mkdir()
    (folder / "secret" / "info").write_bytes(guards.MARK)
    with serving.running_suite(folder) as running:
        yield running
        assert running.faults() == []


@pytest.mark.parametrize("name", [name for name in connections.cases(300) if name not in SLOW])
def test_abuse_is_refused_and_the_next_caller_is_served(suite, name):
    connections.cases(300)[name](suite)
    suite.is_well()


def test_no_random_request_is_a_fault(suite):
    for outcome in messages.fuzz_methods(suite, 4, seed=3):
        assert outcome.faults == [], outcome.name


@pytest.mark.parametrize("climb", ["..", "%2e%2e", "..%2f", "%252e%252e", "..%5c"])
def test_no_dialect_reads_beside_its_remotes(suite, climb, monkeypatch):
    monkeypatch.setattr(guards, "DOTS", (climb,))
    assert [told for told in guards.traversed(suite) if told[2]] == []


def test_no_store_sends_us_to_a_private_address(monkeypatch):
    monkeypatch.setattr(guards, "STATUSES", (307,))
    assert [told for told in guards.redirected() if told[2]] == []
