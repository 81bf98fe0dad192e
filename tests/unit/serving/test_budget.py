import threading
import time

import pytest

from voxgate.model.errors import Cancelled, DeadlineExceeded, ServerBusy
from voxgate.model.volumes import CallContext
from voxgate_serving.budget import ByteBudget


def test_shares_never_add_up_to_more_than_the_whole():
    budget = ByteBudget(100)
    held, most = 0, 0
    guard = threading.Lock()

    def work(amount):
        nonlocal held, most
        with budget.share(amount, CallContext(), patience_s=30) as share:
            with guard:
                held += share
                most = max(most, held)
            time.sleep(0.002)
            with guard:
                held -= share

    threads = [threading.Thread(target=work, args=(7 + i % 5 * 20,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert held == 0
    assert 0 < most <= 100
    with budget.share(1000, CallContext()) as share:
        assert share == 100


def test_who_cannot_have_a_share_is_told_when_to_come_back():
    budget = ByteBudget(10)
    with budget.share(10, CallContext()):
        with pytest.raises(ServerBusy) as busy, budget.share(1, CallContext(), patience_s=0.3):
            pass
        assert busy.value.retry_after_s
        late = CallContext(deadline=time.monotonic() + 0.2)
        with pytest.raises(DeadlineExceeded), budget.share(1, late):
            pass
        gone = CallContext()
        gone.stop.set()
        with pytest.raises(Cancelled), budget.share(1, gone):
            pass
    with budget.share(10, CallContext(), patience_s=0) as share:
        assert share == 10


def test_a_share_is_given_back_after_an_error():
    budget = ByteBudget(10)
    with pytest.raises(KeyError), budget.share(10, CallContext()):
        raise KeyError("x")
    with budget.share(10, CallContext(), patience_s=0) as share:
        assert share == 10
