"""What is sent again, after how long, and what never is."""

import email.utils
import time

import pytest

from support.scripted_http import HANG_UP, RESET, SILENCE, closed_port, reply, scripted, self_signed, session_with
from voxgate.model.errors import StoreUnavailable
from voxgate.model.volumes import CallContext
from voxgate_remotes.http.retries import backoff_s, retry_after_s
from voxgate_remotes.http.session import HttpLimits, StoreCall

GET = StoreCall("GET", "/x")
APPEND = StoreCall("POST", "/append", body=b"1", is_repeatable=False)
NOON = 1_700_000_000


def date(moment):
    return email.utils.formatdate(moment, usegmt=True)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_store_is_asked_again_after_growing_waits(status):
    waits = []
    with scripted([reply(status)] * 3 + [reply(200, b"at last")]) as server:
        answer = session_with(server.url, waits).request(GET, CallContext())
    assert (answer.status, answer.body) == (200, b"at last")
    assert [0.125 <= waits[0] <= 0.25, 0.25 <= waits[1] <= 0.5, 0.5 <= waits[2] <= 1] == [True] * 3


def test_the_last_answer_is_the_callers():
    waits = []
    with scripted([reply(503, b"one"), reply(502, b"two"), reply(429, b"three")]) as server:
        session = session_with(server.url, waits, limits=HttpLimits(attempts=3))
        answer = session.request(GET, CallContext())
    assert (answer.status, answer.body, len(waits)) == (429, b"three", 2)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 500, 501])
def test_other_statuses_are_answers_at_once(status):
    with scripted([reply(status), reply(200)]) as server:
        assert session_with(server.url).request(GET, CallContext()).status == status


def test_the_store_says_when_in_seconds():
    waits = []
    with scripted([reply(503, Retry_After="7"), reply(429, Retry_After="0"), reply(200)]) as server:
        assert session_with(server.url, waits).request(GET, CallContext()).status == 200
    assert waits[0] == 7
    assert 0.25 <= waits[1] <= 0.5  # not at once, even if it says so


def test_the_store_says_when_as_a_date_by_its_own_clock():
    waits = []
    with scripted([reply(503, Date=date(NOON), Retry_After=date(NOON + 9)), reply(200)]) as server:
        assert session_with(server.url, waits).request(GET, CallContext()).status == 200
    assert waits == [9]


def test_dates_and_seconds_of_retry_after():
    assert retry_after_s({"Retry-After": " 12 "}) == 12
    assert retry_after_s({"Retry-After": date(NOON - 5), "Date": date(NOON)}) == 0
    assert retry_after_s({"Retry-After": "Tuesday, 14-Nov-23 22:13:25 GMT", "Date": date(NOON)}) == 5
    for nonsense in ("", "soon", "-3", "1.5", "²", "Tue, 99 Nov 2023"):
        assert retry_after_s({"Retry-After": nonsense}) is None
    assert retry_after_s({}) is None
    ahead = retry_after_s({"Retry-After": date(time.time() + 3600)})
    assert ahead is not None
    assert 0 < ahead <= 3600


def test_waits_grow_up_to_the_most():
    assert all(0.125 <= backoff_s(1, 20) <= 0.25 for _ in range(100))
    assert all(10 <= backoff_s(50, 20) <= 20 for _ in range(100))


def test_a_longer_wait_than_the_most_is_left_to_the_caller():
    waits = []
    with scripted([reply(503, Retry_After="21")]) as server:
        answer = session_with(server.url, waits, limits=HttpLimits(most_wait_s=20)).request(GET, CallContext())
    assert (answer.status, answer.headers["retry-after"], waits) == (503, "21", [])


def test_a_wait_past_the_deadline_is_left_to_the_caller():
    context = CallContext(deadline=time.monotonic() + 600)
    waits = []
    limits = HttpLimits(most_wait_s=10_000)
    with scripted([reply(503, Retry_After="60"), reply(503, Retry_After="700")]) as server:
        answer = session_with(server.url, waits, limits=limits).request(GET, context)
    assert (answer.headers["retry-after"], waits) == ("700", [60])


def test_a_refused_connection_is_tried_again_even_for_a_call_that_may_not_be_repeated():
    waits = []
    session = session_with(f"http://127.0.0.1:{closed_port()}", waits)
    with pytest.raises(StoreUnavailable, match="refuses the connection"):
        session.request(APPEND, CallContext())
    assert len(waits) == 4


@pytest.mark.parametrize("broken", [HANG_UP, RESET, reply(200, b"ab", announced=3)])
def test_a_lost_connection_is_tried_again(broken):
    with scripted([broken, broken, reply(200, b"whole")]) as server:
        assert session_with(server.url).request(GET, CallContext()).body == b"whole"
    assert len(server.asked) == 3


@pytest.mark.parametrize("broken", [HANG_UP, RESET, reply(200, b"ab", announced=3)])
@pytest.mark.parametrize("is_secure", [False, True])
def test_a_call_that_may_not_be_repeated_is_sent_once(broken, is_secure, tmp_path, monkeypatch):
    tls, file = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with scripted([broken, reply(200)], tls if is_secure else None) as server:
        with pytest.raises(StoreUnavailable):
            session_with(server.url).request(APPEND, CallContext())
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_answer_to_a_call_that_may_not_be_repeated_is_the_callers(status):
    with scripted([reply(status), reply(200)]) as server:
        assert session_with(server.url).request(APPEND, CallContext()).status == status
    assert len(server.asked) == 1


def test_a_store_that_does_not_answer_in_time_is_not_asked_again():
    with scripted([SILENCE, reply(200)]) as server:
        with pytest.raises(StoreUnavailable, match="sent nothing"):
            session_with(server.url, limits=HttpLimits(read_s=0.2)).request(GET, CallContext())
        server.wait_for_request()
    assert server.connection_count == 1
