"""W3C Trace Context: what is a trace and what is not."""

import pytest

from voxgate.model.tracing import NO_TRACE, PassedOn, trace_headers

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


@pytest.mark.parametrize(
    "parent", [PARENT, f"00-{TRACE_ID}-{SPAN_ID}-00", f"01-{TRACE_ID}-{SPAN_ID}-ff", f" {PARENT} "]
)
def test_a_trace_is_passed_on_as_it_is(parent):
    headers = trace_headers({"traceparent": parent, "tracestate": "a=1,b=2", "cookie": "x"})
    assert headers == (("traceparent", parent.strip()), ("tracestate", "a=1,b=2"))
    assert PassedOn(headers).trace_id == TRACE_ID


@pytest.mark.parametrize(
    "parent",
    [
        "",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        PARENT.upper(),
        f"{PARENT}-more",
        f"{PARENT}\r\nx: y",
        PARENT[:-1],
    ],
)
def test_what_is_no_trace_is_none(parent):
    assert trace_headers({"traceparent": parent, "tracestate": "a=1"}) == ()


@pytest.mark.parametrize("state", ["", "a=" + "x" * 600, "a=ü", "a=1\nb: 2"])
def test_a_state_that_cannot_be_passed_on_is_left_out(state):
    assert trace_headers({"traceparent": PARENT, "tracestate": state}) == (("traceparent", PARENT),)


def test_no_trace_says_nothing_and_notices_nothing():
    with NO_TRACE.span("store.read", {"voxgate.remote": "a"}):
        assert (NO_TRACE.headers, NO_TRACE.trace_id) == ((), "")
