from voxgate.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SkeletonSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKELETON_SOURCE_UNSPECIFIED: _ClassVar[SkeletonSource]
    SKELETON_SOURCE_AUTO: _ClassVar[SkeletonSource]
    SKELETON_SOURCE_STORED: _ClassVar[SkeletonSource]
    SKELETON_SOURCE_COMPUTED: _ClassVar[SkeletonSource]

class SkeletonOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKELETON_ORIGIN_UNSPECIFIED: _ClassVar[SkeletonOrigin]
    SKELETON_ORIGIN_STORED: _ClassVar[SkeletonOrigin]
    SKELETON_ORIGIN_COMPUTED: _ClassVar[SkeletonOrigin]

class SkeletonFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKELETON_FORMAT_UNSPECIFIED: _ClassVar[SkeletonFormat]
    SKELETON_FORMAT_SWC: _ClassVar[SkeletonFormat]
    SKELETON_FORMAT_PRECOMPUTED: _ClassVar[SkeletonFormat]
SKELETON_SOURCE_UNSPECIFIED: SkeletonSource
SKELETON_SOURCE_AUTO: SkeletonSource
SKELETON_SOURCE_STORED: SkeletonSource
SKELETON_SOURCE_COMPUTED: SkeletonSource
SKELETON_ORIGIN_UNSPECIFIED: SkeletonOrigin
SKELETON_ORIGIN_STORED: SkeletonOrigin
SKELETON_ORIGIN_COMPUTED: SkeletonOrigin
SKELETON_FORMAT_UNSPECIFIED: SkeletonFormat
SKELETON_FORMAT_SWC: SkeletonFormat
SKELETON_FORMAT_PRECOMPUTED: SkeletonFormat

class TeasarParameters(_message.Message):
    __slots__ = ("scale", "const_nm")
    SCALE_FIELD_NUMBER: _ClassVar[int]
    CONST_NM_FIELD_NUMBER: _ClassVar[int]
    scale: float
    const_nm: float
    def __init__(self, scale: _Optional[float] = ..., const_nm: _Optional[float] = ...) -> None: ...

class GetSkeletonsRequest(_message.Message):
    __slots__ = ("volume", "version", "segment_ids", "label_view", "time_index", "source", "scale_index", "scale_key", "teasar")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    TEASAR_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    label_view: _types_pb2.LabelView
    time_index: int
    source: SkeletonSource
    scale_index: int
    scale_key: str
    teasar: TeasarParameters
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., segment_ids: _Optional[_Iterable[int]] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ..., source: _Optional[_Union[SkeletonSource, str]] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., teasar: _Optional[_Union[TeasarParameters, _Mapping]] = ...) -> None: ...

class SkeletonPart(_message.Message):
    __slots__ = ("segment_id", "first_vertex", "vertex_count", "edge_count", "has_radii", "data")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_VERTEX_FIELD_NUMBER: _ClassVar[int]
    VERTEX_COUNT_FIELD_NUMBER: _ClassVar[int]
    EDGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_RADII_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    first_vertex: int
    vertex_count: int
    edge_count: int
    has_radii: bool
    data: bytes
    def __init__(self, segment_id: _Optional[int] = ..., first_vertex: _Optional[int] = ..., vertex_count: _Optional[int] = ..., edge_count: _Optional[int] = ..., has_radii: bool = ..., data: _Optional[bytes] = ...) -> None: ...

class SkeletonEnd(_message.Message):
    __slots__ = ("segment_id", "error", "vertex_count", "edge_count", "origin", "resolved_version", "scale_index", "tree_count", "length_nm")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VERTEX_COUNT_FIELD_NUMBER: _ClassVar[int]
    EDGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LENGTH_NM_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    error: _types_pb2.ItemError
    vertex_count: int
    edge_count: int
    origin: SkeletonOrigin
    resolved_version: str
    scale_index: int
    tree_count: int
    length_nm: float
    def __init__(self, segment_id: _Optional[int] = ..., error: _Optional[_Union[_types_pb2.ItemError, _Mapping]] = ..., vertex_count: _Optional[int] = ..., edge_count: _Optional[int] = ..., origin: _Optional[_Union[SkeletonOrigin, str]] = ..., resolved_version: _Optional[str] = ..., scale_index: _Optional[int] = ..., tree_count: _Optional[int] = ..., length_nm: _Optional[float] = ...) -> None: ...

class GetSkeletonsResponse(_message.Message):
    __slots__ = ("parts", "ends", "progress")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[SkeletonPart]
    ends: _containers.RepeatedCompositeFieldContainer[SkeletonEnd]
    progress: _types_pb2.Progress
    def __init__(self, parts: _Optional[_Iterable[_Union[SkeletonPart, _Mapping]]] = ..., ends: _Optional[_Iterable[_Union[SkeletonEnd, _Mapping]]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ...) -> None: ...

class ExportSkeletonRequest(_message.Message):
    __slots__ = ("spec", "format")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    spec: GetSkeletonsRequest
    format: SkeletonFormat
    def __init__(self, spec: _Optional[_Union[GetSkeletonsRequest, _Mapping]] = ..., format: _Optional[_Union[SkeletonFormat, str]] = ...) -> None: ...

class ExportSkeletonHeader(_message.Message):
    __slots__ = ("media_type", "file_extension")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILE_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    file_extension: str
    def __init__(self, media_type: _Optional[str] = ..., file_extension: _Optional[str] = ...) -> None: ...

class ExportSkeletonResponse(_message.Message):
    __slots__ = ("header", "progress", "end", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: ExportSkeletonHeader
    progress: _types_pb2.Progress
    end: SkeletonEnd
    data: bytes
    def __init__(self, header: _Optional[_Union[ExportSkeletonHeader, _Mapping]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., end: _Optional[_Union[SkeletonEnd, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...
