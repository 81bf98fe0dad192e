"""Make the sample volumes of samples/: a crop of FIB-25, and a tiny synthetic segmentation with known numbers.

    python -m tools.make_sample path/to/training_sample2_em_seg_250.npz samples

Deterministic: the same input gives the same bytes. The checked-in files were made by it; nobody needs to run it again.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorstore as ts

Array = npt.NDArray[Any]
Triple = tuple[int, int, int]

# The crop, in voxels of the 250^3 source, x y z: unequal sides, every start and extent divisible by 4 (three scales).
CROP_START: Triple = (88, 56, 0)
CROP_SHAPE: Triple = (160, 136, 112)
# Added to the crop's start, so that the sample lies far from 0 and differently on each axis.
FRAME_OFFSET: Triple = (1000, 2000, 3000)
FIB25_CHUNK: Triple = (64, 64, 64)

ANISO_SIZE_NM: Triple = (4, 4, 40)
ANISO_START: Triple = (-24, 40, 12)
ANISO_SHAPE: Triple = (64, 48, 20)
ANISO_CHUNK: Triple = (32, 24, 8)
ANISO_FACTORS: tuple[Triple, ...] = ((1, 1, 1), (2, 2, 1), (4, 4, 2))

ATTRIBUTION = """\
# Attribution of samples/fib25

`em` (grayscale) and `seg` (ground-truth bodies) are a crop of FIB-25 training sample 2.

- Source: HHMI Janelia FlyEM, FIB-SEM of the *Drosophila* medulla, 10 nm isotropic voxels; published at
  github.com/janelia-flyem/neuroproof_examples, `training_sample2/` (grayscale PNG slices; `groundtruth.h5.gz`, its
  `stack` mapped through `transforms`).
- Licence: Creative Commons Attribution (CC BY).
- Please cite: Takemura et al. 2015, "Synaptic circuits and their variations within different columns in the visual
  system of *Drosophila*", PNAS 112(44).

What was changed:

- cut: x {x0}:{x1}, y {y0}:{y1}, z {z0}:{z1} of the 250^3 sample (half-open, in voxels of the sample);
- placed: {ox}, {oy}, {oz} (x, y, z) was added to those coordinates, so the voxel offset is not zero. The place of the
  sample within the whole medulla is not claimed;
- downsampled twice by 2 on each axis: `em` by the mean, `seg` by the mode;
- stored as neuroglancer precomputed, 64^3 chunks: `em` raw uint8, `seg` compressed_segmentation uint64. Body ids are
  the source's, widened from uint32.

Made by `tools/make_sample.py`.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """One scale to write. `voxels` is (z, y, x); `start` and `size_nm` are x, y, z."""

    voxels: Array
    start: Triple
    size_nm: Triple


@dataclass(frozen=True, slots=True)
class Body:
    """One box of the synthetic volume: start and stop in voxels of scale 0, x y z, global, half-open."""

    segment_id: int
    start: Triple
    stop: Triple


# Numbers chosen so that every mistake shows: ids above 2**63 and 2**53 that a float64 cannot hold, extents that differ
# per axis, two bodies that touch, edges that are not multiples of a scale factor, one body at the volume's border.
BODIES = (
    Body(2**63 + 1, (-20, 44, 14), (-5, 60, 19)),
    Body(2**63 + 2, (-5, 47, 15), (10, 58, 18)),
    Body(2**64 - 1, (12, 62, 20), (33, 81, 29)),
    Body(2**53 + 1, (20, 40, 12), (40, 52, 17)),
    Body(7, (-24, 70, 24), (-15, 88, 32)),
)


def write_precomputed(folder: pathlib.Path, levels: list[Level], *, kind: str, chunk: Triple) -> None:
    """Write unsharded precomputed scales; `kind` is "image" (raw) or "segmentation" (compressed_segmentation)."""
    shutil.rmtree(folder, ignore_errors=True)
    dtype = str(levels[0].voxels.dtype)
    for index, level in enumerate(levels):
        shape = level.voxels.shape[::-1]
        scale: dict[str, Any] = {
            "key": "_".join(str(n) for n in level.size_nm),
            "size": list(shape),
            "voxel_offset": list(level.start),
            "resolution": list(level.size_nm),
            "chunk_size": list(chunk),
            "encoding": "raw" if kind == "image" else "compressed_segmentation",
        }
        if kind == "segmentation":
            scale["compressed_segmentation_block_size"] = [8, 8, 8]
        store = ts.open(
            {
                "driver": "neuroglancer_precomputed",
                "kvstore": {"driver": "file", "path": f"{folder}/"},
                "multiscale_metadata": {"type": kind, "data_type": dtype, "num_channels": 1},
                "scale_metadata": scale,
                "scale_index": index,
                "create": True,
            }
        ).result()
        store[..., 0].write(level.voxels.T).result()


def pyramid(voxels: Array, start: Triple, method: Literal["mean", "mode"]) -> list[Level]:
    """Three FIB-25 levels at 10, 20 and 40 nm, downsampled by `method`."""
    levels = []
    for factor in (1, 2, 4):
        reduced = ts.downsample(ts.array(voxels), [factor] * 3, method).read().result()
        x, y, z = (place // factor for place in start)
        levels.append(Level(np.ascontiguousarray(reduced), (x, y, z), (10 * factor,) * 3))
    return levels


def make_fib25(source: pathlib.Path, folder: pathlib.Path) -> None:
    """Cut the crop out of the npz (keys em and seg, each (z, y, x)) and write both volumes and the attribution."""
    (x0, y0, z0), (nx, ny, nz) = CROP_START, CROP_SHAPE
    inside = np.s_[z0 : z0 + nz, y0 : y0 + ny, x0 : x0 + nx]
    ox, oy, oz = FRAME_OFFSET
    start = (x0 + ox, y0 + oy, z0 + oz)
    with np.load(source) as arrays:
        em, seg = arrays["em"][inside], arrays["seg"][inside].astype(np.uint64)
    write_precomputed(folder / "em", pyramid(em, start, "mean"), kind="image", chunk=FIB25_CHUNK)
    write_precomputed(folder / "seg", pyramid(seg, start, "mode"), kind="segmentation", chunk=FIB25_CHUNK)
    text = ATTRIBUTION.format(x0=x0, x1=x0 + nx, y0=y0, y1=y0 + ny, z0=z0, z1=z0 + nz, ox=ox, oy=oy, oz=oz)
    (folder / "ATTRIBUTION.md").write_text(text)


def aniso_voxels() -> Array:
    """The synthetic segmentation at scale 0: uint64, (z, y, x)."""
    voxels = np.zeros(ANISO_SHAPE[::-1], np.uint64)
    for body in BODIES:
        x, y, z = (slice(a - o, b - o) for a, b, o in zip(body.start, body.stop, ANISO_START, strict=True))
        voxels[z, y, x] = body.segment_id
    return voxels


def expected_numbers() -> dict[str, Any]:
    """What a reader must find in the synthetic volume: computed from the boxes, not from the written voxels."""
    scales = [
        {
            "voxel_size_nm": [s * f for s, f in zip(ANISO_SIZE_NM, factors, strict=True)],
            "start": [o // f for o, f in zip(ANISO_START, factors, strict=True)],
            "shape": [n // f for n, f in zip(ANISO_SHAPE, factors, strict=True)],
        }
        for factors in ANISO_FACTORS
    ]
    bodies = [
        {
            "segment_id": str(body.segment_id),
            "voxel_count": int(np.prod(np.subtract(body.stop, body.start))),
            "start": list(body.start),
            "stop": list(body.stop),
            "start_nm": [a * s for a, s in zip(body.start, ANISO_SIZE_NM, strict=True)],
            "stop_nm": [b * s for b, s in zip(body.stop, ANISO_SIZE_NM, strict=True)],
        }
        for body in BODIES
    ]
    return {
        "about": "order x, y, z; half-open; voxels of scale 0, global; nm: voxel i spans [i * size, (i + 1) * size)",
        "scales": scales,
        "segments": bodies,
    }


def make_aniso(folder: pathlib.Path) -> None:
    """Write the synthetic segmentation, its coarser scales by stride, and EXPECTED.json beside it."""
    voxels = aniso_voxels()
    levels = []
    for scale, (fx, fy, fz) in zip(expected_numbers()["scales"], ANISO_FACTORS, strict=True):
        reduced = np.ascontiguousarray(voxels[::fz, ::fy, ::fx])
        levels.append(Level(reduced, tuple(scale["start"]), tuple(scale["voxel_size_nm"])))
    write_precomputed(folder / "seg", levels, kind="segmentation", chunk=ANISO_CHUNK)
    (folder / "EXPECTED.json").write_text(json.dumps(expected_numbers(), indent=2) + "\n")


def main() -> None:
    """Write every sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path, help="training_sample2_em_seg_250.npz")
    parser.add_argument("samples", type=pathlib.Path, help="folder to write into")
    options = parser.parse_args()
    make_fib25(options.source, options.samples / "fib25")
    make_aniso(options.samples / "aniso")


if __name__ == "__main__":
    main()
