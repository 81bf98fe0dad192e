from voxgate.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SegmentOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEGMENT_ORDER_UNSPECIFIED: _ClassVar[SegmentOrder]
    SEGMENT_ORDER_ID: _ClassVar[SegmentOrder]
    SEGMENT_ORDER_LARGEST_FIRST: _ClassVar[SegmentOrder]

class SegmentPropertyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEGMENT_PROPERTY_KIND_UNSPECIFIED: _ClassVar[SegmentPropertyKind]
    SEGMENT_PROPERTY_KIND_LABEL: _ClassVar[SegmentPropertyKind]
    SEGMENT_PROPERTY_KIND_DESCRIPTION: _ClassVar[SegmentPropertyKind]
    SEGMENT_PROPERTY_KIND_TEXT: _ClassVar[SegmentPropertyKind]
    SEGMENT_PROPERTY_KIND_TAGS: _ClassVar[SegmentPropertyKind]
    SEGMENT_PROPERTY_KIND_NUMBER: _ClassVar[SegmentPropertyKind]
SEGMENT_ORDER_UNSPECIFIED: SegmentOrder
SEGMENT_ORDER_ID: SegmentOrder
SEGMENT_ORDER_LARGEST_FIRST: SegmentOrder
SEGMENT_PROPERTY_KIND_UNSPECIFIED: SegmentPropertyKind
SEGMENT_PROPERTY_KIND_LABEL: SegmentPropertyKind
SEGMENT_PROPERTY_KIND_DESCRIPTION: SegmentPropertyKind
SEGMENT_PROPERTY_KIND_TEXT: SegmentPropertyKind
SEGMENT_PROPERTY_KIND_TAGS: SegmentPropertyKind
SEGMENT_PROPERTY_KIND_NUMBER: SegmentPropertyKind

class ListSegmentsRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "box", "order", "page_size", "page_token", "label_view", "time_index", "ids_only")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    IDS_ONLY_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    box: _types_pb2.Box
    order: SegmentOrder
    page_size: int
    page_token: str
    label_view: _types_pb2.LabelView
    time_index: int
    ids_only: bool
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., order: _Optional[_Union[SegmentOrder, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ..., ids_only: bool = ...) -> None: ...

class SegmentCount(_message.Message):
    __slots__ = ("segment_id", "voxel_count")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    voxel_count: int
    def __init__(self, segment_id: _Optional[int] = ..., voxel_count: _Optional[int] = ...) -> None: ...

class ListSegmentsResponse(_message.Message):
    __slots__ = ("segments", "next_page_token", "total_count", "resolved_version", "label_view", "support")
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedCompositeFieldContainer[SegmentCount]
    next_page_token: str
    total_count: int
    resolved_version: str
    label_view: _types_pb2.LabelView
    support: _types_pb2.ServiceSupport
    def __init__(self, segments: _Optional[_Iterable[_Union[SegmentCount, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_count: _Optional[int] = ..., resolved_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., support: _Optional[_Union[_types_pb2.ServiceSupport, str]] = ...) -> None: ...

class LookupSegmentsRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "points", "label_view", "time_index")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    points: _containers.RepeatedCompositeFieldContainer[_types_pb2.Vec3]
    label_view: _types_pb2.LabelView
    time_index: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., points: _Optional[_Iterable[_Union[_types_pb2.Vec3, _Mapping]]] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ...) -> None: ...

class LookupSegmentsResponse(_message.Message):
    __slots__ = ("segment_ids", "resolved_version", "label_view", "support")
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    resolved_version: str
    label_view: _types_pb2.LabelView
    support: _types_pb2.ServiceSupport
    def __init__(self, segment_ids: _Optional[_Iterable[int]] = ..., resolved_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., support: _Optional[_Union[_types_pb2.ServiceSupport, str]] = ...) -> None: ...

class GetSegmentBoundsRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "segment_ids", "label_view", "time_index")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    label_view: _types_pb2.LabelView
    time_index: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., segment_ids: _Optional[_Iterable[int]] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ...) -> None: ...

class SegmentBounds(_message.Message):
    __slots__ = ("segment_id", "box", "is_exact", "voxel_count", "error")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    IS_EXACT_FIELD_NUMBER: _ClassVar[int]
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    box: _types_pb2.Box
    is_exact: bool
    voxel_count: int
    error: _types_pb2.ItemError
    def __init__(self, segment_id: _Optional[int] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., is_exact: bool = ..., voxel_count: _Optional[int] = ..., error: _Optional[_Union[_types_pb2.ItemError, _Mapping]] = ...) -> None: ...

class GetSegmentBoundsResponse(_message.Message):
    __slots__ = ("bounds", "resolved_version", "label_view", "support")
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    bounds: _containers.RepeatedCompositeFieldContainer[SegmentBounds]
    resolved_version: str
    label_view: _types_pb2.LabelView
    support: _types_pb2.ServiceSupport
    def __init__(self, bounds: _Optional[_Iterable[_Union[SegmentBounds, _Mapping]]] = ..., resolved_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., support: _Optional[_Union[_types_pb2.ServiceSupport, str]] = ...) -> None: ...

class ReadSegmentVoxelsRequest(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "segment_id", "box", "label_view", "time_index")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    segment_id: int
    box: _types_pb2.Box
    label_view: _types_pb2.LabelView
    time_index: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., segment_id: _Optional[int] = ..., box: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ...) -> None: ...

class SegmentVoxelsHeader(_message.Message):
    __slots__ = ("resolved_version", "label_view", "support", "scale_index")
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    resolved_version: str
    label_view: _types_pb2.LabelView
    support: _types_pb2.ServiceSupport
    scale_index: int
    def __init__(self, resolved_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., support: _Optional[_Union[_types_pb2.ServiceSupport, str]] = ..., scale_index: _Optional[int] = ...) -> None: ...

class SegmentVoxelsSummary(_message.Message):
    __slots__ = ("run_count", "voxel_count")
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    run_count: int
    voxel_count: int
    def __init__(self, run_count: _Optional[int] = ..., voxel_count: _Optional[int] = ...) -> None: ...

class ReadSegmentVoxelsResponse(_message.Message):
    __slots__ = ("header", "summary", "progress", "run_count", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: SegmentVoxelsHeader
    summary: SegmentVoxelsSummary
    progress: _types_pb2.Progress
    run_count: int
    data: bytes
    def __init__(self, header: _Optional[_Union[SegmentVoxelsHeader, _Mapping]] = ..., summary: _Optional[_Union[SegmentVoxelsSummary, _Mapping]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., run_count: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class GetSupervoxelsRequest(_message.Message):
    __slots__ = ("volume", "version", "segment_ids")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., segment_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class SupervoxelSet(_message.Message):
    __slots__ = ("segment_id", "supervoxel_ids", "error")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUPERVOXEL_IDS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    supervoxel_ids: _containers.RepeatedScalarFieldContainer[int]
    error: _types_pb2.ItemError
    def __init__(self, segment_id: _Optional[int] = ..., supervoxel_ids: _Optional[_Iterable[int]] = ..., error: _Optional[_Union[_types_pb2.ItemError, _Mapping]] = ...) -> None: ...

class GetSupervoxelsResponse(_message.Message):
    __slots__ = ("bodies", "resolved_version")
    BODIES_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    bodies: _containers.RepeatedCompositeFieldContainer[SupervoxelSet]
    resolved_version: str
    def __init__(self, bodies: _Optional[_Iterable[_Union[SupervoxelSet, _Mapping]]] = ..., resolved_version: _Optional[str] = ...) -> None: ...

class LookupBodiesRequest(_message.Message):
    __slots__ = ("volume", "version", "supervoxel_ids")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SUPERVOXEL_IDS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    supervoxel_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., supervoxel_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class LookupBodiesResponse(_message.Message):
    __slots__ = ("segment_ids", "resolved_version")
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    resolved_version: str
    def __init__(self, segment_ids: _Optional[_Iterable[int]] = ..., resolved_version: _Optional[str] = ...) -> None: ...

class ReserveSegmentIdsRequest(_message.Message):
    __slots__ = ("volume", "version", "count")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    count: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ReserveSegmentIdsResponse(_message.Message):
    __slots__ = ("first_segment_id", "count", "resolved_version")
    FIRST_SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    first_segment_id: int
    count: int
    resolved_version: str
    def __init__(self, first_segment_id: _Optional[int] = ..., count: _Optional[int] = ..., resolved_version: _Optional[str] = ...) -> None: ...

class ListSegmentPropertiesRequest(_message.Message):
    __slots__ = ("volume", "version", "segment_ids", "properties", "page_size", "page_token", "label_view", "time_index")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    properties: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    label_view: _types_pb2.LabelView
    time_index: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., segment_ids: _Optional[_Iterable[int]] = ..., properties: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ...) -> None: ...

class SegmentProperty(_message.Message):
    __slots__ = ("name", "kind", "description", "data_type", "tags", "tag_descriptions", "texts", "tag_counts", "tag_indices", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TAG_DESCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TAG_COUNTS_FIELD_NUMBER: _ClassVar[int]
    TAG_INDICES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: SegmentPropertyKind
    description: str
    data_type: _types_pb2.DataType
    tags: _containers.RepeatedScalarFieldContainer[str]
    tag_descriptions: _containers.RepeatedScalarFieldContainer[str]
    texts: _containers.RepeatedScalarFieldContainer[str]
    tag_counts: _containers.RepeatedScalarFieldContainer[int]
    tag_indices: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[SegmentPropertyKind, str]] = ..., description: _Optional[str] = ..., data_type: _Optional[_Union[_types_pb2.DataType, str]] = ..., tags: _Optional[_Iterable[str]] = ..., tag_descriptions: _Optional[_Iterable[str]] = ..., texts: _Optional[_Iterable[str]] = ..., tag_counts: _Optional[_Iterable[int]] = ..., tag_indices: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class ListSegmentPropertiesResponse(_message.Message):
    __slots__ = ("segment_ids", "properties", "next_page_token", "total_count", "resolved_version", "label_view")
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    properties: _containers.RepeatedCompositeFieldContainer[SegmentProperty]
    next_page_token: str
    total_count: int
    resolved_version: str
    label_view: _types_pb2.LabelView
    def __init__(self, segment_ids: _Optional[_Iterable[int]] = ..., properties: _Optional[_Iterable[_Union[SegmentProperty, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_count: _Optional[int] = ..., resolved_version: _Optional[str] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ...) -> None: ...
