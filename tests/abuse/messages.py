"""Requests of every method of every service: random messages of the right shape, and bytes of none."""

from __future__ import annotations

import collections
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from abuse.fuzzing import Outcome, mutated
from abuse.serving import PATIENCE_S, Suite, raw_channel
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from voxgate.v1 import volume_pb2
from voxgate.wire import contract

_CALL_S = 2.0
_NAMES = ("files/seg", "files/em", "mem/seg", "mem/new", "aniso", "aniso/seg", "aniso/em", "files", "mem", "")
_TEXTS = (
    "", "a", "v1", "0", "4_4_40", "at/4_4_40", "files/../x", "files/%2e%2e/x", "files/%2F", "/etc/passwd", "file:///etc",
    "http://169.254.169.254/", "s3://x/y", "a" * 300, "é", "\0", "\n", "%", "@", "a@b@c", "uuid:04194f17-03dc-4f96",
    "04194f17-03dc-4f96-8d65-591edaaa8b75", "precomputed", "zarr", "n5", "draco", "obj", "ply", "zmesh", "kimimaro",
)  # fmt: skip
_WHOLE = (0, 1, 2, 3, 5, 7, 8, 63, 64, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
_REAL = (0.0, 1.0, -1.0, 0.5, 4.0, 40.0, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"))
_BITS = {
    FieldDescriptor.TYPE_INT32: (32, True), FieldDescriptor.TYPE_SINT32: (32, True),
    FieldDescriptor.TYPE_SFIXED32: (32, True), FieldDescriptor.TYPE_INT64: (64, True),
    FieldDescriptor.TYPE_SINT64: (64, True), FieldDescriptor.TYPE_SFIXED64: (64, True),
    FieldDescriptor.TYPE_UINT32: (32, False), FieldDescriptor.TYPE_FIXED32: (32, False),
    FieldDescriptor.TYPE_UINT64: (64, False), FieldDescriptor.TYPE_FIXED64: (64, False),
}  # fmt: skip


def methods() -> list[MethodDescriptor]:
    """Every method of every service."""
    return list(contract.method_descriptors())


def random_message(rng: random.Random, kind: Descriptor, depth: int = 0) -> Any:
    """A message of a kind: some fields, with likely and with absurd values."""
    message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        likely = 0.9 if "volume" in field.name or field.message_type is not None else 0.4
        if rng.random() < (likely if depth < 2 else 0.6):
            _fill(rng, message, field, depth)
    return message


def _fill(rng: random.Random, message: Any, field: FieldDescriptor, depth: int) -> None:
    count = rng.choice((0, 1, 1, 2, 3, 40)) if field.is_repeated else 1
    for _ in range(count):
        if field.message_type is not None:
            if depth > 6:
                return
            if field.message_type.GetOptions().map_entry:
                return
            value = random_message(rng, field.message_type, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                getattr(message, field.name).CopyFrom(value)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(rng, field))
        else:
            setattr(message, field.name, _value(rng, field))


def _value(rng: random.Random, field: FieldDescriptor) -> Any:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        is_name = any(word in field.name for word in ("volume", "name", "source", "destination", "parent", "prefix"))
        return rng.choice(_NAMES if is_name and rng.random() < 0.9 else _TEXTS)
    if kind == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice((0, 1, 8, 64, 720)))
    if kind == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == FieldDescriptor.TYPE_ENUM:
        return rng.choice([*(value.number for value in field.enum_type.values), 77])
    if kind in _BITS:
        bits, is_signed = _BITS[kind]
        value = rng.randrange(-12, 40) if rng.random() < 0.7 else rng.choice(_WHOLE)
        return ((value + (1 << bits - 1)) % (1 << bits)) - (1 << bits - 1) if is_signed else value % (1 << bits)
    return rng.choice(_REAL)


class Caller:
    """Sends requests to a suite and looks at how each ends."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self.codes: collections.Counter[str] = collections.Counter()
        self.faults: list[dict[str, str]] = []

    def send(self, method: MethodDescriptor, requests: list[bytes]) -> None:
        """One call, its answer read for as long as anybody waits here."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        make: Callable[..., Any] = getattr(
            self._channel,
            ("stream_" if method.client_streaming else "unary_") + ("stream" if method.server_streaming else "unary"),
        )
        asked = iter(requests) if method.client_streaming else requests[0]
        began = time.monotonic()
        try:
            answer = make(path)(asked, timeout=_CALL_S)
            if method.server_streaming:
                for number, _ in enumerate(answer):
                    if number > 50:
                        answer.cancel()
                        break
            code = "OK"
        except grpc.RpcError as error:
            code = error.code().name
            has_details = any(key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ())
            is_ours = code in ("DEADLINE_EXCEEDED", "CANCELLED", "UNIMPLEMENTED") or has_details
            if code in ("INTERNAL", "UNKNOWN") or not is_ours:
                self._note(f"{path}: {code} {error.details()[:200]}", requests[0])
        self.codes[code] += 1
        if time.monotonic() - began > PATIENCE_S:
            self._note(f"{path}: hung", requests[0])

    def _note(self, fault: str, request: bytes) -> None:
        if len(self.faults) < 40 and all(one["fault"] != fault for one in self.faults):
            self.faults.append({"fault": fault, "input": request[:2048].hex()})


def _requests(rng: random.Random, method: MethodDescriptor) -> list[bytes]:
    made = [
        random_message(rng, method.input_type) for _ in range(rng.randrange(1, 4) if method.client_streaming else 1)
    ]
    if method.name == "WriteCutout":
        _in_order(rng, made)
    data = [message.SerializeToString() for message in made]
    if rng.random() < 0.1:
        return [mutated(rng, data)]
    return data


def _in_order(rng: random.Random, messages: list[Any]) -> None:
    """A write that gets further than its header, most of the time."""
    header = messages[0].header
    if rng.random() < 0.8:
        header.volume, header.data_type, header.scale_index = "mem/seg", 8, 0
        header.box.CopyFrom(volume_pb2.WriteCutoutHeader().box)
        header.box.start.SetInParent()
        header.box.stop.x, header.box.stop.y, header.box.stop.z = 10, 9, 8
    for message in messages[1:]:
        message.ClearField("header")


def fuzz_methods(suite: Suite, count: int, seed: int = 0) -> Iterator[Outcome]:
    """Send `count` requests to every method, and look whether others are served after each method."""
    for method in methods():
        rng = random.Random(f"{method.full_name} {seed}")
        before, began = suite.resident_bytes(), time.monotonic()
        with raw_channel(suite.grpc) as channel:
            caller = Caller(channel)
            for _ in range(count):
                caller.send(method, _requests(rng, method))
        suite.is_well()
        codes = caller.codes
        outcome = Outcome(f"{method.containing_service.name}.{method.name}", sum(codes.values()), codes["OK"])
        outcome.refused = outcome.inputs - outcome.taken
        outcome.grown_bytes = max(0, suite.resident_bytes() - before)
        outcome.seconds = time.monotonic() - began
        outcome.faults = caller.faults
        yield outcome
