"""What a client asks about the stores behind a server: which there are, what is in them, their metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voxgate.client.calls import unary
from voxgate.client.channels import Stubs
from voxgate.client.metadata import Metadata
from voxgate.model.names import VolumeName, split_version
from voxgate.model.remotes import RemoteEntry, VolumeEntry
from voxgate.v1 import volume_pb2


class StoreCalls:
    """The part of Client that speaks of stores.

    Attributes:
        stubs: of the server.
    """

    stubs: Stubs

    def remotes(self) -> list[RemoteEntry]:
        """The configured remotes, by name: what kind of store each is, and whether it can be written and deleted in."""
        pages = self._pages(self.stubs.volume.ListRemotes, volume_pb2.ListRemotesRequest())
        return [RemoteEntry(r.name, r.store, r.writable, r.deletable) for page in pages for r in page.remotes]

    def volumes(self, parent: str = "") -> list[VolumeEntry]:
        """The groups, volumes and instances of metadata right under a name; without one, the remotes.

        Raises:
            UnknownRemote, UnknownVolume: when there is no such group.
        """
        pages = self._pages(self.stubs.volume.ListVolumes, volume_pb2.ListVolumesRequest(parent=parent))
        return [
            VolumeEntry(
                e.name, e.kind == volume_pb2.ENTRY_KIND_VOLUME, is_key_values=e.kind == volume_pb2.ENTRY_KIND_KEY_VALUES
            )
            for page in pages
            for e in page.entries
        ]

    def delete(self, name: str) -> None:
        """Delete a volume for good, voxels and metadata.

        Args:
            name: "remote/path"; a volume is deleted with all its versions.

        Raises:
            ReadOnly: unless its operator allows it.
            UnknownVolume: when there is none, or it is deleted already.
            MissingCapability: where the store's volumes cannot be deleted.
            StoreRefused: when the store keeps it, e.g. because another volume lies within.
        """
        VolumeName.parse(name)
        self._call(self.stubs.volume.DeleteVolume, volume_pb2.DeleteVolumeRequest(volume=name))

    def metadata(self, name: str, *, version: str = "") -> Metadata:
        """The metadata at a name: a remote, a group, a volume, or an instance that holds nothing else.

        Nothing is asked yet: that there is nothing of that name is said by the first use.

        Args:
            name: "remote/path", or "remote/path@version".
            version: empty means the store's current one.

        Raises:
            MalformedName.
        """
        plain, said = split_version(name)
        VolumeName.parse(plain)
        return Metadata(self.stubs, plain, version or said)

    def _pages(self, method: Any, request: Any) -> Iterator[Any]:
        while True:
            page = self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _call(self, method: Any, request: Any, service: str = "volume") -> Any:
        return unary(method, request, self.stubs.addresses[service])
