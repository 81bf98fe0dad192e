# %% [markdown]
# # The first hour with voxgate
#
# Connect, list, slice, overlay, find the largest segments, mesh one, save.
#
# Start a server with the sample volumes in a terminal: `voxgate serve`. Then run the cells (VS Code, Spyder and
# `jupytext --to notebook` read this file as a notebook), or all at once: `python examples/first_hour.py`. Beside
# `pip install 'voxgate[server]'` it needs matplotlib.

# %%
import matplotlib.pyplot as plt
import numpy as np

import voxgate

# %% [markdown]
# ## Connect and list
#
# Without an address, `connect` takes the environment variable `VOXGATE_SERVER`, or what `voxgate login` remembered, or
# `localhost:50051`.

# %%
client = voxgate.connect()
for remote in client.volumes():
    for entry in client.volumes(remote.name):
        print(entry.name)

# %% [markdown]
# ## Open a volume
#
# Nothing is read yet. A volume has a type, axes, and several scales: each with its own bounds and voxel size, as the
# store states them.

# %%
em = client.volume("fib25/em")
print(em.axes, em.shape, em.dtype, em.voxel_size_nm)
for scale in em.scales:
    print(scale.key, scale.bounds, scale.voxel_size_nm)

# %% [markdown]
# ## Slice
#
# Brackets are numpy's, in the order of `em.axes` (z, y, x), and start at 0. The answer is a plain numpy array.

# %%
plane = em[56]
corner = em[10:60, 5:77, 100:131]
print(plane.shape, corner.shape, corner.mean())

# %% [markdown]
# Whatever has a name is in **global** coordinates, in the order **x, y, z**: boxes and points in voxels, and everything
# ending in `_nm` in nanometres. Index 0 is `em.bounds.start`.

# %%
box = voxgate.Box.of(x=(1188, 1219), y=(2061, 2133), z=(3010, 3060))
assert np.array_equal(em.read(box), corner)
around = em.around((11600, 21200, 30560), (600, 600, 10))
print(em.bounds, around.shape)

# %% [markdown]
# ## Overlay
#
# The segmentation has the same bounds here, so the same index is the same place.

# %%
seg = client.volume("fib25/seg")
labels = seg[56]
_, shades = np.unique(labels, return_inverse=True)
figure, axes = plt.subplots(figsize=(7, 6))
axes.imshow(plane, cmap="gray")
axes.imshow(np.ma.masked_where(labels == 0, (shades.reshape(labels.shape) * 37) % 61), cmap="hsv", alpha=0.35)
axes.set_title("fib25, z = 3056")
axes.set_axis_off()
figure.savefig("overlay.png", dpi=120)

# %% [markdown]
# ## The largest segments
#
# Ids are whole numbers up to 2⁶⁴ - 1. They never pass through a float.

# %%
big = seg.segments(top=10)
for segment in big:
    print(segment.segment_id, segment.voxel_count)

# %% [markdown]
# What is at a point? Points are global voxels, x, y, z; `to_voxels` makes them of nanometres.

# %%
print(seg.at(seg.to_voxels([(11600, 21200, 30560), (11000, 21000, 30100)])))

# %% [markdown]
# ## One mesh
#
# Vertices are x, y, z in nanometres, in the frame of the volume: voxel i spans [i · size, (i + 1) · size).

# %%
mesh = seg.mesh(big.ids[5])
print(mesh.vertices.shape, mesh.faces.shape)
print(mesh.bounds_nm)
mesh.save("body.obj")

# %% [markdown]
# Back from the surface to the voxels: the box around the mesh, cut to the volume, as an image.

# %%
low, high = mesh.bounds_nm
inside = seg.read(seg.box_between(tuple(low), tuple(high)).intersection(seg.bounds)) == mesh.segment_id
print(inside.shape, f"{inside.mean():.0%} of the box is the segment")
assert inside.sum() == big[5].voxel_count

# %% [markdown]
# ## Save
#
# A coarser scale is enough for a look at everything; `save` took the mesh already.

# %%
np.save("overview.npy", np.asarray(em.scale(2)))
client.close()
