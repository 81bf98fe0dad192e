"""`[gateway.precomputed]`: which images leave as JPEG, and of what quality."""

from __future__ import annotations

import contextlib
import dataclasses

import httpx
import numpy as np
import pytest

from support.standin_volumes import StandIn, image, ramp, served
from voxgate.model.errors import ConfigInvalid
from voxgate.model.volumes import Channel, VolumeKind
from voxgate_gateway.backend import Described, VolumeRef
from voxgate_gateway.precomputed.info import describe
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import (
    GatewaySettings,
    PrecomputedSettings,
    checked_gateway,
    parse_gateway,
    settings_from_json,
    settings_to_json,
)

CELL = "-7-9_1000-1020_21-29"


def bytes_image(**changes):
    info, _ = image(dtype=np.dtype("<u1"), **changes)
    return info, [ramp(info, scale) for scale in info.scales]


def encodings(info, **asked):
    described = describe(Described(VolumeRef(info.name), info, 2 << 20), **asked)
    return {scale["encoding"] for scale in described["scales"]}


def test_the_nearest_name_above_a_volume_counts():
    told = PrecomputedSettings(jpeg={"lab": 80, "lab/2024": 60, "lab/2024/em": 40, "la": 1})
    asked = ("lab/2024/em", "lab/2024/other", "lab/2024x", "lab", "lab/2024/em/s0", "other/lab")
    assert [told.jpeg_quality(name) for name in asked] == [40, 60, 80, 80, 40, None]


def test_what_was_stated_reaches_a_gateway_in_a_process_of_its_own():
    settings = parse_gateway({"precomputed": {"jpeg": {"lab/e%20m": 1, "lab": 100}}})
    assert settings.precomputed == PrecomputedSettings(jpeg={"lab/e%20m": 1, "lab": 100})
    assert settings_from_json(settings_to_json(settings)) == settings


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ({"jpeg": {"lab/em": 0}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/em": 101}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/em": -1}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/em": True}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/em": 75.0}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/em": "75"}}, "gateway.precomputed.jpeg.lab/em", "from 1 to 100"),
        ({"jpeg": {"lab/../em": 75}}, "gateway.precomputed.jpeg.lab/../em", "no"),
        ({"jpeg": {"Lab": 75}}, "gateway.precomputed.jpeg.Lab", "not a volume name"),
        ({"jpeg": 75}, "gateway.precomputed.jpeg", "no table"),
        ({"jpg": {}}, "gateway.precomputed.jpg", "unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_key(table, key, words):
    with pytest.raises(ConfigInvalid) as refused:
        parse_gateway({"precomputed": table})
    assert refused.value.details["key"] == key
    assert words in str(refused.value)


def test_everything_that_is_wrong_is_told_at_once():
    settings, problems = checked_gateway({"precomputed": {"jpeg": {"a": 0, "b": 500, "c": 5}}})
    assert [problem.details["key"].rpartition(".")[2] for problem in problems] == ["a", "b"]
    assert settings.precomputed.jpeg == {"c": 5}


def test_an_image_of_bytes_is_pictured_unless_the_address_asks_for_something():
    info, _ = bytes_image()
    assert encodings(info, pictured=True) == {"jpeg"}
    assert encodings(info, pictured=False) == {"raw"}
    assert encodings(info, wanted="png", pictured=True) == {"png"}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": VolumeKind.SEGMENTATION},
        {"kind": VolumeKind.UNKNOWN},
        {"inferred": ("kind",)},
        {"dtype": np.dtype("<u2")},
        {"axes": "czyx", "channels": (Channel("a"), Channel("b"))},
    ],
)
def test_what_jpeg_cannot_hold_or_may_be_segment_ids_stays_as_it_is(changes):
    info = dataclasses.replace(bytes_image()[0], **changes)
    assert encodings(info, pictured=True) == {"raw"}


@contextlib.contextmanager
def serving(stand_in, quality):
    with served(stand_in) as address:
        told = GatewaySettings(precomputed=PrecomputedSettings(jpeg={"lab": quality}))
        gateway = Gateway(address, port=0, settings=told)
        gateway.start()
        try:
            with httpx.Client(base_url=gateway.url, timeout=60) as http:
                yield http
        finally:
            gateway.stop(1)


def test_a_cache_can_tell_one_quality_from_another_even_of_voxels_that_never_change():
    info, arrays = bytes_image(immutable=True, resolved_version="v1")
    seen = {}
    for quality in (20, 80):
        for absent in (False, True):
            stand_in = StandIn({info.name: (info, [None, None] if absent else arrays)})
            with serving(stand_in, quality) as http:
                answer = http.get(f"/ng/lab/em/-/jpeg/8_8_33/{CELL}")
                assert answer.status_code == 200
                seen[quality, absent] = answer
    assert seen[20, False].content != seen[80, False].content
    assert seen[20, False].headers["etag"] != seen[80, False].headers["etag"]
    assert seen[20, True].content != seen[80, True].content
