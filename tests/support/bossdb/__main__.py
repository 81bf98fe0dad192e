"""The server as a process: `PYTHONPATH=tests python -m support.bossdb`. Prints its port; ends when it is told to."""

from __future__ import annotations

import argparse
import signal
import threading

import numpy as np

from .payloads import Compression
from .server import TOKEN, bossdb_server


def main() -> None:
    parser = argparse.ArgumentParser(prog="support.bossdb", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--cname", default="blosclz", help="compressor of blosc replies")
    parser.add_argument("--clevel", type=int, default=9)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--channel", action="append", default=[], help="collection/experiment/channel=file.npy, z,y,x")
    parser.add_argument("--start", default="0,0,0", help="x,y,z of the channels' frames")
    parser.add_argument("--voxel-size", default="1,1,1", help="x,y,z in nanometers")
    told = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with bossdb_server(port=told.port, token=told.token, compression=Compression(told.cname, told.clevel)) as server:
        x, y, z = map(int, told.start.split(","))
        sx, sy, sz = map(float, told.voxel_size.split(","))
        for channel in told.channel:
            names, _, file = channel.partition("=")
            collection, experiment, name = names.split("/")
            voxels = np.load(file, mmap_mode="r")
            server.store.add_channel(collection, experiment, name, voxels, start=(x, y, z), voxel_size=(sx, sy, sz))
        server.latency_s = told.latency_s
        print(server.address.rpartition(":")[2], flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
