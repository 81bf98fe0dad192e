"""Plain arrays that conformance tests write with somebody else's writer and then compare with."""

import numpy as np

BIG_IDS = (0, 1, 2**32 + 5, 2**53 + 1, 2**53 + 3, 2**63 + 1, 2**63 + 3, 2**64 - 1)
"""Segment ids that do not survive a way through float64, int64 or uint32."""


def image(shape: tuple[int, ...], dtype: str = "<u1", seed: int = 0) -> np.ndarray:
    """Noise that uses all bits of the dtype, of any shape: no two neighbours are likely equal."""
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return random.standard_normal(shape).astype(kind)
    limits = np.iinfo(kind)
    return random.integers(limits.min, limits.max, shape, kind.newbyteorder("="), endpoint=True).astype(kind)


def segmentation(shape: tuple[int, int, int, int], dtype: str = "<u8", seed: int = 0) -> np.ndarray:
    """Blocks of 3 x 2 x 4 (z, y, x) voxels of segment ids, the largest the dtype has included."""
    random = np.random.default_rng(seed)
    ids = np.array([number for number in BIG_IDS if number <= np.iinfo(dtype).max] + [np.iinfo(dtype).max], dtype)
    c, z, y, x = shape
    blocks = random.choice(ids, (c, -(-z // 3), -(-y // 2), -(-x // 4)))
    whole = blocks.repeat(3, axis=1).repeat(2, axis=2).repeat(4, axis=3)[:, :z, :y, :x].copy()
    whole[0, 0, 0, 0], whole[0, -1, -1, -1] = ids[-1], ids[1]
    return whole
