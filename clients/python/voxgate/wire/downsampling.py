"""Between the contract's state of downsampling and the vocabulary's."""

from __future__ import annotations

from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import InvalidArgument
from voxgate.v1 import volume_pb2 as pb

_STATES: dict[DownsamplingState, pb.DownsamplingState] = {
    DownsamplingState.NONE: pb.DOWNSAMPLING_STATE_NONE,
    DownsamplingState.QUEUED: pb.DOWNSAMPLING_STATE_QUEUED,
    DownsamplingState.RUNNING: pb.DOWNSAMPLING_STATE_RUNNING,
    DownsamplingState.DONE: pb.DOWNSAMPLING_STATE_DONE,
    DownsamplingState.FAILED: pb.DOWNSAMPLING_STATE_FAILED,
}


def downsampling_to_proto(state: DownsamplingState) -> pb.DownsamplingState:
    """How far a store is."""
    return _STATES[state]


def downsampling_from_proto(number: pb.DownsamplingState) -> DownsamplingState:
    """How far a store is.

    Raises:
        InvalidArgument: for a state of a newer contract.
    """
    for state, known in _STATES.items():
        if known == number:
            return state
    raise InvalidArgument(f"{number} is not a state this side knows", "upgrade the older side")
