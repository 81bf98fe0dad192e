import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_TYPE_UNSPECIFIED: _ClassVar[DataType]
    DATA_TYPE_UINT8: _ClassVar[DataType]
    DATA_TYPE_UINT16: _ClassVar[DataType]
    DATA_TYPE_UINT32: _ClassVar[DataType]
    DATA_TYPE_UINT64: _ClassVar[DataType]
    DATA_TYPE_INT8: _ClassVar[DataType]
    DATA_TYPE_INT16: _ClassVar[DataType]
    DATA_TYPE_INT32: _ClassVar[DataType]
    DATA_TYPE_INT64: _ClassVar[DataType]
    DATA_TYPE_FLOAT32: _ClassVar[DataType]
    DATA_TYPE_FLOAT64: _ClassVar[DataType]

class VolumeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VOLUME_KIND_UNSPECIFIED: _ClassVar[VolumeKind]
    VOLUME_KIND_IMAGE: _ClassVar[VolumeKind]
    VOLUME_KIND_SEGMENTATION: _ClassVar[VolumeKind]

class Axis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AXIS_UNSPECIFIED: _ClassVar[Axis]
    AXIS_T: _ClassVar[Axis]
    AXIS_C: _ClassVar[Axis]
    AXIS_Z: _ClassVar[Axis]
    AXIS_Y: _ClassVar[Axis]
    AXIS_X: _ClassVar[Axis]

class LabelView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_VIEW_UNSPECIFIED: _ClassVar[LabelView]
    LABEL_VIEW_BODIES: _ClassVar[LabelView]
    LABEL_VIEW_SUPERVOXELS: _ClassVar[LabelView]

class ArrayCodec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARRAY_CODEC_UNSPECIFIED: _ClassVar[ArrayCodec]
    ARRAY_CODEC_RAW: _ClassVar[ArrayCodec]
    ARRAY_CODEC_FILL: _ClassVar[ArrayCodec]
    ARRAY_CODEC_COMPRESSED_SEGMENTATION: _ClassVar[ArrayCodec]
    ARRAY_CODEC_JPEG: _ClassVar[ArrayCodec]
    ARRAY_CODEC_PNG: _ClassVar[ArrayCodec]

class ByteCodec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BYTE_CODEC_UNSPECIFIED: _ClassVar[ByteCodec]
    BYTE_CODEC_NONE: _ClassVar[ByteCodec]
    BYTE_CODEC_GZIP: _ClassVar[ByteCodec]
    BYTE_CODEC_ZSTD: _ClassVar[ByteCodec]
    BYTE_CODEC_BLOSC: _ClassVar[ByteCodec]

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_READ: _ClassVar[Capability]
    CAPABILITY_WRITE: _ClassVar[Capability]
    CAPABILITY_SEGMENT_IDS: _ClassVar[Capability]
    CAPABILITY_SEGMENT_COUNTS: _ClassVar[Capability]
    CAPABILITY_SEGMENT_LOOKUP: _ClassVar[Capability]
    CAPABILITY_SEGMENT_BOUNDS: _ClassVar[Capability]
    CAPABILITY_SEGMENT_VOXELS: _ClassVar[Capability]
    CAPABILITY_SUPERVOXELS: _ClassVar[Capability]
    CAPABILITY_RESERVE_SEGMENT_IDS: _ClassVar[Capability]
    CAPABILITY_VERSIONS: _ClassVar[Capability]
    CAPABILITY_STORED_MESHES: _ClassVar[Capability]
    CAPABILITY_STORED_SKELETONS: _ClassVar[Capability]
    CAPABILITY_DOWNSAMPLING: _ClassVar[Capability]
    CAPABILITY_SEGMENT_PROPERTIES: _ClassVar[Capability]
    CAPABILITY_MESH_FILES: _ClassVar[Capability]

class ServiceSupport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_SUPPORT_UNSPECIFIED: _ClassVar[ServiceSupport]
    SERVICE_SUPPORT_NATIVE: _ClassVar[ServiceSupport]
    SERVICE_SUPPORT_SURROGATE: _ClassVar[ServiceSupport]
    SERVICE_SUPPORT_UNAVAILABLE: _ClassVar[ServiceSupport]

class StorageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORAGE_FORMAT_UNSPECIFIED: _ClassVar[StorageFormat]
    STORAGE_FORMAT_PRECOMPUTED: _ClassVar[StorageFormat]
    STORAGE_FORMAT_ZARR2: _ClassVar[StorageFormat]
    STORAGE_FORMAT_ZARR3: _ClassVar[StorageFormat]

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_PENDING: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_CANCELLING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]

class TransferMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSFER_MODE_UNSPECIFIED: _ClassVar[TransferMode]
    TRANSFER_MODE_FAIL_IF_EXISTS: _ClassVar[TransferMode]
    TRANSFER_MODE_OVERWRITE: _ClassVar[TransferMode]
    TRANSFER_MODE_UPDATE: _ClassVar[TransferMode]

class TransferVerification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSFER_VERIFICATION_UNSPECIFIED: _ClassVar[TransferVerification]
    TRANSFER_VERIFICATION_FULL: _ClassVar[TransferVerification]
    TRANSFER_VERIFICATION_SAMPLE: _ClassVar[TransferVerification]
    TRANSFER_VERIFICATION_NONE: _ClassVar[TransferVerification]

class PyramidMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PYRAMID_METHOD_UNSPECIFIED: _ClassVar[PyramidMethod]
    PYRAMID_METHOD_MEAN: _ClassVar[PyramidMethod]
    PYRAMID_METHOD_MODE: _ClassVar[PyramidMethod]

class MeshJobMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_JOB_MODE_UNSPECIFIED: _ClassVar[MeshJobMode]
    MESH_JOB_MODE_FAIL_IF_EXISTS: _ClassVar[MeshJobMode]
    MESH_JOB_MODE_OVERWRITE: _ClassVar[MeshJobMode]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_MALFORMED_NAME: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_REMOTE: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_VOLUME: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_VERSION: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_SCALE: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_SCHEME: _ClassVar[ErrorReason]
    ERROR_REASON_OUT_OF_BOUNDS: _ClassVar[ErrorReason]
    ERROR_REASON_EMPTY_BOX: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_READ_ONLY: _ClassVar[ErrorReason]
    ERROR_REASON_DATA_TYPE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_SHAPE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_WRITE_INCOMPLETE: _ClassVar[ErrorReason]
    ERROR_REASON_WRITE_OVERLAP: _ClassVar[ErrorReason]
    ERROR_REASON_UNALIGNED_WRITE: _ClassVar[ErrorReason]
    ERROR_REASON_SEGMENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_SEGMENT_ID: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_CHUNK_CORRUPT: _ClassVar[ErrorReason]
    ERROR_REASON_CHUNK_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_METADATA_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_UNSUPPORTED_FORMAT: _ClassVar[ErrorReason]
    ERROR_REASON_CONFIG_CONTRADICTS_STORE: _ClassVar[ErrorReason]
    ERROR_REASON_UNSUPPORTED_ENCODING: _ClassVar[ErrorReason]
    ERROR_REASON_MISSING_CAPABILITY: _ClassVar[ErrorReason]
    ERROR_REASON_PATH_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_VERSION_MOVED: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_JOB: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_PERMISSION_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_UNIMPLEMENTED: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_VERIFICATION_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_CONFIG_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_SEGMENT_SUPERSEDED: _ClassVar[ErrorReason]
    ERROR_REASON_VERSION_LOCKED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_ACCESS_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_STORE_BUSY: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_KEY: _ClassVar[ErrorReason]
DATA_TYPE_UNSPECIFIED: DataType
DATA_TYPE_UINT8: DataType
DATA_TYPE_UINT16: DataType
DATA_TYPE_UINT32: DataType
DATA_TYPE_UINT64: DataType
DATA_TYPE_INT8: DataType
DATA_TYPE_INT16: DataType
DATA_TYPE_INT32: DataType
DATA_TYPE_INT64: DataType
DATA_TYPE_FLOAT32: DataType
DATA_TYPE_FLOAT64: DataType
VOLUME_KIND_UNSPECIFIED: VolumeKind
VOLUME_KIND_IMAGE: VolumeKind
VOLUME_KIND_SEGMENTATION: VolumeKind
AXIS_UNSPECIFIED: Axis
AXIS_T: Axis
AXIS_C: Axis
AXIS_Z: Axis
AXIS_Y: Axis
AXIS_X: Axis
LABEL_VIEW_UNSPECIFIED: LabelView
LABEL_VIEW_BODIES: LabelView
LABEL_VIEW_SUPERVOXELS: LabelView
ARRAY_CODEC_UNSPECIFIED: ArrayCodec
ARRAY_CODEC_RAW: ArrayCodec
ARRAY_CODEC_FILL: ArrayCodec
ARRAY_CODEC_COMPRESSED_SEGMENTATION: ArrayCodec
ARRAY_CODEC_JPEG: ArrayCodec
ARRAY_CODEC_PNG: ArrayCodec
BYTE_CODEC_UNSPECIFIED: ByteCodec
BYTE_CODEC_NONE: ByteCodec
BYTE_CODEC_GZIP: ByteCodec
BYTE_CODEC_ZSTD: ByteCodec
BYTE_CODEC_BLOSC: ByteCodec
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_READ: Capability
CAPABILITY_WRITE: Capability
CAPABILITY_SEGMENT_IDS: Capability
CAPABILITY_SEGMENT_COUNTS: Capability
CAPABILITY_SEGMENT_LOOKUP: Capability
CAPABILITY_SEGMENT_BOUNDS: Capability
CAPABILITY_SEGMENT_VOXELS: Capability
CAPABILITY_SUPERVOXELS: Capability
CAPABILITY_RESERVE_SEGMENT_IDS: Capability
CAPABILITY_VERSIONS: Capability
CAPABILITY_STORED_MESHES: Capability
CAPABILITY_STORED_SKELETONS: Capability
CAPABILITY_DOWNSAMPLING: Capability
CAPABILITY_SEGMENT_PROPERTIES: Capability
CAPABILITY_MESH_FILES: Capability
SERVICE_SUPPORT_UNSPECIFIED: ServiceSupport
SERVICE_SUPPORT_NATIVE: ServiceSupport
SERVICE_SUPPORT_SURROGATE: ServiceSupport
SERVICE_SUPPORT_UNAVAILABLE: ServiceSupport
STORAGE_FORMAT_UNSPECIFIED: StorageFormat
STORAGE_FORMAT_PRECOMPUTED: StorageFormat
STORAGE_FORMAT_ZARR2: StorageFormat
STORAGE_FORMAT_ZARR3: StorageFormat
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_PENDING: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_CANCELLING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
TRANSFER_MODE_UNSPECIFIED: TransferMode
TRANSFER_MODE_FAIL_IF_EXISTS: TransferMode
TRANSFER_MODE_OVERWRITE: TransferMode
TRANSFER_MODE_UPDATE: TransferMode
TRANSFER_VERIFICATION_UNSPECIFIED: TransferVerification
TRANSFER_VERIFICATION_FULL: TransferVerification
TRANSFER_VERIFICATION_SAMPLE: TransferVerification
TRANSFER_VERIFICATION_NONE: TransferVerification
PYRAMID_METHOD_UNSPECIFIED: PyramidMethod
PYRAMID_METHOD_MEAN: PyramidMethod
PYRAMID_METHOD_MODE: PyramidMethod
MESH_JOB_MODE_UNSPECIFIED: MeshJobMode
MESH_JOB_MODE_FAIL_IF_EXISTS: MeshJobMode
MESH_JOB_MODE_OVERWRITE: MeshJobMode
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_MALFORMED_NAME: ErrorReason
ERROR_REASON_UNKNOWN_REMOTE: ErrorReason
ERROR_REASON_UNKNOWN_VOLUME: ErrorReason
ERROR_REASON_UNKNOWN_VERSION: ErrorReason
ERROR_REASON_UNKNOWN_SCALE: ErrorReason
ERROR_REASON_UNKNOWN_SCHEME: ErrorReason
ERROR_REASON_OUT_OF_BOUNDS: ErrorReason
ERROR_REASON_EMPTY_BOX: ErrorReason
ERROR_REASON_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_SERVER_BUSY: ErrorReason
ERROR_REASON_READ_ONLY: ErrorReason
ERROR_REASON_DATA_TYPE_MISMATCH: ErrorReason
ERROR_REASON_SHAPE_MISMATCH: ErrorReason
ERROR_REASON_WRITE_INCOMPLETE: ErrorReason
ERROR_REASON_WRITE_OVERLAP: ErrorReason
ERROR_REASON_UNALIGNED_WRITE: ErrorReason
ERROR_REASON_SEGMENT_NOT_FOUND: ErrorReason
ERROR_REASON_INVALID_SEGMENT_ID: ErrorReason
ERROR_REASON_ALREADY_EXISTS: ErrorReason
ERROR_REASON_CHUNK_CORRUPT: ErrorReason
ERROR_REASON_CHUNK_MISSING: ErrorReason
ERROR_REASON_METADATA_INVALID: ErrorReason
ERROR_REASON_UNSUPPORTED_FORMAT: ErrorReason
ERROR_REASON_CONFIG_CONTRADICTS_STORE: ErrorReason
ERROR_REASON_UNSUPPORTED_ENCODING: ErrorReason
ERROR_REASON_MISSING_CAPABILITY: ErrorReason
ERROR_REASON_PATH_REFUSED: ErrorReason
ERROR_REASON_STORE_UNAVAILABLE: ErrorReason
ERROR_REASON_VERSION_MOVED: ErrorReason
ERROR_REASON_UNKNOWN_JOB: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_PERMISSION_DENIED: ErrorReason
ERROR_REASON_UNIMPLEMENTED: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_VERIFICATION_FAILED: ErrorReason
ERROR_REASON_CONFIG_INVALID: ErrorReason
ERROR_REASON_SEGMENT_SUPERSEDED: ErrorReason
ERROR_REASON_VERSION_LOCKED: ErrorReason
ERROR_REASON_STORE_REFUSED: ErrorReason
ERROR_REASON_STORE_ACCESS_DENIED: ErrorReason
ERROR_REASON_STORE_BUSY: ErrorReason
ERROR_REASON_UNKNOWN_KEY: ErrorReason

class Vec3(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    z: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., z: _Optional[int] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("start", "stop")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    start: Vec3
    stop: Vec3
    def __init__(self, start: _Optional[_Union[Vec3, _Mapping]] = ..., stop: _Optional[_Union[Vec3, _Mapping]] = ...) -> None: ...

class VoxelSize(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class PointNm(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Encoding(_message.Message):
    __slots__ = ("array", "bytes", "block_shape")
    ARRAY_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SHAPE_FIELD_NUMBER: _ClassVar[int]
    array: ArrayCodec
    bytes: ByteCodec
    block_shape: Vec3
    def __init__(self, array: _Optional[_Union[ArrayCodec, str]] = ..., bytes: _Optional[_Union[ByteCodec, str]] = ..., block_shape: _Optional[_Union[Vec3, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("box", "data_box", "encoding_index", "crc32c", "data")
    BOX_FIELD_NUMBER: _ClassVar[int]
    DATA_BOX_FIELD_NUMBER: _ClassVar[int]
    ENCODING_INDEX_FIELD_NUMBER: _ClassVar[int]
    CRC32C_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    box: Box
    data_box: Box
    encoding_index: int
    crc32c: int
    data: bytes
    def __init__(self, box: _Optional[_Union[Box, _Mapping]] = ..., data_box: _Optional[_Union[Box, _Mapping]] = ..., encoding_index: _Optional[int] = ..., crc32c: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ValueRange(_message.Message):
    __slots__ = ("start", "stop")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    start: float
    stop: float
    def __init__(self, start: _Optional[float] = ..., stop: _Optional[float] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "window", "value_range", "color")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    VALUE_RANGE_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    window: ValueRange
    value_range: ValueRange
    color: str
    def __init__(self, name: _Optional[str] = ..., window: _Optional[_Union[ValueRange, _Mapping]] = ..., value_range: _Optional[_Union[ValueRange, _Mapping]] = ..., color: _Optional[str] = ...) -> None: ...

class Scale(_message.Message):
    __slots__ = ("key", "bounds", "stored_chunk_shape", "write_granule_shape", "grid_origin", "voxel_size_nm", "stored_encodings", "writable")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    STORED_CHUNK_SHAPE_FIELD_NUMBER: _ClassVar[int]
    WRITE_GRANULE_SHAPE_FIELD_NUMBER: _ClassVar[int]
    GRID_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    VOXEL_SIZE_NM_FIELD_NUMBER: _ClassVar[int]
    STORED_ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_FIELD_NUMBER: _ClassVar[int]
    key: str
    bounds: Box
    stored_chunk_shape: Vec3
    write_granule_shape: Vec3
    grid_origin: Vec3
    voxel_size_nm: VoxelSize
    stored_encodings: _containers.RepeatedCompositeFieldContainer[Encoding]
    writable: bool
    def __init__(self, key: _Optional[str] = ..., bounds: _Optional[_Union[Box, _Mapping]] = ..., stored_chunk_shape: _Optional[_Union[Vec3, _Mapping]] = ..., write_granule_shape: _Optional[_Union[Vec3, _Mapping]] = ..., grid_origin: _Optional[_Union[Vec3, _Mapping]] = ..., voxel_size_nm: _Optional[_Union[VoxelSize, _Mapping]] = ..., stored_encodings: _Optional[_Iterable[_Union[Encoding, _Mapping]]] = ..., writable: bool = ...) -> None: ...

class ServiceOffer(_message.Message):
    __slots__ = ("name", "support", "why")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    name: str
    support: ServiceSupport
    why: str
    def __init__(self, name: _Optional[str] = ..., support: _Optional[_Union[ServiceSupport, str]] = ..., why: _Optional[str] = ...) -> None: ...

class ReadTuning(_message.Message):
    __slots__ = ("parallel_read_count", "request_bytes", "alignment")
    PARALLEL_READ_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    parallel_read_count: int
    request_bytes: int
    alignment: Vec3
    def __init__(self, parallel_read_count: _Optional[int] = ..., request_bytes: _Optional[int] = ..., alignment: _Optional[_Union[Vec3, _Mapping]] = ...) -> None: ...

class Volume(_message.Message):
    __slots__ = ("name", "resolved_version", "immutable", "data_type", "kind", "axes", "channels", "time_count", "scales", "fill_value", "inferred", "capabilities", "services", "label_views", "read_tuning", "format")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_VERSION_FIELD_NUMBER: _ClassVar[int]
    IMMUTABLE_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    TIME_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    FILL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INFERRED_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    LABEL_VIEWS_FIELD_NUMBER: _ClassVar[int]
    READ_TUNING_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    name: str
    resolved_version: str
    immutable: bool
    data_type: DataType
    kind: VolumeKind
    axes: _containers.RepeatedScalarFieldContainer[Axis]
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    time_count: int
    scales: _containers.RepeatedCompositeFieldContainer[Scale]
    fill_value: bytes
    inferred: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    services: _containers.RepeatedCompositeFieldContainer[ServiceOffer]
    label_views: _containers.RepeatedScalarFieldContainer[LabelView]
    read_tuning: ReadTuning
    format: str
    def __init__(self, name: _Optional[str] = ..., resolved_version: _Optional[str] = ..., immutable: bool = ..., data_type: _Optional[_Union[DataType, str]] = ..., kind: _Optional[_Union[VolumeKind, str]] = ..., axes: _Optional[_Iterable[_Union[Axis, str]]] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., time_count: _Optional[int] = ..., scales: _Optional[_Iterable[_Union[Scale, _Mapping]]] = ..., fill_value: _Optional[bytes] = ..., inferred: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., services: _Optional[_Iterable[_Union[ServiceOffer, _Mapping]]] = ..., label_views: _Optional[_Iterable[_Union[LabelView, str]]] = ..., read_tuning: _Optional[_Union[ReadTuning, _Mapping]] = ..., format: _Optional[str] = ...) -> None: ...

class ScaleSpec(_message.Message):
    __slots__ = ("bounds", "voxel_size_nm", "chunk_shape", "shard_shape", "encoding")
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    VOXEL_SIZE_NM_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SHAPE_FIELD_NUMBER: _ClassVar[int]
    SHARD_SHAPE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    bounds: Box
    voxel_size_nm: VoxelSize
    chunk_shape: Vec3
    shard_shape: Vec3
    encoding: Encoding
    def __init__(self, bounds: _Optional[_Union[Box, _Mapping]] = ..., voxel_size_nm: _Optional[_Union[VoxelSize, _Mapping]] = ..., chunk_shape: _Optional[_Union[Vec3, _Mapping]] = ..., shard_shape: _Optional[_Union[Vec3, _Mapping]] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ...) -> None: ...

class VolumeSpec(_message.Message):
    __slots__ = ("data_type", "kind", "channels", "scales", "fill_value", "format")
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    FILL_VALUE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    data_type: DataType
    kind: VolumeKind
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    scales: _containers.RepeatedCompositeFieldContainer[ScaleSpec]
    fill_value: bytes
    format: StorageFormat
    def __init__(self, data_type: _Optional[_Union[DataType, str]] = ..., kind: _Optional[_Union[VolumeKind, str]] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., scales: _Optional[_Iterable[_Union[ScaleSpec, _Mapping]]] = ..., fill_value: _Optional[bytes] = ..., format: _Optional[_Union[StorageFormat, str]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("phase", "done_bytes", "total_bytes")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    phase: str
    done_bytes: int
    total_bytes: int
    def __init__(self, phase: _Optional[str] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class ItemError(_message.Message):
    __slots__ = ("reason", "code", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    code: int
    message: str
    def __init__(self, reason: _Optional[str] = ..., code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class JobProgress(_message.Message):
    __slots__ = ("phase", "done_bytes", "total_bytes", "done_block_count", "total_block_count", "failed_block_count")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DONE_BLOCK_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BLOCK_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_BLOCK_COUNT_FIELD_NUMBER: _ClassVar[int]
    phase: str
    done_bytes: int
    total_bytes: int
    done_block_count: int
    total_block_count: int
    failed_block_count: int
    def __init__(self, phase: _Optional[str] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ..., done_block_count: _Optional[int] = ..., total_block_count: _Optional[int] = ..., failed_block_count: _Optional[int] = ...) -> None: ...

class PyramidSpec(_message.Message):
    __slots__ = ("factors", "method")
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    factors: _containers.RepeatedCompositeFieldContainer[Vec3]
    method: PyramidMethod
    def __init__(self, factors: _Optional[_Iterable[_Union[Vec3, _Mapping]]] = ..., method: _Optional[_Union[PyramidMethod, str]] = ...) -> None: ...

class PyramidJobSpec(_message.Message):
    __slots__ = ("volume", "pyramid")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PYRAMID_FIELD_NUMBER: _ClassVar[int]
    volume: str
    pyramid: PyramidSpec
    def __init__(self, volume: _Optional[str] = ..., pyramid: _Optional[_Union[PyramidSpec, _Mapping]] = ...) -> None: ...

class MeshJobSpec(_message.Message):
    __slots__ = ("volume", "version", "destination", "scale_index", "box", "chunk_shape", "level_count", "max_error_nm", "vertex_quantization_bits", "sharded", "minimum_voxel_count", "without_properties", "mode")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    CHUNK_SHAPE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_NM_FIELD_NUMBER: _ClassVar[int]
    VERTEX_QUANTIZATION_BITS_FIELD_NUMBER: _ClassVar[int]
    SHARDED_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    volume: str
    version: str
    destination: str
    scale_index: int
    box: Box
    chunk_shape: Vec3
    level_count: int
    max_error_nm: float
    vertex_quantization_bits: int
    sharded: bool
    minimum_voxel_count: int
    without_properties: bool
    mode: MeshJobMode
    def __init__(self, volume: _Optional[str] = ..., version: _Optional[str] = ..., destination: _Optional[str] = ..., scale_index: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., chunk_shape: _Optional[_Union[Vec3, _Mapping]] = ..., level_count: _Optional[int] = ..., max_error_nm: _Optional[float] = ..., vertex_quantization_bits: _Optional[int] = ..., sharded: bool = ..., minimum_voxel_count: _Optional[int] = ..., without_properties: bool = ..., mode: _Optional[_Union[MeshJobMode, str]] = ...) -> None: ...

class TransferSpec(_message.Message):
    __slots__ = ("source", "source_version", "destination", "destination_spec", "box", "scale_indices", "channels", "data_type", "destination_start", "voxel_size_nm", "mode", "verification", "skip_empty", "pyramid", "note", "destination_version")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_SPEC_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDICES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_START_FIELD_NUMBER: _ClassVar[int]
    VOXEL_SIZE_NM_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_FIELD_NUMBER: _ClassVar[int]
    SKIP_EMPTY_FIELD_NUMBER: _ClassVar[int]
    PYRAMID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_VERSION_FIELD_NUMBER: _ClassVar[int]
    source: str
    source_version: str
    destination: str
    destination_spec: VolumeSpec
    box: Box
    scale_indices: _containers.RepeatedScalarFieldContainer[int]
    channels: _containers.RepeatedScalarFieldContainer[int]
    data_type: DataType
    destination_start: Vec3
    voxel_size_nm: VoxelSize
    mode: TransferMode
    verification: TransferVerification
    skip_empty: bool
    pyramid: PyramidSpec
    note: str
    destination_version: str
    def __init__(self, source: _Optional[str] = ..., source_version: _Optional[str] = ..., destination: _Optional[str] = ..., destination_spec: _Optional[_Union[VolumeSpec, _Mapping]] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., scale_indices: _Optional[_Iterable[int]] = ..., channels: _Optional[_Iterable[int]] = ..., data_type: _Optional[_Union[DataType, str]] = ..., destination_start: _Optional[_Union[Vec3, _Mapping]] = ..., voxel_size_nm: _Optional[_Union[VoxelSize, _Mapping]] = ..., mode: _Optional[_Union[TransferMode, str]] = ..., verification: _Optional[_Union[TransferVerification, str]] = ..., skip_empty: bool = ..., pyramid: _Optional[_Union[PyramidSpec, _Mapping]] = ..., note: _Optional[str] = ..., destination_version: _Optional[str] = ...) -> None: ...

class TransferResult(_message.Message):
    __slots__ = ("destination", "verified_bytes", "checksum", "skipped_block_count", "copied_bytes", "destination_version")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_BLOCK_COUNT_FIELD_NUMBER: _ClassVar[int]
    COPIED_BYTES_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_VERSION_FIELD_NUMBER: _ClassVar[int]
    destination: str
    verified_bytes: int
    checksum: str
    skipped_block_count: int
    copied_bytes: int
    destination_version: str
    def __init__(self, destination: _Optional[str] = ..., verified_bytes: _Optional[int] = ..., checksum: _Optional[str] = ..., skipped_block_count: _Optional[int] = ..., copied_bytes: _Optional[int] = ..., destination_version: _Optional[str] = ...) -> None: ...

class MeshJobResult(_message.Message):
    __slots__ = ("destination", "segment_count", "face_count", "stored_bytes", "checksum")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    destination: str
    segment_count: int
    face_count: int
    stored_bytes: int
    checksum: str
    def __init__(self, destination: _Optional[str] = ..., segment_count: _Optional[int] = ..., face_count: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., checksum: _Optional[str] = ...) -> None: ...

class JobFailure(_message.Message):
    __slots__ = ("block_index", "box", "scale_index", "error", "attempt_count", "time")
    BLOCK_INDEX_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    block_index: int
    box: Box
    scale_index: int
    error: ItemError
    attempt_count: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, block_index: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., scale_index: _Optional[int] = ..., error: _Optional[_Union[ItemError, _Mapping]] = ..., attempt_count: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class JobBlock(_message.Message):
    __slots__ = ("block_index", "box", "scale_index", "checksum")
    BLOCK_INDEX_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCALE_INDEX_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    block_index: int
    box: Box
    scale_index: int
    checksum: bytes
    def __init__(self, block_index: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., scale_index: _Optional[int] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("name", "owner", "request_id", "transfer", "pyramid", "mesh", "state", "progress", "error", "create_time", "start_time", "end_time", "transfer_result", "mesh_result", "provenance", "run_count")
    class ProvenanceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    PYRAMID_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_RESULT_FIELD_NUMBER: _ClassVar[int]
    MESH_RESULT_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    request_id: str
    transfer: TransferSpec
    pyramid: PyramidJobSpec
    mesh: MeshJobSpec
    state: JobState
    progress: JobProgress
    error: ItemError
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    transfer_result: TransferResult
    mesh_result: MeshJobResult
    provenance: _containers.ScalarMap[str, str]
    run_count: int
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., request_id: _Optional[str] = ..., transfer: _Optional[_Union[TransferSpec, _Mapping]] = ..., pyramid: _Optional[_Union[PyramidJobSpec, _Mapping]] = ..., mesh: _Optional[_Union[MeshJobSpec, _Mapping]] = ..., state: _Optional[_Union[JobState, str]] = ..., progress: _Optional[_Union[JobProgress, _Mapping]] = ..., error: _Optional[_Union[ItemError, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., transfer_result: _Optional[_Union[TransferResult, _Mapping]] = ..., mesh_result: _Optional[_Union[MeshJobResult, _Mapping]] = ..., provenance: _Optional[_Mapping[str, str]] = ..., run_count: _Optional[int] = ...) -> None: ...
