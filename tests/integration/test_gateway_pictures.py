"""Images that leave as JPEG because the operator says so: what readers get, and what stays as it is."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
import simplejpeg
from cloudvolume import CloudVolume

from support.gateways import by_tensorstore, suite_over
from support.servers import SAMPLES
from voxgate_gateway.settings import GatewaySettings, PrecomputedSettings

CUT = (slice(1100, 1150), slice(2060, 2090), slice(3010, 3040))
CELL = "1088-1152_2056-2120_3000-3064"
QUALITY = 35


@pytest.fixture(scope="module")
def http():
    told = PrecomputedSettings(jpeg={"samples/fib25": QUALITY})
    with (
        suite_over({"samples": SAMPLES, "plain": SAMPLES}, gateway=GatewaySettings(precomputed=told)) as url,
        httpx.Client(base_url=f"{url}/ng/", timeout=60) as client,
    ):
        yield client


def info_of(http, address):
    return http.get(f"{address}/info").raise_for_status().json()


def test_an_image_is_announced_as_neuroglancer_wants_pictures(http):
    pictured, plain = info_of(http, "samples/fib25/em/-"), info_of(http, "plain/fib25/em/-")
    for scale in pictured["scales"]:
        # neuroglancer takes JPEG of uint8 with one channel or three.
        assert (pictured["data_type"], pictured["num_channels"], scale["encoding"]) == ("uint8", 1, "jpeg")
    keys = [scale["key"] for scale in plain["scales"]]
    assert [scale["key"] for scale in pictured["scales"]] == [f"jpeg/{key}" for key in keys]
    for scale, other in zip(pictured["scales"], plain["scales"], strict=True):
        assert scale | {"key": "", "encoding": ""} == other | {"key": "", "encoding": ""}


@pytest.mark.parametrize("scale", [0, 2])
def test_cloud_volume_and_tensorstore_read_pictures_that_are_nearly_the_image(http, scale):
    addresses = [f"{http.base_url}{name}/fib25/em/-" for name in ("samples", "plain")]
    pictured, plain = (
        np.asarray(CloudVolume(f"precomputed://{address}", mip=scale, progress=False)[:]) for address in addresses
    )
    assert 0 < np.abs(pictured.astype(int) - plain.astype(int)).mean() < 12
    assert np.array_equal(by_tensorstore(addresses[0], scale).read().result(), pictured)


def test_a_picture_has_the_quality_that_was_stated_and_the_usual_one_elsewhere(http):
    raw = http.get(f"plain/fib25/em/-/10_10_10/{CELL}").content
    rows = np.frombuffer(raw, np.uint8).reshape(64 * 64, 64, 1)
    for name, quality in (("samples", QUALITY), ("plain", 90)):
        answer = http.get(f"{name}/fib25/em/-/jpeg/10_10_10/{CELL}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == simplejpeg.encode_jpeg(rows, quality=quality, colorspace="GRAY")


def test_who_asks_for_exact_voxels_gets_them_and_no_address_has_two_encodings(http):
    plain = by_tensorstore(f"{http.base_url}plain/fib25/em/-")[CUT].read().result()
    exact = by_tensorstore(f"{http.base_url}samples/fib25/em/-/raw")
    assert np.array_equal(exact[CUT].read().result(), plain)
    chunks = [http.get(f"{name}/fib25/em/-/10_10_10/{CELL}").content for name in ("samples", "plain")]
    assert chunks[0] == chunks[1]
    assert len(chunks[0]) == 64**3


def test_segment_ids_and_images_of_other_remotes_stay_as_they_are(http):
    for address, encoding in (("samples/fib25/seg/-", "compressed_segmentation"), ("plain/fib25/em/-", "raw")):
        assert {scale["encoding"] for scale in info_of(http, address)["scales"]} == {encoding}
