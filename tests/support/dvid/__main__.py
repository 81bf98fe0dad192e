"""Run the stand-in by itself: prints its address, then serves until its input ends."""

from __future__ import annotations

import sys

from .server import dvid_server

if __name__ == "__main__":
    with dvid_server() as running:
        print(running.address, flush=True)
        sys.stdin.read()
