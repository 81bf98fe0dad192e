import threading

import pytest
import tensorstore as ts

from voxgate.model.errors import Cancelled, ChunkCorrupt, DeadlineExceeded, StoreUnavailable, UnsupportedFormat
from voxgate.model.volumes import CallContext
from voxgate_remotes.tensorstores import store_error, wait


def test_waiting_for_a_store_ends_when_the_caller_goes_away():
    _promise, future = ts.Promise.new()
    context = CallContext()
    leaving = threading.Timer(0.05, context.stop.set)
    leaving.start()
    with pytest.raises(Cancelled):
        wait(future, context)
    leaving.join()
    assert future.cancelled()


def test_waiting_for_a_store_ends_at_the_deadline():
    _promise, future = ts.Promise.new()
    with pytest.raises(DeadlineExceeded):
        wait(future, CallContext(deadline=0.0))


def test_waiting_answers_what_the_store_answers():
    promise, future = ts.Promise.new()
    promise.set_result(7)
    assert wait(future, CallContext()) == 7


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (ValueError('DATA_LOSS: Error reading "/srv/x": Digest mismatch'), ChunkCorrupt),
        (ValueError('FAILED_PRECONDITION: Error reading local file "/srv/x": not enough data'), ChunkCorrupt),
        (ValueError('PERMISSION_DENIED: Error opening "/srv/x"'), StoreUnavailable),
        (ValueError('UNAVAILABLE: "/srv/x"'), StoreUnavailable),
        (OSError(5, "Input/output error", "/srv/x"), StoreUnavailable),
        (NotImplementedError("/srv/x"), UnsupportedFormat),
    ],
)
def test_failures_of_the_store_have_our_names_and_none_of_its_paths(raised, ours):
    error = store_error(raised, "reading x[0:1] y[0:1] z[0:1]")
    assert type(error) is ours
    assert "x[0:1] y[0:1] z[0:1]" in error.message
    assert "/srv" not in str(error)


def test_a_disk_that_is_full_is_said_to_be_full():
    full = ValueError("RESOURCE_EXHAUSTED: Error writing \"/srv/x\": No space left on device [os_error_code='28']")
    assert "no space left" in store_error(full, "writing").message
    throttled = ValueError("RESOURCE_EXHAUSTED: 429 Too Many Requests")
    assert "space" not in store_error(throttled, "writing").message
