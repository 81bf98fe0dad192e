"""Precomputed volumes written by cloud-volume, for tests of the adapter."""

from cloudvolume import CloudVolume
from hypothesis import strategies as st

from support.stores import BOX, OFFSET, SHAPE
from voxgate.model.geometry import Box

PART = Box.of(x=(-3, 20), y=(24, 40), z=(9, 17))
"""Cuts chunks on every side."""


def boxes():
    """Any non-empty box inside of BOX."""
    axes = [
        st.tuples(st.integers(a, b - 1), st.integers(1, b - a)).map(lambda s, b=b: (s[0], min(b, s[0] + s[1])))
        for a, b in zip(BOX.start, BOX.stop, strict=True)
    ]
    return st.tuples(*axes).map(lambda spans: Box.of(*spans))


def cut(array, box):
    return array[:, *box.slices_zyx(OFFSET)]


def cloud_volume(folder, **options):
    return CloudVolume(f"file://{folder}", progress=False, fill_missing=True, **options)


def write_with_cloud_volume(folder, array, **options):
    """Write (c, z, y, x) voxels of BOX the way cloud-volume does by default: chunks named NAME.gz."""
    info = CloudVolume.create_new_info(
        num_channels=array.shape[0],
        layer_type="segmentation",
        data_type=array.dtype.name,
        encoding=options.pop("encoding", "raw"),
        resolution=[4, 4, 40],
        voxel_offset=list(OFFSET),
        volume_size=list(SHAPE),
        chunk_size=[16, 8, 5],
    )
    volume = CloudVolume(f"file://{folder}", info=info, progress=False, **options)
    volume.commit_info()
    volume[:, :, :] = array.transpose(3, 2, 1, 0)
    return volume
