from voxgate.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_GROUP: _ClassVar[EntryKind]
    ENTRY_KIND_VOLUME: _ClassVar[EntryKind]
    ENTRY_KIND_KEY_VALUES: _ClassVar[EntryKind]

class WriteOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WRITE_OUTCOME_UNSPECIFIED: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_COMPLETE: _ClassVar[WriteOutcome]
    WRITE_OUTCOME_PARTIAL: _ClassVar[WriteOutcome]

class DownsamplingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOWNSAMPLING_STATE_UNSPECIFIED: _ClassVar[DownsamplingState]
    DOWNSAMPLING_STATE_NONE: _ClassVar[DownsamplingState]
    DOWNSAMPLING_STATE_QUEUED: _ClassVar[DownsamplingState]
    DOWNSAMPLING_STATE_RUNNING: _ClassVar[DownsamplingState]
    DOWNSAMPLING_STATE_DONE: _ClassVar[DownsamplingState]
    DOWNSAMPLING_STATE_FAILED: _ClassVar[DownsamplingState]
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_GROUP: EntryKind
ENTRY_KIND_VOLUME: EntryKind
ENTRY_KIND_KEY_VALUES: EntryKind
WRITE_OUTCOME_UNSPECIFIED: WriteOutcome
WRITE_OUTCOME_COMPLETE: WriteOutcome
WRITE_OUTCOME_PARTIAL: WriteOutcome
DOWNSAMPLING_STATE_UNSPECIFIED: DownsamplingState
DOWNSAMPLING_STATE_NONE: DownsamplingState
DOWNSAMPLING_STATE_QUEUED: DownsamplingState
DOWNSAMPLING_STATE_RUNNING: DownsamplingState
DOWNSAMPLING_STATE_DONE: DownsamplingState
DOWNSAMPLING_STATE_FAILED: DownsamplingState

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServiceEndpoint(_message.Message):
    __slots__ = ("service", "address", "requirements", "plugins")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REQUIREMENTS_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    requirements: _containers.RepeatedScalarFieldContainer[str]
    plugins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., requirements: _Optional[_Iterable[str]] = ..., plugins: _Optional[_Iterable[str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_cutout_bytes", "max_chunk_bytes", "max_message_bytes", "max_segment_count", "max_scan_voxel_count")
    MAX_CUTOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_SEGMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_SCAN_VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    max_cutout_bytes: int
    max_chunk_bytes: int
    max_message_bytes: int
    max_segment_count: int
    max_scan_voxel_count: int
    def __init__(self, max_cutout_bytes: _Optional[int] = ..., max_chunk_bytes: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_segment_count: _Optional[int] = ..., max_scan_voxel_count: _Optional[int] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("server_id", "server_version", "services", "limits", "encodings", "writes_enabled", "http_url", "contract_version", "adapters")
    SERVER_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    WRITES_ENABLED_FIELD_NUMBER: _ClassVar[int]
    HTTP_URL_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    server_id: str
    server_version: str
    services: _containers.RepeatedCompositeFieldContainer[ServiceEndpoint]
    limits: Limits
    encodings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Encoding]
    writes_enabled: bool
    http_url: str
    contract_version: str
    adapters: _containers.RepeatedCompositeFieldContainer[InstalledAdapter]
    def __init__(self, server_id: _Optional[str] = ..., server_version: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServiceEndpoint, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., encodings: _Optional[_Iterable[_Union[_types_pb2.Encoding, _Mapping]]] = ..., writes_enabled: bool = ..., http_url: _Optional[str] = ..., contract_version: _Optional[str] = ..., adapters: _Optional[_Iterable[_Union[InstalledAdapter, _Mapping]]] = ...) -> None: ...

class InstalledAdapter(_message.Message):
    __slots__ = ("scheme", "package", "version")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    package: str
    version: str
    def __init__(self, scheme: _Optional[str] = ..., package: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ListRemotesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class RemoteEntry(_message.Message):
    __slots__ = ("name", "store", "writable", "deletable")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_FIELD_NUMBER: _ClassVar[int]
    DELETABLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    store: str
    writable: bool
    deletable: bool
    def __init__(self, name: _Optional[str] = ..., store: _Optional[str] = ..., writable: bool = ..., deletable: bool = ...) -> None: ...

class ListRemotesResponse(_message.Message):
    __slots__ = ("remotes", "next_page_token")
    REMOTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    remotes: _containers.RepeatedCompositeFieldContainer[RemoteEntry]
    next_page_token: str
    def __init__(self, remotes: _Optional[_Iterable[_Union[RemoteEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListVolumesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class VolumeEntry(_message.Message):
    __slots__ = ("name", "kind")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: EntryKind
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[EntryKind, str]] = ...) -> None: ...

class ListVolumesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[VolumeEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[VolumeEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetVolumeRequest(_message.Message):
    __slots__ = ("volume", "version")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class GetVolumeResponse(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: _types_pb2.Volume
    def __init__(self, volume: _Optional[_Union[_types_pb2.Volume, _Mapping]] = ...) -> None: ...

class ResolveVolumeRequest(_message.Message):
    __slots__ = ("uri",)
    URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    def __init__(self, uri: _Optional[str] = ...) -> None: ...

class ResolveVolumeResponse(_message.Message):
    __slots__ = ("volume", "version")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ReadCutoutRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "box", "channels", "time_index", "accept_encodings", "if_version", "label_view", "want_checksums")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    WANT_CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    box: _types_pb2.Box
    channels: _containers.RepeatedScalarFieldContainer[int]
    time_index: int
    accept_encodings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Encoding]
    if_version: str
    label_view: _types_pb2.LabelView
    want_checksums: bool
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., channels: _Optional[_Iterable[int]] = ..., time_index: _Optional[int] = ..., accept_encodings: _Optional[_Iterable[_Union[_types_pb2.Encoding, _Mapping]]] = ..., if_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., want_checksums: bool = ...) -> None: ...

class CutoutHeader(_message.Message):
    __slots__ = ("resolved_version", "data_type", "box", "scale_index", "channel_count", "encodings", "fill_value", "label_view")
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    FILL_VALUE_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    resolved_version: str
    data_type: _types_pb2.DataType
    box: _types_pb2.Box
    scale_index: int
    channel_count: int
    encodings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Encoding]
    fill_value: bytes
    label_view: _types_pb2.LabelView
    def __init__(self, resolved_version: _Optional[str] = ..., data_type: _Optional[_Union[_types_pb2.DataType, str]] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., scale_index: _Optional[int] = ..., channel_count: _Optional[int] = ..., encodings: _Optional[_Iterable[_Union[_types_pb2.Encoding, _Mapping]]] = ..., fill_value: _Optional[bytes] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ...) -> None: ...

class CutoutSummary(_message.Message):
    __slots__ = ("chunk_count", "absent_chunk_count", "size_bytes")
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    ABSENT_CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    chunk_count: int
    absent_chunk_count: int
    size_bytes: int
    def __init__(self, chunk_count: _Optional[int] = ..., absent_chunk_count: _Optional[int] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ReadCutoutResponse(_message.Message):
    __slots__ = ("header", "chunks", "summary", "progress")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    header: CutoutHeader
    chunks: _containers.RepeatedCompositeFieldContainer[_types_pb2.Chunk]
    summary: CutoutSummary
    progress: _types_pb2.Progress
    def __init__(self, header: _Optional[_Union[CutoutHeader, _Mapping]] = ..., chunks: _Optional[_Iterable[_Union[_types_pb2.Chunk, _Mapping]]] = ..., summary: _Optional[_Union[CutoutSummary, _Mapping]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ...) -> None: ...

class ReadChunkRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "box", "channels", "time_index", "accept_encodings", "if_version", "label_view", "want_checksums")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    WANT_CHECKSUMS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    box: _types_pb2.Box
    channels: _containers.RepeatedScalarFieldContainer[int]
    time_index: int
    accept_encodings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Encoding]
    if_version: str
    label_view: _types_pb2.LabelView
    want_checksums: bool
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., channels: _Optional[_Iterable[int]] = ..., time_index: _Optional[int] = ..., accept_encodings: _Optional[_Iterable[_Union[_types_pb2.Encoding, _Mapping]]] = ..., if_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., want_checksums: bool = ...) -> None: ...

class ReadChunkResponse(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: CutoutHeader
    chunk: _types_pb2.Chunk
    def __init__(self, header: _Optional[_Union[CutoutHeader, _Mapping]] = ..., chunk: _Optional[_Union[_types_pb2.Chunk, _Mapping]] = ...) -> None: ...

class WriteCutoutHeader(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "box", "data_type", "encodings", "time_index")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    box: _types_pb2.Box
    data_type: _types_pb2.DataType
    encodings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Encoding]
    time_index: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., data_type: _Optional[_Union[_types_pb2.DataType, str]] = ..., encodings: _Optional[_Iterable[_Union[_types_pb2.Encoding, _Mapping]]] = ..., time_index: _Optional[int] = ...) -> None: ...

class WriteCutoutRequest(_message.Message):
    __slots__ = ("header", "chunks")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    header: WriteCutoutHeader
    chunks: _containers.RepeatedCompositeFieldContainer[_types_pb2.Chunk]
    def __init__(self, header: _Optional[_Union[WriteCutoutHeader, _Mapping]] = ..., chunks: _Optional[_Iterable[_Union[_types_pb2.Chunk, _Mapping]]] = ...) -> None: ...

class WriteFailure(_message.Message):
    __slots__ = ("box", "error")
    BOX_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    box: _types_pb2.Box
    error: _types_pb2.ItemError
    def __init__(self, box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., error: _Optional[_Union[_types_pb2.ItemError, _Mapping]] = ...) -> None: ...

class WriteCutoutResponse(_message.Message):
    __slots__ = ("outcome", "written", "failures", "size_bytes", "resolved_version")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    outcome: WriteOutcome
    written: _containers.RepeatedCompositeFieldContainer[_types_pb2.Box]
    failures: _containers.RepeatedCompositeFieldContainer[WriteFailure]
    size_bytes: int
    resolved_version: str
    def __init__(self, outcome: _Optional[_Union[WriteOutcome, str]] = ..., written: _Optional[_Iterable[_Union[_types_pb2.Box, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[WriteFailure, _Mapping]]] = ..., size_bytes: _Optional[int] = ..., resolved_version: _Optional[str] = ...) -> None: ...

class CreateVolumeRequest(_message.Message):
    __slots__ = ("volume", "spec")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    volume: str
    spec: _types_pb2.VolumeSpec
    def __init__(self, volume: _Optional[str] = ..., spec: _Optional[_Union[_types_pb2.VolumeSpec, _Mapping]] = ...) -> None: ...

class CreateVolumeResponse(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: _types_pb2.Volume
    def __init__(self, volume: _Optional[_Union[_types_pb2.Volume, _Mapping]] = ...) -> None: ...

class DeleteVolumeRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class DeleteVolumeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDownsamplingRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class GetDownsamplingResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: DownsamplingState
    def __init__(self, state: _Optional[_Union[DownsamplingState, str]] = ...) -> None: ...

class StartDownsamplingRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class StartDownsamplingResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: DownsamplingState
    def __init__(self, state: _Optional[_Union[DownsamplingState, str]] = ...) -> None: ...
