"""Metadata by key at a name on a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voxgate.client.calls import unary
from voxgate.client.channels import Stubs
from voxgate.model.errors import InvalidArgument, LimitExceeded
from voxgate.v1 import metadata_pb2 as pb

MAX_VALUE_BYTES = 2 << 20
"""The largest value of the contract."""
_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Metadata:
    """Values by key at one name and version; looks anew at every call. Thread-safe.

    Values are bytes: `metadata["key"]`, `metadata["key"] = b"…"`, `del metadata["key"]`, `"key" in metadata`,
    iteration over the keys; a text is taken and answered as UTF-8 by `set_text` and `get_text`. An absent key raises
    `UnknownKey`, never KeyError.

    Attributes:
        stubs: of the server.
        name: "remote/path".
        version: empty means the store's current one.
    """

    stubs: Stubs
    name: str
    version: str = ""

    def keys(self, prefix: str = "") -> list[str]:
        """Every key that starts with `prefix`, sorted."""
        return list(self._keys(prefix, _PAGE))

    def get(self, key: str) -> bytes:
        """The value of a key.

        Raises:
            UnknownKey: when there is none.
        """
        request = pb.GetMetadataRequest(name=self.name, version=self.version, key=key)
        return bytes(self._call(self.stubs.metadata.GetMetadata, request).value)

    def get_text(self, key: str) -> str:
        """The value of a key as text.

        Raises:
            UnknownKey: when there is none. InvalidArgument: when it is no UTF-8.
        """
        try:
            return self.get(key).decode()
        except UnicodeDecodeError:
            raise InvalidArgument(f"the value of {key!r} is no UTF-8 text", "take its bytes with get()") from None

    def set(self, key: str, value: bytes) -> None:
        """Set a value, new or not.

        Raises:
            ReadOnly: when the remote takes no writes.
            LimitExceeded: for more than 2 MiB.
            InvalidArgument: for what the store cannot hold, and a value that is not bytes.
        """
        if not isinstance(value, bytes | bytearray | memoryview):
            raise InvalidArgument(f"a value is bytes, not {type(value).__name__}", "set text with set_text()")
        data = bytes(value)
        if len(data) > MAX_VALUE_BYTES:
            facts = {"asked": str(len(data)), "limit": str(MAX_VALUE_BYTES), "field": "value"}
            message = f"the value has {len(data)} bytes, the limit is {MAX_VALUE_BYTES}"
            raise LimitExceeded(message, "keep it in several keys, or as a file elsewhere", details=facts)
        request = pb.SetMetadataRequest(name=self.name, version=self.version, key=key, value=data)
        self._call(self.stubs.metadata.SetMetadata, request)

    def set_text(self, key: str, text: str) -> None:
        """Set a text as UTF-8; errors as of `set`."""
        self.set(key, text.encode())

    def delete(self, key: str) -> None:
        """Delete a key.

        Raises:
            UnknownKey: when there is none.
            ReadOnly: when the remote takes no writes.
        """
        request = pb.DeleteMetadataRequest(name=self.name, version=self.version, key=key)
        self._call(self.stubs.metadata.DeleteMetadata, request)

    def __getitem__(self, key: str) -> bytes:
        return self.get(key)

    def __setitem__(self, key: str, value: bytes) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __contains__(self, key: object) -> bool:
        # Sorted: a key comes before those that it begins.
        return isinstance(key, str) and next(self._keys(key, 1), None) == key

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __repr__(self) -> str:
        at = f"@{self.version}" if self.version else ""
        return f"<Metadata of {self.name}{at}>"

    def _keys(self, prefix: str, size: int) -> Iterator[str]:
        token = ""
        while True:
            request = pb.ListMetadataRequest(
                name=self.name, version=self.version, prefix=prefix, page_size=size, page_token=token
            )
            page = self._call(self.stubs.metadata.ListMetadata, request)
            yield from page.keys
            token = page.next_page_token
            if not token:
                return

    def _call(self, method: Any, request: Any) -> Any:
        return unary(method, request, self.stubs.addresses["volume"])
