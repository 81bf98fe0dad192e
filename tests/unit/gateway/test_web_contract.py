"""The contract at `/protos/`: what is there, and that it is the same as what the repository makes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version

import httpx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from support.house import ROOT
from voxgate.model.errors import Unimplemented
from voxgate_gateway.server import Gateway
from voxgate_gateway.web import archive

ARCHIVE = f"/protos/voxgate-protos-{version('voxgate')}.tar.gz"
PROTOS = {path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").rglob("*.proto")}


@pytest.fixture(scope="module")
def http():
    # No server behind it: files need none.
    gateway = Gateway("127.0.0.1:1", port=0)
    gateway.start()
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client
    gateway.stop(1)


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert all(entry.isfile() and entry.mtime == 0 and entry.uid == 0 for entry in tar)
        return {name.partition("/")[2]: tar.extractfile(name).read() for name in tar.getnames()}


def test_the_archive_has_the_protos_as_they_are(http):
    answer = http.get(ARCHIVE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/gzip")
    assert "content-encoding" not in answer.headers
    files = unpacked(answer.content)
    assert {name for name in files if name.endswith(".proto")} == PROTOS
    assert all(files[name] == (ROOT / "protos" / name).read_bytes() for name in PROTOS)
    assert set(files) - PROTOS == {"LICENSE", "google/rpc/LICENSE", "README.md", "voxgate.binpb"}


def test_it_is_what_the_repository_makes_but_for_comments_in_the_descriptors(http, tmp_path):
    subprocess.run([sys.executable, ROOT / "tools/protos_dist.py", tmp_path], check=True, capture_output=True)
    made = unpacked((tmp_path / "voxgate-protos.tar.gz").read_bytes())
    served = unpacked(http.get(ARCHIVE).content)
    sets = [descriptor_pb2.FileDescriptorSet.FromString(files.pop("voxgate.binpb")) for files in (made, served)]
    assert served == made
    with_comments, without = ({file.name for file in one.file} for one in sets)
    assert with_comments == without


def test_the_descriptor_set_is_complete_in_the_order_of_its_imports(http):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(http.get("/protos/voxgate.binpb").content).file:
        pool.Add(file)
    assert pool.FindMethodByName("voxgate.v1.VolumeService.ReadCutout").server_streaming
    assert pool.FindMessageTypeByName("google.rpc.ErrorInfo")


def test_it_has_the_same_bytes_every_time_and_a_strong_etag(http):
    answer = http.get(ARCHIVE)
    assert archive.archive(archive.contract_files()) == archive.archive(archive.contract_files())
    etag = answer.headers["etag"]
    assert etag.startswith('"')
    assert http.get(ARCHIVE, headers={"if-none-match": etag}).status_code == 304
    assert http.head(ARCHIVE).headers["content-length"] == str(len(answer.content))
    assert http.get(ARCHIVE, headers={"range": "bytes=-7"}).content == answer.content[-7:]


def test_the_page_links_to_every_file_relatively(http):
    page = http.get("/protos/")
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'<li><a href="([^"]+)"', page.text)
    assert links[0] == ARCHIVE.removeprefix("/protos/")
    assert set(links) >= PROTOS
    assert all(http.get(f"/protos/{link}").status_code == 200 for link in links)
    assert "syntax = " in http.get("/protos/voxgate/v1/volume.proto").text


def test_without_its_slash_the_page_is_found_under_any_prefix(http):
    answer = http.get("/user/x/proxy/8080/protos", headers={"x-forwarded-prefix": "/user/x/proxy/8080"})
    assert (answer.status_code, answer.headers["location"]) == (308, "protos/")


@pytest.mark.parametrize("name", ["../pyproject.toml", "%2e%2e/%2e%2e/LICENSE", "voxgate/v1", "voxgate/v1/", "x.proto"])
def test_nothing_else_is_served(http, name):
    assert http.get(f"/protos/{name}").status_code == 404


def test_an_installation_without_protos_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(archive, "__file__", str(tmp_path / "a/b/c/d/archive.py"))
    monkeypatch.setattr(archive, "files", lambda _: tmp_path)
    with pytest.raises(Unimplemented):
        archive.contract_files()


def test_an_installed_wheel_has_the_protos_and_the_licence(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [*command, "--wheel-dir", tmp_path, ROOT / "services/gateway"], check=True, timeout=200, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"voxgate_gateway/protos/{name}" for name in PROTOS | {"LICENSE"}} <= names
    assert "voxgate_gateway/web/CONTRACT.md" in names
