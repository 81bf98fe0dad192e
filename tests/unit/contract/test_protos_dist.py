"""The tarball of protos, unpacked in an empty folder, is all that another language needs."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

ROOT = pathlib.Path(__file__).parents[3]
GENERATOR = ROOT / ".venv-protos/bin/python"


def build_tarball(folder: pathlib.Path) -> pathlib.Path:
    subprocess.run([sys.executable, ROOT / "tools/protos_dist.py", folder], check=True, timeout=60, capture_output=True)
    return folder / "voxgate-protos.tar.gz"


@pytest.fixture
def unpacked(tmp_path: pathlib.Path) -> pathlib.Path:
    with tarfile.open(build_tarball(tmp_path / "dist")) as tar:
        tar.extractall(tmp_path / "alone", filter="data")
    shutil.rmtree(tmp_path / "dist")
    return tmp_path / "alone/voxgate-protos"


def test_the_tarball_is_the_same_every_time(tmp_path: pathlib.Path) -> None:
    one, other = build_tarball(tmp_path / "one"), build_tarball(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()


def test_the_tarball_holds_the_protos_as_they_are_and_licences(unpacked: pathlib.Path) -> None:
    protos = {path.relative_to(ROOT / "protos"): path.read_text() for path in (ROOT / "protos").rglob("*.proto")}
    found = {path.relative_to(unpacked): path.read_text() for path in unpacked.rglob("*.proto")}
    assert found == protos
    for licence in ("LICENSE", "google/rpc/LICENSE"):
        assert "Apache License" in (unpacked / licence).read_text()
    assert "fill_value" in (unpacked / "README.md").read_text()


def test_the_descriptor_set_is_complete_and_keeps_the_comments(unpacked: pathlib.Path) -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString((unpacked / "voxgate.binpb").read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:  # in the order of their imports, or this raises
        pool.Add(file)
    assert pool.FindServiceByName("voxgate.v1.MeshService").methods_by_name["GetMeshes"].server_streaming
    assert pool.FindMessageTypeByName("google.rpc.ErrorInfo")
    types = next(file for file in files if file.name == "voxgate/v1/types.proto")
    comments = [place.leading_comments for place in types.source_code_info.location]
    assert any("half-open box of voxels" in comment for comment in comments)


def test_buf_builds_the_tarball_alone(unpacked: pathlib.Path) -> None:
    buf = pathlib.Path(sys.executable).with_name("buf")
    done = subprocess.run(
        [buf, "build", unpacked], check=False, cwd=unpacked, timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_python_stubs_made_from_the_tarball_alone_work(unpacked: pathlib.Path, tmp_path: pathlib.Path) -> None:
    if not GENERATOR.exists():
        # `make test` makes it first (protos-check); by hand: make .venv-protos/.ready
        pytest.skip("needs .venv-protos: run make protos-check first")
    out = tmp_path / "out"
    out.mkdir()
    protos = sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("*.proto"))
    command = [GENERATOR, "-m", "grpc_tools.protoc", "-I.", f"--python_out={out}", f"--grpc_python_out={out}", *protos]
    subprocess.run(command, cwd=unpacked, check=True, timeout=120)
    # google/rpc comes from the interpreter's own googleapis-common-protos; voxgate only from the fresh stubs.
    script = (
        f"import sys; sys.path.insert(0, {str(out)!r})\n"
        "from voxgate.v1 import volume_pb2, mesh_pb2_grpc\n"
        f"assert volume_pb2.__file__.startswith({str(out)!r})\n"
        "print(volume_pb2.ReadCutoutRequest(volume='a/b', scale_index=2).SerializeToString().hex())\n"
    )
    done = subprocess.run([GENERATOR, "-I", "-c", script], check=False, timeout=60, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("0a03612f621802", "")
