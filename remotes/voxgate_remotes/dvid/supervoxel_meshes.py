"""Meshes of supervoxels that DVID keeps beside a labelmap, and puts together to bodies by the labelmap's own mapping.

Instance `{segmentation}_sv_meshes` (the name that FlyEM's tools give it) of type tarsupervoxels, synced with the
segmentation. From DVID's datatype/tarsupervoxels: `supervoxel/{id}` is one file, 404 where there is none; HEAD
`tarfile/{body}` is 200 where all supervoxels of the body have a file, else 400; its GET is a tar of files
`{supervoxel}.{ending}`, and `{supervoxel}.missing` for what went meanwhile. `info` has the ending of all as
`Extended.Extension`. Only "ngmesh" is read (see `stored`): nobody says the unit of other files, and FlyEM's tools write
theirs in voxels unless told otherwise. Files are of no version, what is a body is of the version.
"""

from __future__ import annotations

import io
import tarfile

import numpy as np

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.meshes import Mesh
from voxgate.model.skeletons import StoredMeshes
from voxgate_remotes.dvid.client import Ask
from voxgate_remotes.dvid.instances import Instance
from voxgate_remotes.dvid.labels import check_id
from voxgate_remotes.dvid.stored import parsed_mesh
from voxgate_remotes.dvid.voxels import Place

TAR_SUPERVOXELS = "tarsupervoxels"
_READ = "ngmesh"
_MOST_BYTES = 1 << 30
_ABSENT = (400, 404)


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

        A body of which one supervoxel has no mesh has none: it would have a hole that nobody sees. Nor has any where
        files are of another kind. The supervoxels' meshes are joined as they are, in the order of their ids.

        Raises:
            ChunkCorrupt: for a file that is not what it should be.
        """
        check_id(segment_id)
        whole = None if self._bodies is None else self._bodies.stored_mesh(segment_id)
        if whole is not None:
            return whole
        if not self._is_read():
            return None
        files = self._supervoxel(segment_id) if self._supervoxels else self._tar(segment_id)
        if files is None:
            return None
        surfaces = [parsed_mesh(body) for body in files if body]
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

    def _is_read(self) -> bool:
        """Whether the files are of the kind that says where its vertices are."""
        told = self._place.client.get_json(Ask(self._place.ask(self._instance, "info")), self._place.context)
        extended = told.get("Extended") if isinstance(told, dict) else None
        return isinstance(extended, dict) and extended.get("Extension") == _READ
