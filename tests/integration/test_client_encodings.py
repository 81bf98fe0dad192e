"""Encodings by wish: whatever a client asks for, it gets the same voxels."""

import numpy as np
import pytest

from support.servers import SAMPLES, volume_server
from voxgate.client.connection import connect
from voxgate.client.preferences import encoding_name, preferred_encodings
from voxgate.model.errors import UnsupportedEncoding
from voxgate.model.geometry import Box
from voxgate.v1 import volume_pb2
from voxgate.wire.encodings import decodable
from voxgate.wire.framing import parse_response
from voxgate.wire.volumes import box_to_proto, encoding_from_proto
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry


@pytest.fixture(scope="module")
def client():
    table = {name: {"uri": str(SAMPLES / name)} for name in ("fib25", "aniso")}
    registry = Registry.from_config(parse_remotes(table, SAMPLES))
    with volume_server(registry) as server, connect(server.address) as connected:
        yield connected


def inner_box(bounds):
    return Box.of(*[(a + 3, b - 2) for a, b in zip(bounds.start, bounds.stop, strict=True)])


@pytest.mark.parametrize("name", ["fib25/em", "fib25/seg", "aniso/seg"])
def test_every_wish_gives_the_same_voxels(client, name):
    volume = client.volume(name)
    box = inner_box(volume.bounds)
    expected = volume.read(box)
    possible = [encoding_name(encoding) for encoding in decodable(volume.dtype)]
    lossless = [wish for wish in possible if wish.startswith(("raw", "compressed")) and not wish.endswith("blosc")]
    for wish in [("fast",), ("small",), *((one,) for one in lossless)]:
        with client.with_encodings(*wish) as wishing:
            np.testing.assert_array_equal(wishing.volume(name).read(box), expected, err_msg=str(wish))


def sent(client, name, wish):
    """(encodings of the chunks, payload bytes) of a whole volume as a wish gets it."""
    volume = client.volume(name)
    request = volume_pb2.ReadCutoutRequest(
        volume=name,
        box=box_to_proto(volume.bounds),
        accept_encodings=preferred_encodings(volume.info, wish),
    )
    parsed = [parse_response(data) for data in client.stubs.read_cutout(request)]
    listed = [encoding_name(encoding_from_proto(one)) for one in parsed[0].header.encodings]
    used = {listed[chunk.fields.encoding_index] for one in parsed for chunk in one.chunks if len(chunk.data)}
    return used, parsed[-1].summary.size_bytes


def test_segmentations_are_compressed_by_default_and_images_are_not(client):
    raw = {name: int(np.prod(client.volume(name).shape)) for name in ("fib25/em", "fib25/seg")}
    assert sent(client, "fib25/em", ("fast",)) == ({"raw"}, raw["fib25/em"])
    used, size = sent(client, "fib25/em", ("small",))
    assert used <= {"raw", "raw+zstd"}
    assert size < raw["fib25/em"]
    used, size = sent(client, "fib25/seg", ("fast",))
    assert used == {"compressed_segmentation"}  # as it is stored
    used, small = sent(client, "fib25/seg", ("small",))
    assert used == {"compressed_segmentation+zstd"}
    assert small < size / 2
    assert small < 8 * raw["fib25/seg"] / 50


def test_an_encoding_that_nobody_here_decodes_or_the_server_cannot_make_is_said(client):
    with client.with_encodings("raw+lzma") as wishing:
        volume = wishing.volume("fib25/em")
        with pytest.raises(UnsupportedEncoding, match="raw\\+lzma"):
            volume.read(inner_box(volume.bounds))
    with client.with_encodings("jpeg") as wishing:
        volume = wishing.volume("fib25/em")
        with pytest.raises(UnsupportedEncoding, match="can be produced"):
            volume.read(inner_box(volume.bounds))
