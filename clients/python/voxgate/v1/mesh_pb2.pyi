from voxgate.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MeshBorder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_BORDER_UNSPECIFIED: _ClassVar[MeshBorder]
    MESH_BORDER_CLOSED: _ClassVar[MeshBorder]
    MESH_BORDER_OPEN: _ClassVar[MeshBorder]

class MeshSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_SOURCE_UNSPECIFIED: _ClassVar[MeshSource]
    MESH_SOURCE_AUTO: _ClassVar[MeshSource]
    MESH_SOURCE_STORED: _ClassVar[MeshSource]
    MESH_SOURCE_COMPUTED: _ClassVar[MeshSource]

class MeshSearch(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_SEARCH_UNSPECIFIED: _ClassVar[MeshSearch]
    MESH_SEARCH_AUTO: _ClassVar[MeshSearch]
    MESH_SEARCH_INDEX: _ClassVar[MeshSearch]
    MESH_SEARCH_EVERYWHERE: _ClassVar[MeshSearch]
    MESH_SEARCH_PYRAMID: _ClassVar[MeshSearch]

class MeshSimplification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_SIMPLIFICATION_UNSPECIFIED: _ClassVar[MeshSimplification]
    MESH_SIMPLIFICATION_QUALITY: _ClassVar[MeshSimplification]
    MESH_SIMPLIFICATION_FAST: _ClassVar[MeshSimplification]

class MeshOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_ORIGIN_UNSPECIFIED: _ClassVar[MeshOrigin]
    MESH_ORIGIN_STORED: _ClassVar[MeshOrigin]
    MESH_ORIGIN_COMPUTED: _ClassVar[MeshOrigin]

class MeshFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_FORMAT_UNSPECIFIED: _ClassVar[MeshFormat]
    MESH_FORMAT_OBJ: _ClassVar[MeshFormat]
    MESH_FORMAT_PLY: _ClassVar[MeshFormat]
    MESH_FORMAT_STL: _ClassVar[MeshFormat]
    MESH_FORMAT_GLB: _ClassVar[MeshFormat]
    MESH_FORMAT_PRECOMPUTED: _ClassVar[MeshFormat]
    MESH_FORMAT_DRACO: _ClassVar[MeshFormat]
MESH_BORDER_UNSPECIFIED: MeshBorder
MESH_BORDER_CLOSED: MeshBorder
MESH_BORDER_OPEN: MeshBorder
MESH_SOURCE_UNSPECIFIED: MeshSource
MESH_SOURCE_AUTO: MeshSource
MESH_SOURCE_STORED: MeshSource
MESH_SOURCE_COMPUTED: MeshSource
MESH_SEARCH_UNSPECIFIED: MeshSearch
MESH_SEARCH_AUTO: MeshSearch
MESH_SEARCH_INDEX: MeshSearch
MESH_SEARCH_EVERYWHERE: MeshSearch
MESH_SEARCH_PYRAMID: MeshSearch
MESH_SIMPLIFICATION_UNSPECIFIED: MeshSimplification
MESH_SIMPLIFICATION_QUALITY: MeshSimplification
MESH_SIMPLIFICATION_FAST: MeshSimplification
MESH_ORIGIN_UNSPECIFIED: MeshOrigin
MESH_ORIGIN_STORED: MeshOrigin
MESH_ORIGIN_COMPUTED: MeshOrigin
MESH_FORMAT_UNSPECIFIED: MeshFormat
MESH_FORMAT_OBJ: MeshFormat
MESH_FORMAT_PLY: MeshFormat
MESH_FORMAT_STL: MeshFormat
MESH_FORMAT_GLB: MeshFormat
MESH_FORMAT_PRECOMPUTED: MeshFormat
MESH_FORMAT_DRACO: MeshFormat

class MeshSpec(_message.Message):
    __slots__ = ("volume", "version", "scale_index", "scale_key", "segment_ids", "bounds", "border", "label_view", "time_index", "mesher", "source", "max_error_nm", "target_face_count", "simplification", "normals", "search")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCALE_KEY_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    BORDER_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEW_FIELD_NUMBER: _ClassVar[int]
    TIME_INDEX_FIELD_NUMBER: _ClassVar[int]
    MESHER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_NM_FIELD_NUMBER: _ClassVar[int]
    TARGET_FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIMPLIFICATION_FIELD_NUMBER: _ClassVar[int]
    NORMALS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    scale_index: int
    scale_key: str
    segment_ids: _containers.RepeatedScalarFieldContainer[int]
    bounds: _types_pb2.Box
    border: MeshBorder
    label_view: _types_pb2.LabelView
    time_index: int
    mesher: str
    source: MeshSource
    max_error_nm: float
    target_face_count: int
    simplification: MeshSimplification
    normals: bool
    search: MeshSearch
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., scale_index: _Optional[int] = ..., scale_key: _Optional[str] = ..., segment_ids: _Optional[_Iterable[int]] = ..., bounds: _Optional[_Union[_types_pb2.Box, _Mapping]] = ..., border: _Optional[_Union[MeshBorder, str]] = ..., label_view: _Optional[_Union[_types_pb2.LabelView, str]] = ..., time_index: _Optional[int] = ..., mesher: _Optional[str] = ..., source: _Optional[_Union[MeshSource, str]] = ..., max_error_nm: _Optional[float] = ..., target_face_count: _Optional[int] = ..., simplification: _Optional[_Union[MeshSimplification, str]] = ..., normals: bool = ..., search: _Optional[_Union[MeshSearch, str]] = ...) -> None: ...

class GetMeshesRequest(_message.Message):
    __slots__ = ("spec",)
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: MeshSpec
    def __init__(self, spec: _Optional[_Union[MeshSpec, _Mapping]] = ...) -> None: ...

class MeshPart(_message.Message):
    __slots__ = ("segment_id", "first_vertex", "vertex_count", "face_count", "has_normals", "data")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_VERTEX_FIELD_NUMBER: _ClassVar[int]
    VERTEX_COUNT_FIELD_NUMBER: _ClassVar[int]
    FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_NORMALS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    first_vertex: int
    vertex_count: int
    face_count: int
    has_normals: bool
    data: bytes
    def __init__(self, segment_id: _Optional[int] = ..., first_vertex: _Optional[int] = ..., vertex_count: _Optional[int] = ..., face_count: _Optional[int] = ..., has_normals: bool = ..., data: _Optional[bytes] = ...) -> None: ...

class MeshStatistics(_message.Message):
    __slots__ = ("voxel_count", "volume_nm3", "surface_nm2", "min_nm", "max_nm", "watertight", "error_nm")
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOLUME_NM3_FIELD_NUMBER: _ClassVar[int]
    SURFACE_NM2_FIELD_NUMBER: _ClassVar[int]
    MIN_NM_FIELD_NUMBER: _ClassVar[int]
    MAX_NM_FIELD_NUMBER: _ClassVar[int]
    WATERTIGHT_FIELD_NUMBER: _ClassVar[int]
    ERROR_NM_FIELD_NUMBER: _ClassVar[int]
    voxel_count: int
    volume_nm3: float
    surface_nm2: float
    min_nm: _types_pb2.PointNm
    max_nm: _types_pb2.PointNm
    watertight: bool
    error_nm: float
    def __init__(self, voxel_count: _Optional[int] = ..., volume_nm3: _Optional[float] = ..., surface_nm2: _Optional[float] = ..., min_nm: _Optional[_Union[_types_pb2.PointNm, _Mapping]] = ..., max_nm: _Optional[_Union[_types_pb2.PointNm, _Mapping]] = ..., watertight: bool = ..., error_nm: _Optional[float] = ...) -> None: ...

class MeshEnd(_message.Message):
    __slots__ = ("segment_id", "error", "vertex_count", "face_count", "origin", "scale_index", "resolved_version", "mesher", "statistics", "search")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VERTEX_COUNT_FIELD_NUMBER: _ClassVar[int]
    FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    MESHER_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    segment_id: int
    error: _types_pb2.ItemError
    vertex_count: int
    face_count: int
    origin: MeshOrigin
    scale_index: int
    resolved_version: str
    mesher: str
    statistics: MeshStatistics
    search: MeshSearch
    def __init__(self, segment_id: _Optional[int] = ..., error: _Optional[_Union[_types_pb2.ItemError, _Mapping]] = ..., vertex_count: _Optional[int] = ..., face_count: _Optional[int] = ..., origin: _Optional[_Union[MeshOrigin, str]] = ..., scale_index: _Optional[int] = ..., resolved_version: _Optional[str] = ..., mesher: _Optional[str] = ..., statistics: _Optional[_Union[MeshStatistics, _Mapping]] = ..., search: _Optional[_Union[MeshSearch, str]] = ...) -> None: ...

class MeshProvenance(_message.Message):
    __slots__ = ("volume", "resolved_version", "parameters", "server_version")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    resolved_version: str
    parameters: MeshSpec
    server_version: str
    def __init__(self, volume: _Optional[str] = ..., resolved_version: _Optional[str] = ..., parameters: _Optional[_Union[MeshSpec, _Mapping]] = ..., server_version: _Optional[str] = ...) -> None: ...

class GetMeshesResponse(_message.Message):
    __slots__ = ("parts", "ends", "progress", "provenance")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[MeshPart]
    ends: _containers.RepeatedCompositeFieldContainer[MeshEnd]
    progress: _types_pb2.Progress
    provenance: MeshProvenance
    def __init__(self, parts: _Optional[_Iterable[_Union[MeshPart, _Mapping]]] = ..., ends: _Optional[_Iterable[_Union[MeshEnd, _Mapping]]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., provenance: _Optional[_Union[MeshProvenance, _Mapping]] = ...) -> None: ...

class ExportMeshRequest(_message.Message):
    __slots__ = ("spec", "format")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    spec: MeshSpec
    format: MeshFormat
    def __init__(self, spec: _Optional[_Union[MeshSpec, _Mapping]] = ..., format: _Optional[_Union[MeshFormat, str]] = ...) -> None: ...

class ExportMeshHeader(_message.Message):
    __slots__ = ("media_type", "file_extension", "provenance")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILE_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    file_extension: str
    provenance: MeshProvenance
    def __init__(self, media_type: _Optional[str] = ..., file_extension: _Optional[str] = ..., provenance: _Optional[_Union[MeshProvenance, _Mapping]] = ...) -> None: ...

class ExportMeshResponse(_message.Message):
    __slots__ = ("header", "progress", "ends", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: ExportMeshHeader
    progress: _types_pb2.Progress
    ends: _containers.RepeatedCompositeFieldContainer[MeshEnd]
    data: bytes
    def __init__(self, header: _Optional[_Union[ExportMeshHeader, _Mapping]] = ..., progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., ends: _Optional[_Iterable[_Union[MeshEnd, _Mapping]]] = ..., data: _Optional[bytes] = ...) -> None: ...

class CreateMeshJobRequest(_message.Message):
    __slots__ = ("request_id", "spec")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    spec: _types_pb2.MeshJobSpec
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[_types_pb2.MeshJobSpec, _Mapping]] = ...) -> None: ...

class CreateMeshJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _types_pb2.Job
    def __init__(self, job: _Optional[_Union[_types_pb2.Job, _Mapping]] = ...) -> None: ...

class ReadMeshFileRequest(_message.Message):
    __slots__ = ("volume", "version", "name", "start_byte", "stop_byte")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_BYTE_FIELD_NUMBER: _ClassVar[int]
    STOP_BYTE_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    name: str
    start_byte: int
    stop_byte: int
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., name: _Optional[str] = ..., start_byte: _Optional[int] = ..., stop_byte: _Optional[int] = ...) -> None: ...

class MeshFileHeader(_message.Message):
    __slots__ = ("tag", "byte_count")
    TAG_FIELD_NUMBER: _ClassVar[int]
    BYTE_COUNT_FIELD_NUMBER: _ClassVar[int]
    tag: str
    byte_count: int
    def __init__(self, tag: _Optional[str] = ..., byte_count: _Optional[int] = ...) -> None: ...

class ReadMeshFileResponse(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: MeshFileHeader
    data: bytes
    def __init__(self, header: _Optional[_Union[MeshFileHeader, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...
