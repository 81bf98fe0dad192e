"""Passing on: which stored chunks leave as they are stored, and as what. Pure: knows no grpc."""

from __future__ import annotations

from dataclasses import dataclass, replace

from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.volumes import (
    RAW,
    ArrayCodec,
    ByteCodec,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    Scale,
    Volume,
)
from voxgate.wire.byte_codecs import Data, deflate
from voxgate.wire.encodings import accepts


@dataclass(frozen=True, slots=True)
class Passing:
    """How the stored chunks of one scale are passed on to one caller.

    Attributes:
        chunks: where they come from.
        scale: index of the scale.
        outgoing: stored encoding -> the encoding it is sent in; others have to be decoded.
    """

    chunks: EncodedChunks
    scale: int
    outgoing: dict[Encoding, Encoding]

    def send(self, chunk: EncodedChunk, limit: int) -> tuple[Encoding, Data] | None:
        """A stored chunk as it is sent; None where it has to be decoded: not accepted, or over the limit."""
        encoding = self.outgoing.get(chunk.encoding)
        if encoding is None:
            return None
        data = chunk.data if encoding == chunk.encoding else deflate(chunk.data, encoding.bytes)
        return (encoding, data) if len(data) <= limit else None


def passing_of(volume: Volume, scale: int, accepted: tuple[Encoding, ...], *, raw_too: bool) -> Passing | None:
    """How chunks of a scale are passed on to a caller who accepts these encodings; None where they are not.

    Plain raw chunks are passed on only with `raw_too`: a cutout sends the voxels that were asked for in larger pieces
    than stored chunks, and none that were not.
    """
    chunks = volume.capability(EncodedChunks)
    usual = volume.info.scales[scale].stored_encodings[:1]
    if chunks is None or (usual == (RAW,) and not raw_too):
        return None
    outgoing: dict[Encoding, Encoding] = {}
    for stored in chunks.encodings_of(scale):
        sent = None if stored == RAW and not raw_too else _sent_as(stored, accepted)
        if sent is not None:
            outgoing[stored] = sent
    return Passing(chunks, scale, outgoing) if outgoing else None


def _sent_as(stored: Encoding, accepted: tuple[Encoding, ...]) -> Encoding | None:
    """Stored bytes, or compressed once more: tables of segment ids shrink threefold for next to no work."""
    smaller = replace(stored, bytes=ByteCodec.ZSTD)
    shrinks = stored.array is ArrayCodec.COMPRESSED_SEGMENTATION and stored.bytes is ByteCodec.NONE
    if shrinks and accepts(accepted, smaller) and _rank(accepted, smaller) < _rank(accepted, stored):
        return smaller
    return stored if accepts(accepted, stored) else None


def _rank(accepted: tuple[Encoding, ...], encoding: Encoding) -> int:
    return next((i for i, one in enumerate(accepted) if accepts([one], encoding)), len(accepted))


def cell_of(level: Scale, part: Box) -> Box:
    """The stored chunk, clipped to the bounds, that a part of it lies in."""
    return aligned_outward(part, level.stored_chunk_shape, level.grid_origin).intersection(level.bounds)


def single_cell(level: Scale, box: Box) -> Box | None:
    """The stored chunk, clipped to the bounds, that a box lies in; None where it lies in several."""
    whole = aligned_outward(box, level.stored_chunk_shape, level.grid_origin)
    return cell_of(level, box) if whole.shape == level.stored_chunk_shape else None
