"""`make bench`, `python -m tests.bench --rows R1,G5`: ratios against peers on this machine. Asserts no time."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.data import EDGE, Data
from tests.bench.harness import Result, Rotation, rotate
from tests.bench.report import document, number, plot, table
from tests.bench.rows import ROWS

RESULTS = Path("bench-results.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that were asked for, print a table, and write bench-results.json and a plot beside it."""
    options = _options(arguments)
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-bench-")))
        data = Data((folder / "data").absolute(), options.edge)
        data.folder.mkdir(parents=True, exist_ok=True)
        results = [_measured(row, data, options.rounds) for row in options.rows]
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    console.print(table(results))
    busiest = max(rotation.load for result in results for rotation in result.rotations)
    console.print(f"{os.cpu_count()} processors, load up to {busiest:.1f}; machines differ: read ratios, nothing else")
    options.output.write_text(json.dumps(document(results), indent=2) + "\n")
    picture = options.output.with_suffix(".png")
    plot(results, picture)
    console.print(f"written to {options.output} and {picture}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios against peers, in rotation.")
    parser.add_argument("--rows", type=_rows, default=list(ROWS), help=f"comma-separated, of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds of each of the three rotations")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON file for the results")
    parser.add_argument("--edge", type=_count, default=EDGE, help="voxels along each axis, a multiple of 128")
    parser.add_argument("--data", type=Path, help="folder to keep the volumes in; else they are written anew")
    return parser.parse_args(arguments)


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown rows {','.join(unknown)}; there are {','.join(ROWS)}")
    missing = {module for row in rows for module in ROWS[row].modules if importlib.util.find_spec(module) is None}
    if missing:
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(missing))} not installed: use make bench")
    return rows


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _measured(name: str, data: Data, rounds: int) -> Result:
    row = ROWS[name]
    sys.stderr.write(f"{name} … ")
    sys.stderr.flush()
    rotations: list[Rotation] = []
    with row.prepare(data) as work:
        ours, peer = (contender.name for contender in work.contenders[:2])
        for rotation in rotate(name, work, rounds=rounds):
            rotations.append(rotation)
            sys.stderr.write(f"{number(rotation.ratio(ours, peer))} ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return Result(name, row.title, row.goal, work, tuple(rotations))


if __name__ == "__main__":
    sys.exit(main())
