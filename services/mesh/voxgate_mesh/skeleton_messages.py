"""The streams of the SkeletonService: skeletons cut to the size of a message, or as a file, and no silence between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from voxgate.model.errors import InternalError
from voxgate.model.skeleton_files import encode_skeleton, skeleton_file_type
from voxgate.model.skeletons import Skeleton, SkeletonFailure
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.wire.skeletons import skeleton_end, skeleton_failure, skeleton_parts
from voxgate_mesh.messages import Pace, progress_to_proto
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.skeletonizing import SkeletonEvent
from voxgate_serving.settings import MAX_MESSAGE_BYTES


def skeleton_messages(events: Iterable[SkeletonEvent], version: str) -> Iterator[pb.GetSkeletonsResponse]:
    """Yield parts and ends as they come, and progress in between."""
    pace = Pace()
    for event in events:
        if isinstance(event, ScanProgress):
            if not pace.is_due():
                continue
            yield pb.GetSkeletonsResponse(progress=progress_to_proto(event))
        elif isinstance(event, SkeletonFailure):
            yield pb.GetSkeletonsResponse(ends=[skeleton_failure(event.segment_id, event.error, version)])
        else:
            for part in skeleton_parts(event, MAX_MESSAGE_BYTES):
                yield pb.GetSkeletonsResponse(parts=[part])
            yield pb.GetSkeletonsResponse(ends=[skeleton_end(event, version)])
        pace.told()


def skeleton_file_messages(
    events: Iterable[SkeletonEvent], fmt: str, version: str
) -> Iterator[pb.ExportSkeletonResponse]:
    """Yield progress while the one skeleton is made, then the header, the file's bytes, and the end.

    Raises:
        VoxgateError: why there is no skeleton: there is no file of nothing.
        InvalidArgument: for a skeleton that the format cannot say.
    """
    pace = Pace()
    found: Skeleton | None = None
    for event in events:
        if isinstance(event, SkeletonFailure):
            raise event.error
        if isinstance(event, Skeleton):
            found = event
        elif pace.is_due():
            pace.told()
            yield pb.ExportSkeletonResponse(progress=progress_to_proto(event))
    if found is None:
        raise InternalError("the segment was not answered")
    data = memoryview(encode_skeleton(found, fmt))
    kind = skeleton_file_type(fmt)
    header = pb.ExportSkeletonHeader(media_type=kind.media_type, file_extension=kind.extension)
    yield pb.ExportSkeletonResponse(header=header)
    for start in range(0, len(data), MAX_MESSAGE_BYTES):
        yield pb.ExportSkeletonResponse(data=bytes(data[start : start + MAX_MESSAGE_BYTES]))
    yield pb.ExportSkeletonResponse(end=skeleton_end(found, version))
