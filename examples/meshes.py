# %% [markdown]
# # Meshes in other programs
#
# Mesh a body, make it small enough to look at, and hand it on: files, trimesh, napari, matplotlib, neuroglancer.
#
# Start a server with the sample volumes in a terminal: `voxgate serve`. Then run the cells, or all at once:
# `python examples/meshes.py`. Beside `pip install 'voxgate[server]'` it needs
# `pip install 'voxgate[draco,trimesh,matplotlib]'`.

# %%
import json
from pathlib import Path

import numpy as np

import voxgate

client = voxgate.connect()
seg = client.volume("fib25/seg")
body = seg.segments(top=6).ids[5]

# %% [markdown]
# ## Small enough, and how small it became
#
# Without wishes the surface is the one of the finest voxels. With `max_error_nm` or `target_face_count` it is made of
# the coarsest scale that is fine enough, and simplified.

# %%
whole = seg.mesh(body)
mesh = seg.mesh(body, max_error_nm=40, normals=True)
print(len(whole.faces), "faces became", len(mesh.faces), "of scale", mesh.scale)

# %%
found = mesh.statistics
print(found.surface_nm2, found.volume_nm3, found.watertight, found.error_nm)
print(mesh.provenance.volume, mesh.provenance.server_version, mesh.provenance.parameters)

# %% [markdown]
# ## Files

# %%
for ending in ("obj", "ply", "stl", "glb", "drc"):
    mesh.save(f"body.{ending}")
    print(ending, Path(f"body.{ending}").stat().st_size, "bytes")

# %% [markdown]
# What is known of the mesh is in the file, too.

# %%
with open("body.ply", "rb") as file:
    header = file.read(4000).partition(b"end_header")[0].decode().splitlines()
[line] = [line for line in header if line.startswith("comment voxgate segment ")]
told = json.loads(line.removeprefix("comment voxgate segment "))
print(told["segment_id"], told["statistics"]["watertight"])

# %% [markdown]
# ## trimesh

# %%
solid = mesh.to_trimesh()
print(solid.is_watertight, solid.volume, solid.metadata["segment_id"])

# %% [markdown]
# ## napari
#
# A layer data tuple; napari itself is not needed to make one. Vertices are z, y, x in nanometres.

# %%
data, settings, kind = mesh.to_napari()
print(kind, settings["name"], data[0].shape)

# %% [markdown]
# ## A notebook

# %%
axes = seg.mesh(body, target_face_count=5000, simplification="fast").to_matplotlib()
axes.set_title(f"body {body}")
axes.figure.savefig("body.png", dpi=120)

# %% [markdown]
# ## neuroglancer
#
# A folder of legacy meshes: a file of three names for each segment. Serve it with its neighbour `info` over HTTP.

# %%
folder = Path("meshes")
folder.mkdir(exist_ok=True)
(folder / "info").write_text(json.dumps({"@type": "neuroglancer_legacy_mesh"}))
for each in seg.meshes([body], max_error_nm=40):
    each.save(folder / f"{each.segment_id}:0:1", format="precomputed")
    manifest = {"fragments": [f"{each.segment_id}:0:1"]}
    (folder / f"{each.segment_id}:0").write_text(json.dumps(manifest))

# %%
assert np.abs(mesh.bounds_nm - whole.bounds_nm).max() < 100
client.close()
