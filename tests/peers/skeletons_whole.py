"""What kimimaro makes of whole arrays.

FOLDER NAME…: NAME.npz has labels (z, y, x), ids, voxel_size_nm and teasar (scale, const). Answers, for each name and
id, the length and the greatest radius in nanometres.
"""

import json
import sys
from pathlib import Path

import kimimaro
import numpy as np
from kimimaro.intake import DEFAULT_TEASAR_PARAMS


def traced(data):
    scale, const = data["teasar"].tolist()
    size = data["voxel_size_nm"].tolist()
    ids = data["ids"].tolist()
    skeletons = kimimaro.skeletonize(
        np.asfortranarray(data["labels"].T),
        teasar_params={**DEFAULT_TEASAR_PARAMS, "scale": scale, "const": const},
        anisotropy=tuple(size),
        object_ids=ids,
        dust_threshold=0,
        # With it, what is cut by the array's border depends on where the array begins.
        fix_borders=False,
        progress=False,
    )
    return {str(each): told(skeletons[each]) for each in ids}


def told(skeleton):
    return {"length": float(skeleton.cable_length()), "radius": float(skeleton.radii.max())}


def main(folder, names):
    print(json.dumps({name: traced(np.load(folder / f"{name}.npz")) for name in names}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
