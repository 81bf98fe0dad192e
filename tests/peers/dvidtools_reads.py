"""What the published DVID client reads from a server, as JSON. Arguments: server, version, segmentation, id."""

import json
import sys

import dvid

server, node, segmentation, label = sys.argv[1:]
body = int(label)
dvid.config.segmentation = segmentation
dvid.setup(server=server, node=node)
quiet = {"progress": False}

skeleton = dvid.get_skeletons(body, output="swc", progress=False)
skeleton = skeleton[0] if isinstance(skeleton, list) else skeleton
mesh = dvid.get_meshes(body, output="trimesh", progress=False)
mesh = mesh[0] if isinstance(mesh, list) else mesh
projects = dvid.list_projects()
print(
    json.dumps(
        {
            "projects": sorted(projects["Alias"]),
            "master": dvid.get_master_node(node),
            "history": dvid.get_branch_history(node),
            "info": dvid.get_segmentation_info()["Extended"]["MaxPoint"],
            "ids": [int(one) for one in dvid.locs_to_ids([[37, 34, 3], [0, 0, 0]], **quiet)],
            "sizes": [int(one) for one in dvid.get_sizes([body, 3], **quiet)],
            "exist": [bool(one) for one in dvid.ids_exist([body, 3], **quiet)],
            "size": dvid.get_sparsevol_size(body),
            "voxels": dvid.get_sparsevol(body, scale=0).tolist(),
            "halved": dvid.get_sparsevol(body, scale=1).tolist(),
            "coarse": dvid.get_sparsevol(body, scale="COARSE").tolist(),
            "last": dvid.get_last_mod(body)["mutation id"],
            "has": [bool(dvid.has_mesh([one], **quiet)[0]) for one in (body, 3)],
            "has_skeleton": [bool(dvid.has_skeleton([one], **quiet)[0]) for one in (body, 3)],
            "skeleton": skeleton[["x", "y", "z"]].to_numpy().tolist(),
            "vertices": mesh.vertices.tolist(),
            "faces": mesh.faces.tolist(),
        }
    )
)
