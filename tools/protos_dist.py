"""Write the contract as one file that is usable without this repository: dist/voxgate-protos.tar.gz.

    python tools/protos_dist.py dist

It holds the protos, the google.rpc protos that errors travel in, a descriptor set with source information, the licence
and a README. The same tree gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = "voxgate-protos"

README = """\
# The voxgate contract

- `voxgate/v1/*.proto`: the services. Needs protoc 3.21 or newer, which brings google/protobuf.
- `google/rpc/*.proto`: how errors travel (Apache-2.0, Google LLC; see google/rpc/LICENSE). Not needed to read data.
- `voxgate.binpb`: everything above as one FileDescriptorSet, with imports and comments (for buf curl, grpcurl, Envoy).

    protoc -I . --cpp_out=out --grpc_out=out --plugin=protoc-gen-grpc=$(which grpc_cpp_plugin) \\
      voxgate/v1/*.proto google/rpc/*.proto

## Assembling answers

1. A cutout (`VolumeService.ReadCutout`). The first message has the header: type, box, encodings, fill value.
   Allocate the box. Each chunk answers `box`; its bytes are voxels, little-endian, x fastest, then y, z,
   channel, of `data_box` (or of `box` when that is unset): crop. `encoding_index` points into the header's encodings;
   with no `accept_encodings` in the request only RAW and FILL come. FILL has no bytes: every voxel is `fill_value`.
   The answer is whole when every voxel was covered and the summary came; the status alone does not say so.
2. A mesh (`MeshService.GetMeshes`). Keep one list of vertices and one of faces per segment id; append each part:
   `vertex_count * 3` float32 (x, y, z in nm), then, if `has_normals`, as many float32 normals, then
   `face_count * 3` uint32 that count from the segment's first vertex; all little-endian.
   A mesh is whole when its `MeshEnd` came without `error` and the counts agree.
3. A write (`VolumeService.WriteCutout`). One message with the header, then chunks that cover the box exactly once, at
   most 2 MiB a message. Look at `outcome`: OK may be PARTIAL.
4. An error. Trailing metadata `grpc-status-details-bin` is a google.rpc.Status; its `details` hold a
   google.rpc.ErrorInfo whose domain is "voxgate" and whose reason is a name of ErrorReason without its prefix.

Segment ids are unsigned 64-bit and pass 2**63: no floats, no signed numbers.
"""


def members(binpb: bytes) -> dict[str, bytes]:
    """The archive's files by name."""
    protos = ROOT / "protos"
    files = {str(path.relative_to(protos)): path.read_bytes() for path in protos.glob("*/*/*.proto")}
    licence = (ROOT / "LICENSE").read_bytes()
    # google/rpc is under the same Apache-2.0 text; each file's head names its owner.
    files |= {"LICENSE": licence, "google/rpc/LICENSE": licence}
    files |= {"README.md": README.encode(), "voxgate.binpb": binpb}
    return files


def descriptor_set() -> bytes:
    """A FileDescriptorSet of every file with imports and source information, as buf builds it."""
    buf = pathlib.Path(sys.executable).with_name("buf")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "voxgate.binpb")
        subprocess.run([buf, "build", "--as-file-descriptor-set", "-o", out], cwd=ROOT, check=True)
        return out.read_bytes()


def archive(files: dict[str, bytes]) -> bytes:
    """A gzipped tar of `files` under one folder, without times, owners or the order of a file system."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return gzip.compress(packed.getvalue(), mtime=0)


def main() -> None:
    """Write the archive into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder: pathlib.Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{NAME}.tar.gz"
    target.write_bytes(archive(members(descriptor_set())))
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
