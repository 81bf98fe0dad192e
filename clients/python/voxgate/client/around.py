"""A channel around another, whose methods are made into others: what is added to every call is said once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import grpc


class AroundChannel(grpc.Channel):
    """A channel; subclasses say what becomes of its methods.

    Args:
        channel: what calls go through.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    @abstractmethod
    def _awaited(self, method: Any) -> Any:
        """What becomes of a method with one answer."""

    @abstractmethod
    def _streamed(self, method: Any) -> Any:
        """What becomes of a method with a stream of answers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        """See grpc.Channel."""
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        """See grpc.Channel."""
        self._channel.unsubscribe(callback)

    def unary_unary(self, *method: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return self._awaited(self._channel.unary_unary(*method, **kwargs))

    def stream_unary(self, *method: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return self._awaited(self._channel.stream_unary(*method, **kwargs))

    def unary_stream(self, *method: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return self._streamed(self._channel.unary_stream(*method, **kwargs))

    def stream_stream(self, *method: Any, **kwargs: Any) -> Any:
        """See grpc.Channel; no call of the contract streams both ways."""
        return self._streamed(self._channel.stream_stream(*method, **kwargs))

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
