"""`make load`: readers through the edge while replicas are killed; every answer is checked.

Exits with 1 if any answer was wrong, or any read failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.load.suite import Load, run
from tests.load.telling import document, text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--readers", type=int, default=200, help="how many read at a time")
    parser.add_argument("--seconds", type=float, default=120.0, help="for how long")
    parser.add_argument("--kill-every", type=float, default=5.0, metavar="SECONDS", help="between two killed replicas")
    parser.add_argument("--processes", type=int, default=8, help="that the readers are spread over")
    parser.add_argument("--seed", type=int, default=1, help="what everything random comes from")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    load = Load(options.readers, options.seconds, options.kill_every, options.processes, options.seed)
    with tempfile.TemporaryDirectory(prefix="voxgate-load-") as folder:
        found = document(load, run(load, Path(folder)))
    print(text(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if found["wrong"] == found["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
