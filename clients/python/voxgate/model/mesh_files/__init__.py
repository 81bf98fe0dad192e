"""Meshes as bytes of common files, with what is known of them where a format has a place for it."""

from voxgate.model.mesh_files.encoding import encode_meshes
from voxgate.model.mesh_files.kinds import MeshFileType, check_mesh_file, mesh_file_type

__all__ = ["MeshFileType", "check_mesh_file", "encode_meshes", "mesh_file_type"]
