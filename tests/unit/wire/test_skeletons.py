"""Skeletons and what is asked of them cross the wire as they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.model.errors import IncompleteAnswer, InvalidArgument, SegmentNotFound
from voxgate.model.skeletons import Skeleton, SkeletonRequest, Teasar
from voxgate.model.volumes import LabelView, OpenOptions
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.wire.skeleton_requests import (
    skeleton_format_from_proto,
    skeleton_request_from_proto,
    skeleton_request_to_proto,
)
from voxgate.wire.skeletons import SkeletonAssembler, skeleton_end, skeleton_failure, skeleton_parts

ID = 2**63 + 9
OPTIONS = OpenOptions(version="3fa", time_index=2, label_view=LabelView.SUPERVOXELS)
TEASARS = st.builds(Teasar, st.floats(0, 1e6), st.floats(0, 1e6))


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 2**64 - 1), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["auto", "computed"]),
    st.none() | st.integers(0, 9),
    st.none() | TEASARS,
)
def test_a_request_comes_back_as_it_was(ids, source, scale, teasar):
    request = SkeletonRequest(ids, source, scale, teasar)
    message = pb.GetSkeletonsRequest.FromString(
        skeleton_request_to_proto("lab/seg", OPTIONS, request).SerializeToString()
    )
    assert (message.volume, message.version, message.time_index) == ("lab/seg", "3fa", 2)
    named = message.scale_index if message.HasField("scale_index") else None
    assert skeleton_request_from_proto(message, named) == request


def test_a_parameter_that_is_unset_is_the_usual_one():
    message = pb.GetSkeletonsRequest(segment_ids=[5], teasar=pb.TeasarParameters(const_nm=0.0))
    assert skeleton_request_from_proto(message, None).teasar == Teasar(1.5, 0.0)


def test_words_of_another_contract_are_refused():
    with pytest.raises(InvalidArgument, match="not a source"):
        skeleton_request_from_proto(pb.GetSkeletonsRequest(segment_ids=[5], source=9), None)
    with pytest.raises(InvalidArgument, match="no scale or parameters"):
        skeleton_request_from_proto(pb.GetSkeletonsRequest(segment_ids=[5], source=2), 1)
    for number in (0, 9):
        with pytest.raises(InvalidArgument, match="format"):
            skeleton_format_from_proto(number)


def line(origin):
    vertices = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    edges = np.stack([np.arange(49), np.arange(1, 50)], 1).astype(np.uint32)
    return Skeleton(
        ID, vertices, edges, np.arange(50, dtype=np.float32), "v1", origin, 2 if origin == "computed" else 0
    )


@pytest.mark.parametrize("origin", ["stored", "computed"])
def test_a_skeleton_comes_back_as_it_was_however_it_is_cut(origin):
    sent = line(origin)
    assembler = SkeletonAssembler([ID, 7])
    for part in skeleton_parts(sent, 100):
        assert len(part.data) <= 100
        assert list(assembler.add(pb.GetSkeletonsResponse(parts=[part]))) == []
    end = skeleton_end(sent, "v1")
    assert (end.tree_count, end.length_nm) == (1, pytest.approx(sent.length_nm))
    failed = skeleton_failure(7, SegmentNotFound("segment 7 does not occur there"), "v1")
    (_, got), (lost, error) = assembler.add(pb.GetSkeletonsResponse(ends=[end, failed]))
    assembler.finish()
    for name in ("vertices", "edges", "radii"):
        np.testing.assert_array_equal(getattr(got, name), getattr(sent, name))
    assert (got.origin, got.scale, got.resolved_version) == (origin, sent.scale, "v1")
    assert lost == 7
    assert isinstance(error, SegmentNotFound)


def test_a_stream_that_breaks_the_contract_is_refused():
    parts = list(skeleton_parts(line("stored"), 100))
    for bad in (
        pb.GetSkeletonsResponse(parts=parts[1:2]),
        pb.GetSkeletonsResponse(parts=parts[:1], ends=[skeleton_end(line("stored"), "")]),
        pb.GetSkeletonsResponse(parts=parts[-1:]),
    ):
        with pytest.raises(IncompleteAnswer):
            list(SkeletonAssembler([ID]).add(bad))
    with pytest.raises(IncompleteAnswer, match="ended without 1"):
        SkeletonAssembler([ID]).finish()
