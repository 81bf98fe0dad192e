"""Uses a server as any release's client can: reads, a mesh, a job. Run as a program: any_release.py ADDRESS NAME."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np

import voxgate


def digest(*arrays: np.ndarray) -> str:
    """Of the bytes of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)).hexdigest()


def main(address: str, name: str) -> dict[str, object]:
    """Everything that is asked, by what it is."""
    with voxgate.connect(address) as client:
        array = client.volume("fib25/seg")
        whole = array[...]
        ids, counts = np.unique(whole[whole != 0], return_counts=True)
        segment = int(ids[np.argmax(counts)])
        mesh = array.mesh(segment)
        job = client.transfer("fib25/seg", name, request_id=name)
        job.result(timeout_s=240)
        copy = client.volume(name)
        return {
            "shape": list(array.shape),
            "voxel_size": list(array.voxel_size_nm),
            "whole": digest(whole),
            "part": digest(array[3:40, 5:99, 7:101]),
            "segment": segment,
            "mesh": digest(mesh.vertices, mesh.faces),
            "job": client.job(job.name).job.state.value,
            "copy": digest(copy[...]),
        }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
