"""Write the contract as one file that is usable without this repository: dist/voxgate-protos.tar.gz.

    python tools/protos_dist.py dist

It is what the gateway serves at /protos/, but for a name without a version and a descriptor set with comments. The same
tree gives the same bytes.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile

from voxgate_gateway.web.archive import NAME, archive, contract_files

ROOT = pathlib.Path(__file__).resolve().parents[1]


def descriptor_set() -> bytes:
    """A FileDescriptorSet of every file with imports and source information, as buf builds it."""
    buf = pathlib.Path(sys.executable).with_name("buf")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "voxgate.binpb")
        subprocess.run([buf, "build", "--as-file-descriptor-set", "-o", out], cwd=ROOT, check=True)
        return out.read_bytes()


def main() -> None:
    """Write the archive into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder: pathlib.Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{NAME}.tar.gz"
    target.write_bytes(archive(contract_files() | {"voxgate.binpb": descriptor_set()}))
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
