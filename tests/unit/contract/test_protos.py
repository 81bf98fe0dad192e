"""Rules of the contract that buf does not know."""

from __future__ import annotations

import inspect
import pathlib
import re
import tomllib
from collections.abc import Iterator

import pytest
from google.protobuf import descriptor
from google.protobuf.descriptor_pb2 import FieldOptions

from voxgate.model import errors
from voxgate.v1 import (
    mesh_pb2,
    types_pb2,
    volume_pb2,
    volume_pb2_grpc,
)
from voxgate.wire.contract import FILES as MODULES

FILES = [module.DESCRIPTOR for module in MODULES]
NAMES_OF_IDS = ("segment_id", "segment_ids", "first_segment_id", "supervoxel_ids")
WITH_LABEL_VIEWS = {
    "MeshSpec",
    "ReadCutoutRequest",
    "ListSegmentsRequest",
    "LookupSegmentsRequest",
    "GetSegmentBoundsRequest",
    "ReadSegmentVoxelsRequest",
    "ListSegmentPropertiesRequest",
    "GetSkeletonsRequest",
}
THE_CLIENTS_OWN = {
    "INCOMPLETE_ANSWER",
    "PARTIAL_WRITE",
    "SERVER_UNREACHABLE",
    "TLS_FAILED",
    "JOB_FAILED",
    "UNAUTHENTICATED",
}

RPCS = {
    "VolumeService": {
        "GetServerInfo": "one",
        "ListVolumes": "one",
        "GetVolume": "one",
        "ResolveVolume": "one",
        "ReadCutout": "server stream",
        "ReadChunk": "one",
        "WriteCutout": "client stream",
        "CreateVolume": "one",
        "ListRemotes": "one",
        "DeleteVolume": "one",
        "GetDownsampling": "one",
        "StartDownsampling": "one",
    },
    "VersionService": {
        "ListVersions": "one",
        "CommitVersion": "one",
        "CreateVersion": "one",
        "BranchVersion": "one",
    },
    "MetadataService": {
        "ListMetadata": "one",
        "GetMetadata": "one",
        "SetMetadata": "one",
        "DeleteMetadata": "one",
    },
    "SkeletonService": {"GetSkeletons": "server stream", "ExportSkeleton": "server stream"},
    "SegmentService": {
        "ListSegments": "one",
        "LookupSegments": "one",
        "GetSegmentBounds": "one",
        "ReadSegmentVoxels": "server stream",
        "GetSupervoxels": "one",
        "LookupBodies": "one",
        "ReserveSegmentIds": "one",
        "ListSegmentProperties": "one",
    },
    "MeshService": {
        "GetMeshes": "server stream",
        "ExportMesh": "server stream",
        "CreateMeshJob": "one",
        "ReadMeshFile": "server stream",
    },
    "TransferService": {"CreateTransfer": "one", "CreatePyramid": "one"},
    "JobService": {
        "GetJob": "one",
        "ListJobs": "one",
        "WatchJob": "server stream",
        "CancelJob": "one",
        "ResumeJob": "one",
        "ListJobFailures": "one",
        "ReadJobManifest": "server stream",
    },
}


def messages() -> Iterator[descriptor.Descriptor]:
    pending = [message for file in FILES for message in file.message_types_by_name.values()]
    while pending:
        message = pending.pop()
        yield message
        pending.extend(message.nested_types)


def fields() -> Iterator[descriptor.FieldDescriptor]:
    return (field for message in messages() for field in message.fields)


def kind_of(method: descriptor.MethodDescriptor) -> str:
    names = {(False, False): "one", (False, True): "server stream", (True, False): "client stream"}
    return names.get((method.client_streaming, method.server_streaming), "both ways")


def error_classes() -> list[type[errors.VoxgateError]]:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]
    return [value for value in found if issubclass(value, errors.VoxgateError)]


def classes_with_their_own_reason() -> dict[str, list[type[errors.VoxgateError]]]:
    """The classes that state each reason: bases share a reason with the leaf that speaks for them."""
    by_reason: dict[str, list[type[errors.VoxgateError]]] = {}
    bases = {base for cls in error_classes() for base in cls.__bases__}
    for cls in error_classes():
        if cls not in bases:
            by_reason.setdefault(cls.reason, []).append(cls)
    return by_reason


def test_the_services_are_these_and_stream_like_this() -> None:
    found = {
        service.name: {method.name: kind_of(method) for method in service.methods}
        for file in FILES
        for service in file.services_by_name.values()
    }
    assert found == RPCS


def test_a_file_holds_at_most_one_service() -> None:
    assert max(len(file.services_by_name) for file in FILES) == 1


def test_every_rpc_has_its_own_request_and_response() -> None:
    for file in FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                assert method.input_type.name == f"{method.name}Request"
                assert method.output_type.name == f"{method.name}Response"


def test_every_reason_on_the_wire_has_one_error_and_every_error_a_reason() -> None:
    wire = {name.removeprefix("ERROR_REASON_") for name in types_pb2.ErrorReason.DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }
    # These are reasons of classes that others derive from: wrong, refused or busy in no more special way.
    leaves = classes_with_their_own_reason()
    leaves.setdefault(errors.InvalidArgument.reason, []).append(errors.InvalidArgument)
    for base in (errors.PermissionDenied, errors.ServerBusy):
        leaves.setdefault(base.reason, []).append(base)
    assert {reason: classes for reason, classes in leaves.items() if len(classes) != 1} == {}
    assert set(leaves) - THE_CLIENTS_OWN == wire


def test_no_error_has_a_reason_that_is_neither_on_the_wire_nor_the_clients_own() -> None:
    wire = {name.removeprefix("ERROR_REASON_") for name in types_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert {cls.reason for cls in error_classes()} <= wire | THE_CLIENTS_OWN
    assert not wire & THE_CLIENTS_OWN


def test_segment_ids_are_unsigned_and_strings_in_javascript() -> None:
    named = [field for field in fields() if field.name in NAMES_OF_IDS]
    assert len(named) >= 12
    for field in named:
        assert field.type == descriptor.FieldDescriptor.TYPE_UINT64, field.full_name
        assert field.GetOptions().jstype == FieldOptions.JS_STRING, field.full_name


def test_nothing_that_sounds_like_an_id_escapes_the_rule() -> None:
    numbers = {descriptor.FieldDescriptor.TYPE_UINT64, descriptor.FieldDescriptor.TYPE_INT64}
    stray = [
        f.full_name
        for f in fields()
        if any(word in f.name for word in ("segment", "supervoxel", "body", "bodies"))
        and f.name.endswith(("id", "ids"))
        and f.type in numbers
    ]
    assert all(name.rsplit(".", 1)[1] in NAMES_OF_IDS for name in stray)


def test_payloads_are_the_last_field_number_15() -> None:
    payloads = [field for field in fields() if field.name == "data"]
    assert {field.containing_type.name for field in payloads} == {
        "Chunk",
        "MeshPart",
        "ExportMeshResponse",
        "ReadSegmentVoxelsResponse",
        "SkeletonPart",
        "SegmentProperty",
        "ExportSkeletonResponse",
        "ReadMeshFileResponse",
    }
    for field in payloads:
        assert field.type == descriptor.FieldDescriptor.TYPE_BYTES
        assert field.number == 15
        assert max(other.number for other in field.containing_type.fields) == 15
        assert field.containing_type.fields[-1].name == "data"


def test_enums_start_unspecified_and_carry_their_name() -> None:
    for file in FILES:
        for enum in file.enum_types_by_name.values():
            values = [value.name for value in enum.values]
            prefix = values[0].removesuffix("UNSPECIFIED")
            assert (enum.values[0].number, values[0]) == (0, f"{prefix}UNSPECIFIED")
            assert prefix.replace("_", "").lower() == enum.name.lower()
            assert all(name.startswith(prefix) for name in values)


def test_units_are_in_the_names_of_numbers() -> None:
    forbidden = ("_ns", "_sec", "_seconds", "_kb", "_mb", "size", "length", "num_")
    numbers = [field for field in fields() if field.type not in (9, 11, 12, 14, 8)]
    assert [field.full_name for field in numbers if field.name.endswith(forbidden) and field.name != "page_size"] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_says_its_names_in_other_languages(file: descriptor.FileDescriptor) -> None:
    options = file.GetOptions()
    assert file.package == "voxgate.v1"
    assert options.go_package == "voxgate.dev/go/voxgate/v1;voxgatev1"
    assert options.java_package == "dev.voxgate.v1"
    assert options.java_multiple_files
    assert options.csharp_namespace == "Voxgate.V1"


def test_lists_are_paginated() -> None:
    lists = [message for message in messages() if message.name.startswith("List")]
    assert len(lists) == 16
    for message in lists:
        wanted = {"page_size", "page_token"} if message.name.endswith("Request") else {"next_page_token"}
        assert wanted <= set(message.fields_by_name)


def test_requests_that_name_ids_say_what_an_id_means() -> None:
    for message in messages():
        if message.name in WITH_LABEL_VIEWS:
            assert message.fields_by_name["label_view"].enum_type.name == "LabelView"


@pytest.mark.parametrize("segment_id", [2**53 + 1, 2**63 + 1, 2**64 - 1])
def test_large_ids_survive_json_as_decimal_strings(segment_id: int) -> None:
    from google.protobuf import json_format

    sent = mesh_pb2.MeshEnd(segment_id=segment_id)
    text = json_format.MessageToJson(sent)
    assert f'"{segment_id}"' in text
    assert json_format.Parse(text, mesh_pb2.MeshEnd()).segment_id == segment_id


def test_the_sdk_demands_runtimes_that_can_load_its_stubs() -> None:
    stub, grpc_stub = volume_pb2.__file__, volume_pb2_grpc.__file__
    protobuf = re.search(r"Protobuf Python Version: ([\d.]+)", pathlib.Path(stub).read_text())
    grpcio = re.search(r"GRPC_GENERATED_VERSION = '(\d+\.\d+)", pathlib.Path(grpc_stub).read_text())
    sdk = tomllib.loads((pathlib.Path(stub).parents[2] / "pyproject.toml").read_text())
    lowest = dict(re.match(r"([a-z-]+)>=([\d.]+)", demand).groups() for demand in sdk["project"]["dependencies"])
    assert protobuf is not None
    assert grpcio is not None
    assert (lowest["protobuf"], lowest["grpcio"]) == (protobuf[1], grpcio[1])
