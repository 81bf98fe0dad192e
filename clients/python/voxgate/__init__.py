"""One API over every connectomics volume store.

    client = voxgate.connect("localhost:50051")
    em = client.volume("fib25/em")
    em[10:60, 5:77, 100:231]

Everything here is imported when it is first used, so that `import voxgate` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray
    from voxgate.client.connection import Client, connect
    from voxgate.client.door import array
    from voxgate.client.opening import open_volume as open  # noqa: A004  (voxgate.open is its public name)
    from voxgate.client.segments import voxels_from_runs
    from voxgate.client.tls import Tls
    from voxgate.model import errors
    from voxgate.model.geometry import Box, Vec3, VoxelSize
    from voxgate.model.meshes import Mesh

    __version__: str

__all__ = [
    "Box",
    "Client",
    "Mesh",
    "Tls",
    "Vec3",
    "VolumeArray",
    "VoxelSize",
    "__version__",
    "array",
    "connect",
    "errors",
    "open",
    "voxels_from_runs",
]

_HOMES = {
    "Box": ("voxgate.model.geometry", "Box"),
    "Client": ("voxgate.client.connection", "Client"),
    "Mesh": ("voxgate.model.meshes", "Mesh"),
    "Tls": ("voxgate.client.tls", "Tls"),
    "Vec3": ("voxgate.model.geometry", "Vec3"),
    "VolumeArray": ("voxgate.client.array", "VolumeArray"),
    "VoxelSize": ("voxgate.model.geometry", "VoxelSize"),
    "array": ("voxgate.client.door", "array"),
    "connect": ("voxgate.client.connection", "connect"),
    "open": ("voxgate.client.opening", "open_volume"),
    "voxels_from_runs": ("voxgate.client.segments", "voxels_from_runs"),
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("voxgate.model.errors")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("voxgate")
    if name not in _HOMES:
        raise AttributeError(f"module 'voxgate' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
