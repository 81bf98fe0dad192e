"""`make bench`, `python -m tests.bench --rows R1,G5`: ratios against peers on this machine. Asserts no time.

`--rows F2` measures how stores are read fastest instead: a figure, and no ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import figure2, figure2_report
from tests.bench.data import EDGE, Data
from tests.bench.figure2_stores import FULL, TINY
from tests.bench.harness import Result, Rotation, rotate
from tests.bench.processes import has_environment
from tests.bench.report import document, number, plot, table
from tests.bench.rows import ROWS

RESULTS = Path("bench-results.json")
FIGURE = "F2"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that were asked for, print a table, and write bench-results.json and a plot beside it."""
    options = _options(arguments)
    figure: figure2.Figure = {}
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-bench-")))
        data = Data((folder / "data").absolute(), options.edge)
        data.folder.mkdir(parents=True, exist_ok=True)
        results = [_measured(row, data, options.rounds) for row in options.rows if row in ROWS]
        if FIGURE in options.rows:
            figure = figure2.measure(data.folder, FULL if options.edge == EDGE else TINY)
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    picture = options.output.with_suffix(".png")
    written = [options.output]
    if results:
        console.print(table(results))
        plot(results, picture)
        written.append(picture)
    if figure:
        console.print(figure2_report.table(figure))
        written.append(picture.with_stem(f"{picture.stem}-{FIGURE}"))
        figure2_report.plot(figure, written[-1])
    loads = [rotation.load for result in results for rotation in result.rotations]
    loads += [load for seen in figure.values() for load in seen.loads]
    console.print(
        f"{os.cpu_count()} processors, load up to {max(loads):.1f}; machines differ: read ratios, nothing else"
    )
    whole = document(results) | ({"figures": {FIGURE: figure2.document(figure)}} if figure else {})
    options.output.write_text(json.dumps(whole, indent=2) + "\n")
    console.print(f"written to {' and '.join(map(str, written))}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios against peers, in rotation.")
    parser.add_argument("--rows", type=_rows, default=None, help=f"comma-separated, of {','.join((*ROWS, FIGURE))}")
    parser.add_argument("--rounds", type=_count, default=5, help="rounds of each of the three rotations")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON file for the results")
    parser.add_argument("--edge", type=_count, default=EDGE, help="voxels along each axis, a multiple of 128")
    parser.add_argument("--data", type=Path, help="folder to keep the volumes in; else they are written anew")
    options = parser.parse_args(arguments)
    if options.rows is None:
        options.rows = _usual_rows()
    return options


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    known = (*ROWS, FIGURE)
    unknown = [row for row in rows if row not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown rows {','.join(unknown)}; there are {','.join(known)}")
    asked = [ROWS[row] for row in rows if row in ROWS]
    missing = {module for row in asked for module in row.modules if importlib.util.find_spec(module) is None}
    if missing:
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(missing))} not installed: use make bench")
    absent = {row.environment for row in asked if row.environment and not has_environment(row.environment)}
    if absent:
        raise argparse.ArgumentTypeError(f"no environment for the peer {', '.join(sorted(absent))}: make peers")
    programs = {program for row in asked for program in row.programs if not shutil.which(program)}
    if programs:
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(programs))} not installed on this system")
    return rows


def _usual_rows() -> list[str]:
    """All that give a ratio, without those of a peer or a program that nobody installed."""
    left_out = [name for name, row in ROWS.items() if row.environment and not has_environment(row.environment)]
    if left_out:
        sys.stderr.write(f"left out, for want of a peer's environment (make peers): {', '.join(left_out)}\n")
    unserved = [name for name, row in ROWS.items() if not all(map(shutil.which, row.programs))]
    if unserved:
        programs = ", ".join(sorted({program for name in unserved for program in ROWS[name].programs}))
        sys.stderr.write(f"left out, for want of {programs}: {', '.join(unserved)}\n")
    return [name for name in ROWS if name not in (*left_out, *unserved)]


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
