import gzip
import io
import zlib

import compressed_segmentation
import numpy as np
import pytest
import simplejpeg
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numcodecs import blosc
from PIL import Image

from voxgate.model.errors import ChunkCorrupt, UnsupportedEncoding
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import (
    FILL,
    RAW,
    SUPPORTED_DTYPES,
    ArrayCodec,
    ByteCodec,
    Encoding,
)
from voxgate.wire.encodings import (
    GZIP,
    SEGMENTATION,
    SEGMENTATION_ZSTD,
    ZSTD,
    accepts,
    choose,
    decodable,
    decode,
    encodable,
    encode,
)

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
U8, U16, U64 = np.dtype("|u1"), np.dtype("<u2"), np.dtype("<u8")
JPEG, PNG = Encoding(ArrayCodec.JPEG), Encoding(ArrayCodec.PNG)


@given(data=st.data(), dtype=st.sampled_from(SUPPORTED_DTYPES), shape=SHAPES)
def test_voxels_survive_every_encoding(data, dtype, shape):
    voxels = data.draw(hnp.arrays(dtype, shape))
    for encoding in encodable(dtype):
        assert accepts(decodable(dtype), encoding)
        got = decode(encode(voxels, encoding), encoding, shape, dtype)
        assert got.tobytes() == voxels.tobytes()
        # A view with holes encodes like its copy.
        turned = voxels[:, ::-1, :, ::2]
        again = decode(encode(turned, encoding), encoding, turned.shape, dtype)
        assert again.tobytes() == turned.tobytes()


def test_bytes_are_x_fastest_little_endian_and_readable_without_us():
    voxels = np.arange(2 * 3 * 4 * 5, dtype="<u4").reshape(2, 3, 4, 5)
    raw = bytes(encode(voxels, RAW))
    c, z, y, x = 1, 2, 0, 3
    offset = 4 * (x + 5 * (y + 4 * (z + 3 * c)))
    assert int.from_bytes(raw[offset : offset + 4], "little") == voxels[c, z, y, x]
    assert gzip.decompress(encode(voxels, GZIP)) == raw
    assert zstandard.decompress(encode(voxels, ZSTD)) == raw
    theirs = compressed_segmentation.decompress(encode(voxels, SEGMENTATION), (5, 4, 3, 2), np.uint32, order="F")
    np.testing.assert_array_equal(theirs.transpose(3, 2, 1, 0), voxels)


def test_raw_bytes_of_contiguous_voxels_are_a_view():
    voxels = np.arange(24, dtype="<u4").reshape(1, 2, 3, 4)
    data = encode(voxels[:, 1:], RAW)
    assert np.shares_memory(np.frombuffer(data, np.uint8), voxels)


@pytest.mark.parametrize("encoding", [RAW, GZIP, ZSTD, Encoding(ArrayCodec.RAW, ByteCodec.BLOSC)])
def test_bytes_that_do_not_fill_the_box_are_corrupt(encoding):
    shape, dtype = (1, 2, 3, 4), np.dtype("<u2")

    def encoded(voxels):
        if encoding.bytes is ByteCodec.BLOSC:
            return blosc.compress(voxels, b"lz4", 5)
        return bytes(encode(voxels, encoding))

    good = encoded(np.ones(shape, dtype))
    assert decode(good, encoding, shape, dtype).all()
    small, large = np.ones((1, 2, 3, 3), dtype), np.ones((1, 2, 3, 5), dtype)
    for bad in (encoded(small), encoded(large), good[:-3], b"", b"nonsense", good + b"x"):
        if encoding.bytes in (ByteCodec.GZIP, ByteCodec.ZSTD) and bad == good + b"x":
            continue  # what follows a whole frame is not looked at
        with pytest.raises(ChunkCorrupt):
            decode(bad, encoding, shape, dtype)


def test_a_bomb_is_refused_before_it_goes_off():
    size = 1 << 26
    bomb = zlib.compress(bytes(size), 9, 31)
    with pytest.raises(ChunkCorrupt):
        decode(bomb, GZIP, (1, 1, 1, 10), U8)
    with pytest.raises(ChunkCorrupt):
        decode(zstandard.compress(bytes(size)), ZSTD, (1, 1, 1, 10), U8)
    # A frame that hides its size.
    stream = zstandard.ZstdCompressor().compressobj()
    hidden = stream.compress(bytes(size)) + stream.flush()
    with pytest.raises(ChunkCorrupt):
        decode(hidden, ZSTD, (1, 1, 1, 10), U8)
    packed = blosc.compress(np.zeros(size, np.uint8), b"zstd", 5)
    with pytest.raises(ChunkCorrupt):
        decode(packed, Encoding(ArrayCodec.RAW, ByteCodec.BLOSC), (1, 1, 1, 10), U8)
    picture = io.BytesIO()
    Image.new("L", (4000, 4000)).save(picture, "PNG")
    with pytest.raises(ChunkCorrupt):
        decode(picture.getvalue(), PNG, (1, 1, 1, 10), U8)


def test_the_first_accepted_encoding_that_can_be_made_is_chosen():
    any_block = Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.ZSTD)
    assert choose([], U8) == RAW
    assert choose([JPEG, GZIP, RAW], U8) == GZIP
    assert choose([any_block, RAW], U64) == SEGMENTATION_ZSTD
    assert choose([any_block, RAW], U8) == RAW
    with pytest.raises(UnsupportedEncoding):
        choose([JPEG], U8)
    for encoding in (FILL, Encoding(ArrayCodec.COMPRESSED_SEGMENTATION)):
        with pytest.raises(UnsupportedEncoding):
            decode(b"", encoding, (1, 1, 1, 1), U8)


SEGMENTS = np.random.default_rng(7).integers(2**63, 2**63 + 30, (2, 9, 21, 13), dtype=np.uint64)


@pytest.mark.parametrize("block", [Vec3(8, 8, 8), Vec3(4, 16, 2)])
def test_segment_tables_cut_short_are_corrupt_at_every_length_that_loses_something(block):
    encoding = Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.NONE, block)
    one = SEGMENTS[:1]
    whole = compressed_segmentation.compress(
        np.asfortranarray(one[0].transpose(2, 1, 0)), block_size=tuple(block), order="F"
    )
    np.testing.assert_array_equal(decode(whole, encoding, one.shape, U64), one)
    for length in [*range(200), *range(200, len(whole), 97), len(whole) - 4, len(whole) - 1]:
        with pytest.raises(ChunkCorrupt):
            decode(whole[:length], encoding, one.shape, U64)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_segment_tables_never_lead_outside_of_their_bytes(data):
    whole = bytearray(encode(SEGMENTS, SEGMENTATION))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = decode(bytes(whole), SEGMENTATION, SEGMENTS.shape, U64)
    except ChunkCorrupt:
        return
    # What is left is a wrong chunk that looks right; reading it is safe, and checksums are for telling.
    assert got.shape == SEGMENTS.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_another_decoder_makes_of_it(channels):
    shape = (channels, 3, 17, 23)
    smooth = (np.indices(shape).sum(axis=0) * 3 % 256).astype(np.uint8)
    pixels = np.ascontiguousarray(np.moveaxis(smooth, 0, -1).reshape(3 * 17, 23, channels))
    data = simplejpeg.encode_jpeg(pixels, quality=90, colorspace="GRAY" if channels == 1 else "RGB")
    theirs = np.asarray(Image.open(io.BytesIO(data))).reshape(3, 17, 23, channels)
    np.testing.assert_array_equal(decode(data, JPEG, shape, U8), np.moveaxis(theirs, -1, 0))
    with pytest.raises(ChunkCorrupt):
        decode(data, JPEG, (channels, 3, 17, 24), U8)
    with pytest.raises(ChunkCorrupt):
        decode(data[:40], JPEG, shape, U8)


@pytest.mark.parametrize(("dtype", "channels", "mode"), [(U8, 1, "L"), (U8, 3, "RGB"), (U16, 1, "I;16")])
def test_png_is_exact(dtype, channels, mode):
    shape = (channels, 3, 5, 7)
    voxels = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, shape, dtype)
    pixels = np.moveaxis(voxels, 0, -1).reshape(15, 7, channels)
    saved = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(saved, "PNG")
    assert Image.open(saved).mode == mode
    np.testing.assert_array_equal(decode(saved.getvalue(), PNG, shape, dtype), voxels)
    for bad in (saved.getvalue()[:60], b"nonsense"):
        with pytest.raises(ChunkCorrupt):
            decode(bad, PNG, shape, dtype)
    with pytest.raises(ChunkCorrupt):
        decode(saved.getvalue(), PNG, (channels, 3, 5, 8), dtype)


def test_voxels_that_cannot_be_written_to_are_encoded_too():
    voxels = SEGMENTS.copy()
    voxels.flags.writeable = False
    for encoding in encodable(U64):
        np.testing.assert_array_equal(decode(encode(voxels, encoding), encoding, voxels.shape, U64), voxels)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), dtype=st.sampled_from([np.dtype("<u4"), U64]))
def test_a_part_is_the_same_voxels_as_the_whole_cut(data, dtype):
    voxels = SEGMENTS.astype(dtype)

    def span(extent):
        start = data.draw(st.integers(0, extent - 1))
        return slice(start, data.draw(st.integers(start + 1, extent)))

    part = tuple(span(extent) for extent in voxels.shape[1:])
    for encoding in encodable(dtype):
        got = decode(encode(voxels, encoding), encoding, voxels.shape, dtype, part=part)
        np.testing.assert_array_equal(got, voxels[(slice(None), *part)])
