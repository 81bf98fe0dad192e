"""`make bench`, `python -m tests.bench --rows R1,G5`: ratios against peers on this machine. Asserts no time."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench.data import Data
from tests.bench.harness import Result, Work, measure
from tests.bench.rows_meshing import all_labels
from tests.bench.rows_reading import grpc_em, grpc_seg, local_em

RowWork = Callable[[Data], contextlib.AbstractContextManager[Work]]

ROWS: dict[str, tuple[str, RowWork]] = {
    "R1": ("EM, raw 64^3 chunks, misaligned 256^3: our adapter / cloud-volume", local_em),
    "G5": ("EM, the same box over gRPC / cloud-volume direct", grpc_em),
    "G6": ("segmentation, compressed_segmentation, the same box over gRPC / cloud-volume direct", grpc_seg),
    "M1": ("all labels of a block of 160 x 148 x 136: the Mesh service's mesher / scikit-image on boxes", all_labels),
}
RESULTS = Path("bench-results.json")
_PEERS = ("numpy", "grpcio", "protobuf", "tensorstore", "cloud-volume", "zmesh", "scikit-image")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that were asked for, print a table, and write bench-results.json."""
    options = _options(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="voxgate-bench-") as folder:
        results = [_measured(row, Path(folder), options.rounds) for row in options.rows]
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(_table(results))
    if load > 0.5 * (os.cpu_count() or 1):
        console.print(f"the machine was busy when this began (load {load:.1f}): trust ratios, and those not far")
    options.output.write_text(json.dumps(_document(results, load), indent=2) + "\n")
    console.print(f"written to {options.output}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Ratios against peers, in rotation.")
    parser.add_argument("--rows", type=_rows, default=list(ROWS), help=f"comma-separated, of {','.join(ROWS)}")
    parser.add_argument("--rounds", type=_count, default=7, help="rounds of the rotation")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON file for the results")
    return parser.parse_args(arguments)


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown rows {','.join(unknown)}; there are {','.join(ROWS)}")
    return rows


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds")
    return int(text)


def _measured(row: str, folder: Path, rounds: int) -> Result:
    title, prepare = ROWS[row]
    sys.stderr.write(f"{row} …\n")
    with prepare(Data(folder / "data")) as work:
        return measure(row, title, work, rounds=rounds)


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("row", "contender"):
        table.add_column(name)
    for name in ("median s", "spread", "MB/s", "ratio", "of single rounds"):
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(result.row, f"[bold]{result.title}[/bold]")
        for place, timing in enumerate(result.timings):
            least, most = result.round_ratios
            ratio = (f"{result.ratio:.2f}", f"{least:.2f} to {most:.2f}") if place == 0 else ("", "")
            rate = f"{result.voxel_bytes / timing.median / 1e6:,.0f}"
            table.add_row("", timing.name, f"{timing.median:.3f}", f"{timing.spread:.0%}", rate, *ratio)
    return table


def _document(results: Sequence[Result], load: float) -> dict[str, Any]:
    return {
        "about": "seconds of each round, contenders in rotation; ratio = median of the second / median of the first",
        "machine": {
            "processor": platform.machine(),
            "cpu_count": os.cpu_count(),
            "python": platform.python_version(),
            "load_at_start": load,
            **{name: version(name) for name in _PEERS},
        },
        "rows": {
            result.row: {
                "title": result.title,
                "voxel_bytes": result.voxel_bytes,
                "ratio": result.ratio,
                "ratio_of_single_rounds": result.round_ratios,
                "seconds": {timing.name: timing.seconds for timing in result.timings},
            }
            for result in results
        },
    }


if __name__ == "__main__":
    sys.exit(main())
