import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from voxgate.model import errors
from voxgate.model.reasons import error_class
from voxgate.wire.errors import (
    DETAILS_KEY,
    error_from_item,
    from_rpc_error,
    item_from_error,
    status_code,
    to_status,
)


class FailedCall(grpc.RpcError, grpc.Call):
    """A call as grpc raises it."""

    def __init__(self, code, details, trailers=()):
        self._code, self._details, self._trailers = code, details, trailers

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._trailers

    initial_metadata = time_remaining = is_active = cancel = add_callback = None


FailedCall.__abstractmethods__ = frozenset()


def leaves(kind=errors.VoxgateError):
    for child in kind.__subclasses__():
        yield from leaves(child)
    if not kind.__subclasses__():
        yield kind


TRAVELLING = [
    kind
    for kind in leaves()
    if kind not in (errors.IncompleteAnswer, errors.PartialWriteError, errors.TlsFailed, errors.JobFailed)
]


@pytest.mark.parametrize("kind", TRAVELLING)
def test_every_error_comes_back_as_what_it_was(kind):
    sent = kind("what happened", "what to do", details={"name": "a/b", "field": "box"}, retry_after_s=2.5)
    status = to_status(sent)
    call = FailedCall(status_code(sent), status.message, ((DETAILS_KEY, status.SerializeToString()),))
    got = from_rpc_error(call)
    assert type(got) is kind
    assert (got.message, got.remedy, got.details) == (sent.message, sent.remedy, sent.details)
    assert type(error_from_item(item_from_error(sent))) is kind


def details_of(status, kind):
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            return message
    return None


def test_details_are_of_the_kinds_the_contract_promises():
    bad = to_status(errors.OutOfBounds("x")), to_status(errors.EmptyBox("x", details={"field": "box"}))
    assert details_of(bad[1], error_details_pb2.BadRequest).field_violations[0].field == "box"
    missing = to_status(errors.UnknownVolume("x", details={"name": "a/b"}))
    assert details_of(missing, error_details_pb2.ResourceInfo).resource_name == "a/b"
    for error in (errors.StoreUnavailable("x", retry_after_s=3), errors.ServerBusy("x", retry_after_s=3)):
        assert details_of(to_status(error), error_details_pb2.RetryInfo).retry_delay.seconds == 3
    assert details_of(bad[0], error_details_pb2.RetryInfo) is None


def test_details_stay_small_whatever_is_put_into_them():
    huge = errors.UnknownVolume("m" * 50_000, "r" * 50_000, details={f"k{i}": "v" * 9_000 for i in range(500)})
    status = to_status(huge)
    assert len(status.SerializeToString()) < 4096
    assert "cut off" in status.message


def test_a_failure_without_our_details_is_told_by_its_code():
    assert isinstance(from_rpc_error(FailedCall(grpc.StatusCode.UNAVAILABLE, "refused")), errors.ServerUnreachable)
    assert isinstance(from_rpc_error(FailedCall(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")), errors.ServerBusy)
    assert isinstance(from_rpc_error(FailedCall(grpc.StatusCode.NOT_FOUND, "gone")), errors.NotFound)
    assert isinstance(from_rpc_error(FailedCall(grpc.StatusCode.UNKNOWN, "?")), errors.InternalError)
    garbage = FailedCall(grpc.StatusCode.INTERNAL, "?", ((DETAILS_KEY, b"\xff\xff\xff"),))
    assert isinstance(from_rpc_error(garbage), errors.InternalError)
    foreign = status_pb2.Status(code=5, message="theirs")
    foreign.details.add().Pack(error_details_pb2.ErrorInfo(reason="X", domain="example.com"))
    call = FailedCall(grpc.StatusCode.NOT_FOUND, "theirs", ((DETAILS_KEY, foreign.SerializeToString()),))
    assert type(from_rpc_error(call)) is errors.NotFound


def test_a_reason_of_a_newer_contract_falls_back_to_the_kind_of_its_code():
    status = to_status(errors.ReadOnly("locked", "unlock it"))
    info = error_details_pb2.ErrorInfo(reason="FROZEN_BY_A_NEWER_SERVER", domain="voxgate")
    status.details[0].Pack(info)
    call = FailedCall(grpc.StatusCode.FAILED_PRECONDITION, "x", ((DETAILS_KEY, status.SerializeToString()),))
    assert type(from_rpc_error(call)) is errors.FailedPrecondition
    assert error_class("FROZEN_BY_A_NEWER_SERVER") is None


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        (
            "Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: WRONG_VERSION_NUMBER: Invalid",
            "SPEAKS_NO_TLS",
        ),
        ("Ssl handshake failed: SSL_ERROR_SSL: …:CERTIFICATE_VERIFY_FAILED: certificate has expired", "EXPIRED"),
        ("SSL handshake failed: CERTIFICATE_VERIFY_FAILED: unable to get local issuer", "UNKNOWN_AUTHORITY"),
        ("Custom verification check failed with error: … Hostname Verification Check failed.", "OTHER_NAME"),
        ("Ssl handshake failed: something new", "OTHER"),
    ],
)
def test_what_grpc_says_of_tls_becomes_an_error_that_says_what_to_do(words, trouble):
    text = f"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:5: {words}"
    got = from_rpc_error(FailedCall(grpc.StatusCode.UNAVAILABLE, text), "brains.example:5")
    assert type(got) is errors.TlsFailed
    assert got.details == {"tls": trouble}
    assert "brains.example:5" in got.message


def test_a_connection_that_failed_in_another_way_is_no_trouble_of_tls():
    for text in ("Socket closed", "failed to connect to all addresses; last error: connect: Connection refused", ""):
        got = from_rpc_error(FailedCall(grpc.StatusCode.UNAVAILABLE, text))
        assert type(got) is errors.ServerUnreachable
