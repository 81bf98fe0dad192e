"""What programs in a browser use, a published client over fetch, against a running suite's HTTP port; in Node."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

import numpy as np
import pytest
from languages.programs import Client, without_comments
from languages.test_clients import EM_BOX, WHOLE, expected, read, span, stored, table

import voxgate
from support.house import ROOT
from voxgate.model.geometry import Box
from voxgate_gateway.server import Gateway

pytestmark = pytest.mark.full

PAGE = ROOT / "docs/how-to/use-from-a-browser.md"
PROTOCOLS = {"grpc-web": [], "connect": ["--connect"]}


@pytest.fixture(params=sorted(PROTOCOLS))
def client(request: pytest.FixtureRequest, typescript: list[str], tmp_path: pathlib.Path) -> Client:
    """The TypeScript client in an empty folder, with a protocol that browsers speak."""
    return Client([*typescript, *PROTOCOLS[request.param]], tmp_path)


@pytest.mark.parametrize(("volume", "box"), [("fib25/em", EM_BOX), ("fib25/seg", WHOLE)])
def test_streamed_cutouts_have_the_stored_voxels(client, suite, volume, box) -> None:
    np.testing.assert_array_equal(read(client, suite["http"], volume, box), stored(volume, box))


def test_negative_coordinates_huge_ids_and_absent_chunks_arrive(client, suite) -> None:
    box = Box.of(x=(-24, 39), y=(41, 88), z=(12, 32))
    np.testing.assert_array_equal(read(client, suite["http"], "aniso/seg", box), stored("aniso/seg", box))


def test_segments_are_listed_as_over_grpc(client, suite) -> None:
    listed = client.run(suite["http"], "aniso/seg", "--top", "4")
    assert listed.status == 0
    assert listed.printed == client.run(suite["grpc"], "aniso/seg", "--top", "4").printed
    assert len(listed.printed) == 5


def test_a_mesh_is_the_one_that_the_sdk_saves(client, suite) -> None:
    with voxgate.connect(suite["grpc"]) as python:
        seg = python.volume("fib25/seg")
        mesh = seg.mesh(seg.segments(top=5).ids[4])
    mesh.save(client.folder / "sdk.obj")
    lines = client.obj(suite["http"], "fib25/seg", str(mesh.segment_id))
    assert lines == without_comments(client.folder / "sdk.obj")
    body = expected()["segments"][0]
    vertices = table(client.obj(suite["http"], "aniso/seg", body["segment_id"]), "v")
    np.testing.assert_array_equal(vertices.max(axis=0), body["stop_nm"])


@pytest.mark.parametrize(
    ("volume", "box", "error"),
    [
        ("fib25/nothing", EM_BOX, "error 5 UNKNOWN_VOLUME: "),
        ("fib25/em", Box.of(x=(0, 9), y=(0, 8), z=(0, 7)), "error 11 OUT_OF_BOUNDS: "),
        ("FIB25/../em", EM_BOX, "error 3 MALFORMED_NAME: "),
    ],
)
def test_errors_come_with_reason_and_remedy(client, suite, volume, box, error) -> None:
    ran = client.run(suite["http"], volume, span(box))
    assert (ran.status, ran.printed) == (1, [])
    assert ran.complained[0].startswith(error)
    assert any(line.startswith("remedy: ") for line in ran.complained)


def test_an_unknown_segment_of_a_unary_call_too(client, suite) -> None:
    ran = client.run(suite["http"], "fib25/none")
    assert ran.complained[0].startswith("error 5 UNKNOWN_VOLUME: ")


def test_a_server_that_is_down_behind_the_gateway_is_to_be_tried_again(client) -> None:
    gateway = Gateway("127.0.0.1:1", port=0)
    gateway.start()
    try:
        ran = client.run(gateway.url, "fib25/em", span(EM_BOX))
    finally:
        gateway.stop(1)
    assert ran.status == 1
    assert ran.complained[0].startswith("error 14: the server does not answer")
    assert "try again in 2 s" in ran.complained


def test_a_deadline_ends_a_call(client, suite) -> None:
    ran = client.run(suite["http"], "fib25/seg", span(WHOLE), "--deadline-s", "0.001")
    assert ran.complained[0].startswith("error 4")


def test_the_module_s_example_in_the_guide_runs(typescript, suite) -> None:
    (block,) = re.findall(r"```js\n(.*?)```", PAGE.read_text(), re.DOTALL)
    example = pathlib.Path(typescript[-1]).with_name("example.mjs")
    example.write_text(block.replace("http://localhost:8080", suite["http"]))
    ran = subprocess.run(["node", example], capture_output=True, text=True, check=False, timeout=120)
    assert ran.stderr == ""
    labels = stored("fib25/seg", Box.of(x=(1100, 1164), y=(2060, 2124), z=(3010, 3020)))
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert told[0] == labels.nbytes
    assert set(told[1]) <= {str(one) for one in np.unique(stored("fib25/seg", WHOLE)).tolist()}
    assert told[2] == ["UNKNOWN_VOLUME", "list the remote"]
