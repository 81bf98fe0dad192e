"""The contract as one file that is usable alone: the protos, what errors travel in, a descriptor set, how to begin.

Installed, the protos are data of this package; in a checkout they are where everybody looks for them.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import code_pb2, error_details_pb2, status_pb2

from voxgate.model.errors import Unimplemented
from voxgate.wire.contract import FILES

NAME = "voxgate-protos"
DESCRIPTORS = "voxgate.binpb"


def contract_files() -> dict[str, bytes]:
    """The files by name, as in "voxgate/v1/volume.proto", but for the descriptor set.

    Raises:
        Unimplemented: when this installation has none.
    """
    root, licence_file = _protos()
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("*/*/*.proto"))}
    licence = licence_file.read_bytes()
    # google/rpc is under the same Apache-2.0 text; each file's head names its owner.
    found |= {"LICENSE": licence, "google/rpc/LICENSE": licence}
    found["README.md"] = files("voxgate_gateway").joinpath("web", "CONTRACT.md").read_bytes()
    return found


def descriptor_set() -> bytes:
    """A serialized FileDescriptorSet of every file with what it imports, without comments: each after its imports."""
    told = FileDescriptorSet()
    seen: set[str] = set()

    def tell(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for imported in file.dependencies:
            tell(imported)
        told.file.append(FileDescriptorProto.FromString(file.serialized_pb))

    for module in (*FILES, code_pb2, error_details_pb2, status_pb2):
        tell(module.DESCRIPTOR)
    return told.SerializeToString(deterministic=True)


def archive(members: dict[str, bytes]) -> bytes:
    """A gzipped tar of files under one folder, without times, owners or the order of a file system."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(members):
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size, entry.mode = len(members[name]), 0o644
            tar.addfile(entry, io.BytesIO(members[name]))
    return gzip.compress(packed.getvalue(), mtime=0)


def _protos() -> tuple[Path, Path]:
    """The folder of the protos, and the licence."""
    packaged = Path(str(files("voxgate_gateway"))) / "protos"
    checkout = Path(__file__).resolve().parents[4]
    for folder, licence in ((packaged, packaged / "LICENSE"), (checkout / "protos", checkout / "LICENSE")):
        if (folder / "voxgate" / "v1").is_dir() and licence.is_file():
            return folder, licence
    raise Unimplemented("this installation has no protos", "they are in the source of this release")
