"""Meshes of supervoxels that DVID keeps beside a labelmap, and puts together to bodies by the labelmap's own mapping.

Instance `{segmentation}_sv_meshes` (the name that FlyEM's tools give it) of type tarsupervoxels, synced with the
segmentation. From DVID's datatype/tarsupervoxels: `supervoxel/{id}` is one file, 404 where there is none; HEAD
`tarfile/{body}` is 200 where all supervoxels of the body have a file, else 400; its GET is a tar of files
`{supervoxel}.{ending}`, and `{supervoxel}.missing` for what went meanwhile. `info` has the ending of all as
`Extended.Extension`: "ngmesh" (see `stored`) and "drc" (Draco) are read; both are in nanometres. Files are of no
version, what is a body is of the version.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, UnsupportedFormat
from voxgate.model.meshes import Mesh
from voxgate.model.skeletons import StoredMeshes
from voxgate_remotes.dvid.client import Ask
from voxgate_remotes.dvid.instances import Instance
from voxgate_remotes.dvid.labels import check_id
from voxgate_remotes.dvid.stored import parsed_mesh
from voxgate_remotes.dvid.voxels import Place
from voxgate_remotes.precomputed_kept.draco import triangles

TAR_SUPERVOXELS = "tarsupervoxels"
_MOST_BYTES = 1 << 30
_ABSENT = (400, 404)

Surface = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]


class DvidSupervoxelMeshes:
    """Meshes of supervoxels, or of bodies made of them; satisfies StoredMeshes."""

    def __init__(
        self, place: Place, instance: Instance, *, supervoxels: bool, bodies: StoredMeshes | None = None
    ) -> None:
        """Ask nothing yet.

        Args:
            place: the server and version.
            instance: the segmentation.
            supervoxels: whether ids are those of supervoxels.
            bodies: where meshes of whole bodies are kept, too; asked first.
        """
        self._place = place
        self._instance = f"{instance.name}_sv_meshes"
        self._supervoxels = supervoxels
        self._bodies = bodies

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """The mesh of a body or supervoxel; see `voxgate.model.skeletons.StoredMeshes`.

        A body of which one supervoxel has no mesh has none: it would have a hole that nobody sees. The supervoxels'
        meshes are joined as they are, in the order of their ids.

        Raises:
            UnsupportedFormat: for files of another kind.
            ChunkCorrupt: for one that is not what it should be.
        """
        check_id(segment_id)
        whole = None if self._bodies is None else self._bodies.stored_mesh(segment_id)
        if whole is not None:
            return whole
        files = self._supervoxel(segment_id) if self._supervoxels else self._tar(segment_id)
        if files is None:
            return None
        parse = self._parser()
        surfaces = [parse(body) for body in files if body]
        shifts = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)])
        vertices = np.concatenate([np.zeros((0, 3), np.float32), *(vertices for vertices, _ in surfaces)])
        moved = [faces + np.uint32(shift) for (_, faces), shift in zip(surfaces, shifts[:-1], strict=True)]
        faces = np.concatenate([np.zeros((0, 3), np.uint32), *moved])
        return Mesh(segment_id, vertices, faces, origin="stored", resolved_version=self._place.uuid)

    def _ask(self, *names: str) -> Ask:
        return Ask(self._place.ask(self._instance, *names), most_bytes=_MOST_BYTES)

    def _supervoxel(self, supervoxel: int) -> list[bytes] | None:
        body = self._place.client.find(self._ask("supervoxel", str(supervoxel)), self._place.context)
        return None if body is None else [body]

    def _tar(self, body: int) -> list[bytes] | None:
        """The files of all supervoxels of a body, in the order of their ids; None where one has none."""
        client, ask = self._place.client, self._ask("tarfile", str(body))
        if client.call("HEAD", ask, self._place.context).status in _ABSENT:
            return None
        files: dict[int, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(client.get(ask, self._place.context)), mode="r:") as tar:
                for member in tar:
                    name, _, ending = member.name.partition(".")
                    file = tar.extractfile(member)
                    if ending == "missing":
                        return None
                    files[int(name)] = b"" if file is None else file.read()
        except (tarfile.TarError, ValueError, EOFError):
            raise ChunkCorrupt(f"the stored meshes of body {body} are no tar of its supervoxels", "ask again") from None
        return [files[supervoxel] for supervoxel in sorted(files)]

    def _parser(self) -> Callable[[bytes], Surface]:
        ask = Ask(self._place.ask(self._instance, "info"))
        told = self._place.client.get_json(ask, self._place.context)
        extended = told.get("Extended") if isinstance(told, dict) else None
        ending = extended.get("Extension") if isinstance(extended, dict) else None
        if ending == "ngmesh":
            return parsed_mesh
        if ending == "drc":
            return _from_draco
        raise UnsupportedFormat(
            f"meshes of supervoxels are kept as {ending!r}, which is not read",
            'store them as "ngmesh" or "drc", or take "computed"',
        )


def _from_draco(data: bytes) -> Surface:
    points, faces = triangles(data)
    vertices = np.asarray(points, np.float32)
    if not np.isfinite(vertices).all():
        raise ChunkCorrupt("a stored mesh has vertices nowhere", "store it again")
    return vertices, faces
