"""Calls about one volume at one version: what every request has in common, how long to wait, whose error it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import grpc

from voxgate.client.channels import Stubs
from voxgate.client.resuming import Persistence, Tries, is_break
from voxgate.client.retrying import ATTEMPTS, REPEATED_CODES, is_repeatable
from voxgate.model.volumes import CallContext, OpenOptions, VolumeFacts
from voxgate.wire.errors import from_rpc_error
from voxgate.wire.volumes import label_view_to_proto

UNARY_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class BoundCalls:
    """Calls about one volume. Thread-safe.

    Attributes:
        stubs: of the server.
        facts: the volume as the server described it.
        options: time, label view and patience; the version is the one that `facts` was resolved to.
    """

    stubs: Stubs
    facts: VolumeFacts
    options: OpenOptions

    @property
    def bound(self) -> OpenOptions:
        """The options, at the resolved version."""
        options = self.options
        return OpenOptions(self.facts.info.resolved_version, options.time_index, options.label_view, options.context)

    @property
    def names(self) -> dict[str, Any]:
        """The fields `volume` and `version` of a request."""
        return {"volume": self.facts.info.name, "version": self.facts.info.resolved_version}

    @property
    def selects(self) -> dict[str, Any]:
        """The fields that every request about voxels or segments has in common, but for the scale."""
        fields = {**self.names, "label_view": label_view_to_proto(self.options.label_view)}
        if self.options.time_index is not None:
            fields["time_index"] = self.options.time_index
        return fields

    def timeout(self, most: float | None) -> float | None:
        """Seconds to wait: `most`, or what the caller's patience leaves.

        Raises:
            Cancelled, DeadlineExceeded: when there is none left.
        """
        context = self.options.context
        context.check()
        if context.deadline is None:
            return most
        left = max(0.0, context.deadline - time.monotonic())
        return left if most is None else min(left, most)

    def unary(self, method: Any, request: Any) -> Any:
        """The answer of a unary call.

        Raises:
            VoxgateError: whatever the server refuses or fails with.
        """
        return unary(method, request, self.stubs.addresses["volume"], self.timeout(UNARY_TIMEOUT_S))


def unary(method: Any, request: Any, address: str, timeout_s: float | None = UNARY_TIMEOUT_S) -> Any:
    """The answer of a unary call to the server at `address`.

    A call that ended with its server is made again, a few times at most, if it changes nothing the second time. (Most
    of them gRPC has made again already: see voxgate.client.retrying.)

    Raises:
        VoxgateError: whatever the server refuses or fails with.
    """
    until = None if timeout_s is None else time.monotonic() + timeout_s
    tries = Tries(CallContext(until), Persistence(first_attempts=ATTEMPTS))
    while True:
        try:
            return method(request, timeout=None if until is None else max(0.0, until - time.monotonic()))
        except grpc.RpcError as error:
            typed = from_rpc_error(error, address)
            if not _is_to_be_repeated(error, request):
                raise typed from None
            tries.broke(typed)


def _is_to_be_repeated(error: grpc.RpcError, request: Any) -> bool:
    # The contract names each request after its method.
    method = request.DESCRIPTOR.name.removesuffix("Request")
    return is_break(error) and error.code().name not in REPEATED_CODES and is_repeatable(method)
