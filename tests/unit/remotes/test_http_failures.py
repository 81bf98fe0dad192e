"""From statuses and words to typed errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.scripted_http import reply, scripted, session_with
from voxgate.model.errors import (
    LimitExceeded,
    StoreAccessDenied,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
)
from voxgate.model.volumes import CallContext
from voxgate_remotes.http.answers import StoreAnswer
from voxgate_remotes.http.failures import failure, words_of
from voxgate_remotes.http.session import HttpLimits, StoreCall


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, StoreRefused),
        (400, StoreRefused),
        (401, StoreAccessDenied),
        (403, StoreAccessDenied),
        (404, UnknownVolume),
        (405, StoreRefused),
        (409, StoreRefused),
        (413, LimitExceeded),
        (429, StoreBusy),
        (500, StoreUnavailable),
        (503, StoreUnavailable),
        (504, StoreUnavailable),
    ],
)
def test_each_status_is_its_own_error_with_the_stores_words(status, kind):
    with scripted([reply(status, b"cuboid (3, 1, 7)\r\nis out\tof order", Retry_After="7")]) as server:
        session = session_with(server.url, limits=HttpLimits(attempts=1))
        answer = session.request(StoreCall("GET", "/x"), CallContext())
    error = failure(answer, words_of(answer.body.decode()))
    assert type(error) is kind
    assert "cuboid (3, 1, 7) is out of order" in error.message
    assert error.details["status"] == str(status)
    assert error.retry_after_s == (7 if status == 429 or status >= 500 else None)


def test_a_busy_store_that_does_not_say_for_how_long_is_asked_again_after_a_second():
    assert failure(StoreAnswer(429, {}, b""), "").retry_after_s == 1
    assert failure(StoreAnswer(500, {}, b""), "").retry_after_s is None


def test_an_answer_without_words_makes_a_whole_sentence():
    assert failure(StoreAnswer(404, {}, b""), "").message == "the store has no such thing"


def test_words_are_one_line_without_control_characters_and_bounded():
    assert words_of("  no\r\n such\x00\x1b[31m thing\u2028 here ") == "no such [31m thing here"
    assert words_of("") == ""
    long = words_of("word " * 1000)
    assert len(long) == 300
    assert long.endswith("…")


def test_of_a_page_only_what_a_person_would_read_is_kept():
    page = """<html>\n<head><title>502 Bad Gateway</title><style>p {}</style></head>
    <body><center><h1>502 Bad&nbsp;Gateway &lt;x&gt;</h1></center><hr>nginx</body></html>"""
    assert words_of(page) == "502 Bad Gateway <x> nginx"
    assert words_of("<html><head><title>gone &amp; lost</title></head><body></body></html>") == "gone & lost"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("denied: Authorization: Bearer abcDEF123456.x", "denied: Authorization: Bearer ***"),
        ("bad Token 9f3bc0ffee77 given", "bad Token *** given"),
        ("see https://me:pass@store.org/x?token=s3cret&z=1", "see https://***@store.org/x?token=***&z=1"),
        ('{"api_key": "qwertz", "z": 1}', '{"api_key": "***", "z": 1}'),
        ("jwt eyJhbGciOi.eyJzdWIi.sig is old", "jwt *** is old"),
        ("key 0123456789abcdef0123456789abcdef01234567 unknown", "key *** unknown"),
    ],
)
def test_what_looks_like_a_secret_is_not_repeated(said, shown):
    assert words_of(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "Invalid token.",
        "Invalid token header. No credentials provided.",
        "no node with uuid 28841c8277e044a7b187dda03e18da13",
        "Authentication credentials were not provided.",
        "a basic understanding of it",
    ],
)
def test_words_that_only_speak_of_secrets_stay(said):
    assert words_of(said) == said


@given(st.text(max_size=2000))
def test_words_of_anything_can_be_shown(text):
    words = words_of(text)
    assert words.isprintable()
    assert len(words) <= 300
