# %% [markdown]
# # voxgate for people who know intern
#
# The same calls as with `intern.array`, on whatever store the server has. Start one with the sample volumes in a
# terminal: `voxgate serve`. Then run the cells, or all at once: `python examples/coming_from_intern.py`.

# %%
import numpy as np

from voxgate import array

# %% [markdown]
# ## Open and read
#
# With intern this is `array("bossdb://collection/experiment/channel")`; that string works here, too, when the server's
# operator has configured the BossDB. The sample's volumes are named `fib25/em` and the like. Axes are z, y, x.

# %%
em = array("fib25/em")
print(em.shape, em.dtype, em.voxel_size, em.voxel_unit)
print(em[5].shape, em[0:1, 10:30, 20:60].shape, em[:, 7, -40:].shape)

# %% [markdown]
# ## Another resolution, another order of axes
#
# A resolution's shape and voxel size are what the store says of it.

# %%
for resolution in em.available_resolutions:
    level = array("fib25/em", resolution=resolution)
    print(resolution, level.shape, level.voxel_size)

# %%
xyz = array("fib25/em", axis_order="XYZ")
print(np.array_equal(xyz[20:60, 10:30, 3], em[3, 10:30, 20:60].T))

# %% [markdown]
# ## Create and write
#
# `extents` and `voxel_size` are z, y, x, as in intern. Zeros are written like any other value.

# %%
masks = array(
    "scratch/masks",
    create_new=True,
    dtype="uint64",
    extents=em.shape,
    voxel_size=em.voxel_size,
    voxel_unit="nanometers",
)
masks[10:20, 40:60, 30:90] = (em[10:20, 40:60, 30:90] > 140).astype(np.uint64)
masks[12:14, 40:60, 30:90] = 0
print(int(masks[:].sum()) == int((em[10:20, 40:60, 30:90] > 140).sum() - (em[12:14, 40:60, 30:90] > 140).sum()))

# %% [markdown]
# ## What intern does not have
#
# The array is a `VolumeArray`: numpy takes it as it is, and segments, meshes and other libraries are methods of it.

# %%
seg = array("fib25/seg")
largest = seg.segments(top=1)[0]
print(largest.segment_id, largest.voxel_count, seg.mesh(largest.segment_id, scale=1))
