"""Channels between the model and the contract."""

from __future__ import annotations

from voxgate.model.volumes import Channel
from voxgate.v1 import types_pb2 as pb


def channel_to_proto(channel: Channel) -> pb.Channel:
    """A channel."""
    return pb.Channel(
        name=channel.name,
        window=_range_to_proto(channel.window),
        value_range=_range_to_proto(channel.value_range),
        color=channel.color,
    )


def channel_from_proto(message: pb.Channel) -> Channel:
    """A channel."""
    return Channel(
        message.name,
        _range_from_proto(message.window) if message.HasField("window") else None,
        _range_from_proto(message.value_range) if message.HasField("value_range") else None,
        message.color,
    )


def _range_to_proto(values: tuple[float, float] | None) -> pb.ValueRange | None:
    return None if values is None else pb.ValueRange(start=values[0], stop=values[1])


def _range_from_proto(message: pb.ValueRange) -> tuple[float, float]:
    return (message.start, message.stop)
