"""`voxgate.open`: a volume by its path or URI, served within this process."""

from __future__ import annotations

from importlib.metadata import entry_points

from voxgate.client.array import VolumeArray
from voxgate.model.errors import Unimplemented

GROUP = "voxgate.openers"
"""Entry points of this group, called with a path or URI, answer a VolumeArray. The server extra brings "local"."""


def open_volume(path_or_uri: str) -> VolumeArray:
    """Open a volume by its path or URI, without a server to start or connect to.

    The same services run in this process, so that segments and meshes work as they do over the wire.

    Args:
        path_or_uri: a folder or file, or a URI such as "precomputed://file:///data/em".

    Raises:
        Unimplemented: without the extra `voxgate[server]`, which reads stores.
        UnknownVolume, UnknownScheme, UnsupportedFormat, MetadataInvalid: when there is no volume to be read.
    """
    found = entry_points(group=GROUP, name="local")
    if not found:
        raise Unimplemented(
            "this installation opens no stores by itself",
            "pip install 'voxgate[server]', or connect to a server with voxgate.connect()",
        )
    opened: VolumeArray = next(iter(found)).load()(path_or_uri)
    return opened
