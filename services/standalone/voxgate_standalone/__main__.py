"""`python -m voxgate_standalone`: the same as `voxgate serve`."""

from __future__ import annotations

import sys

from voxgate.cli.main import run

if __name__ == "__main__":
    sys.argv.insert(1, "serve")
    run()
