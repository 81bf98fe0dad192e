"""Every hole that was found, and is mended: refused in words now."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from abuse.targets import target_of

from voxgate.model.errors import VoxgateError
from voxgate_gateway.bossdb.errors import BossError

_HUGE = {"chunks": [2**31, 24, 40]}
_HUGE3 = {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [16, 24, 2**53]}}}


def refused(name: str, data: bytes) -> None:
    with pytest.raises((VoxgateError, BossError)):
        target_of(name).call(data)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("zarr v2 document", _HUGE),
        ("zarr v3 document", _HUGE3),
        ("zarr v2 document", {"dtype": "(2,"}),
        ("zarr v2 document", {"dtype": "9" * 400 + "u1"}),
        ("zarr v3 document", {"data_type": "\ud800"}),
        ("DVID instance", {"Extended": {"BlockSize": [float("inf")] * 3}}),
    ],
)
def test_documents_that_ended_the_process_or_were_a_fault(name: str, changes: dict[str, Any]):
    seed = json.loads(target_of(name).seeds[0])
    for key, value in changes.items():
        seed[key] = {**seed[key], **value} if isinstance(value, dict) and isinstance(seed.get(key), dict) else value
    refused(name, json.dumps(seed).encode())


@pytest.mark.parametrize(
    "changes", [{"chunk_sizes": [[2**53, 24, 16]]}, {"encoding": [[1]]}, {"chunk_sizes": [[40, 24, 2**53]]}]
)
def test_scales_of_precomputed_that_ended_the_process_or_were_a_fault(changes: dict[str, Any]):
    seed = json.loads(target_of("precomputed document").seeds[0])
    seed["scales"][0] |= changes
    refused("precomputed document", json.dumps(seed).encode())


def test_a_property_whose_type_is_a_list():
    seed = json.loads(target_of("segment properties").seeds[0])
    seed["inline"]["properties"][0]["type"] = []
    refused("segment properties", json.dumps(seed).encode())


def test_a_repository_whose_numbers_are_endless():
    seed = json.loads(target_of("DVID repository").seeds[0])
    next(iter(seed["DAG"]["Nodes"].values()))["VersionID"] = float("inf")
    refused("DVID repository", json.dumps(seed).encode())


def test_a_picture_whose_first_block_is_too_short():
    refused("chunk png+none", b"\x89PNG\r\n\x1a\n\0\0\0\x02IHDR\0\0" + zlib.crc32(b"IHDR\0\0").to_bytes(4, "big"))


@pytest.mark.parametrize("header", [b"{'descr': (", b"{'descr': '<u8'", b"(" * 500, b"{}\0"])
def test_a_header_of_npy_that_is_no_literal(header: bytes):
    padded = header.ljust(118) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded
    refused("BossDB npygz, as server", zlib.compress(data))
