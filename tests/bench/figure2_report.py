"""F2 as a table and as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from rich import box
from rich.table import Table

from tests.bench.figure2 import Figure, Point

_KEY = "solid: boxes on the store's grid\ndashed: shifted by half a cell"
_COLORS = ("#9ecae1", "#4292c6", "#08519c", "#fd8d3c")


def table(figure: Figure) -> Table:
    """A line for each store, latency, request size and alignment; a column for each number of requests at a time."""
    parallel = sorted({point.parallel for point in figure})
    made = Table(box=box.SIMPLE_HEAD, title="F2: MB/s by requests at a time")
    for name in ("store", "request", "box"):
        made.add_column(name)
    for count in parallel:
        made.add_column(str(count), justify="right")
    made.add_column("requests", justify="right")
    before = ""
    for group, points in _lines(figure):
        place = _place(points[0])
        first = figure[points[0]]
        rates = [f"{figure[point].rate:,.0f}" for point in points]
        shown = "" if place == before else place
        made.add_row(shown, group[0], group[1], *rates, "" if first.requests is None else str(first.requests))
        before = place
    return made


def _lines(figure: Figure) -> Iterator[tuple[tuple[str, str], list[Point]]]:
    lines: dict[tuple[str, float, int, bool], list[Point]] = {}
    for point in figure:
        lines.setdefault((point.store, point.latency_s, point.request_bytes, point.aligned), []).append(point)
    for (_, _, size, aligned), points in lines.items():
        yield (_size(size), "on the grid" if aligned else "shifted"), sorted(points, key=lambda one: one.parallel)


def _place(point: Point) -> str:
    return f"{point.store}, {_latency(point.latency_s)}"


def _latency(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds else "loopback"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def plot(figure: Figure, file: Path) -> None:
    """A panel for each store and latency: rate over requests at a time, a colour for each request size."""
    from matplotlib.figure import Figure as Canvas

    stores = list(dict.fromkeys(point.store for point in figure))
    latencies = sorted({point.latency_s for point in figure})
    canvas = Canvas(figsize=(2.9 * len(stores), 2.7 * len(latencies) + 0.3), layout="constrained")
    panels = canvas.subplots(len(latencies), len(stores), squeeze=False)
    for row, latency in enumerate(latencies):
        for column, store in enumerate(stores):
            panel = panels[row][column]
            points = [point for point in figure if (point.store, point.latency_s) == (store, latency)]
            if not points:
                panel.set_axis_off()
                panel.text(0.5, 0.5, _KEY, ha="center", va="center", fontsize=9, transform=panel.transAxes)
                continue
            _panel(panel, figure, points)
            panel.set_title(f"{store}, {_latency(latency)}", fontsize=9)
            if column == 0:
                panel.set_ylabel("MB/s")
            if row == len(latencies) - 1:
                panel.set_xlabel("requests at a time")
    whole = io.BytesIO()
    canvas.savefig(whole, dpi=100)
    # A few colours are enough, and a quarter of the bytes.
    Image.open(whole).convert("RGB").quantize(64).save(file, optimize=True)


def _panel(panel: Any, figure: Figure, points: list[Point]) -> None:
    sizes = sorted({point.request_bytes for point in points})
    for size, color in zip(sizes, _COLORS, strict=False):
        for aligned, style in ((True, "-o"), (False, "--^")):
            line = sorted((p for p in points if (p.request_bytes, p.aligned) == (size, aligned)), key=_parallel)
            label = _size(size) if aligned else None
            rates = [figure[point].rate for point in line]
            panel.plot([p.parallel for p in line], rates, style, color=color, label=label, markersize=4, linewidth=1.4)
    panel.set_xscale("log", base=2)
    parallel = sorted({point.parallel for point in points})
    panel.set_xticks(parallel, [str(count) for count in parallel])
    panel.set_ylim(0, 1.4 * panel.get_ylim()[1])  # room for the legend
    panel.grid(color="#e4e4e4")
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8)
    panel.legend(fontsize=7, title="request", title_fontsize=7, framealpha=0.6, loc="upper left", ncols=2)


def _parallel(point: Point) -> int:
    return point.parallel
