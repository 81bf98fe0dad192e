"""What was measured, as a table, as JSON and as a plot."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from tests.bench.harness import Goal, Result

_PEERS = (
    "numpy", "grpcio", "protobuf", "tensorstore", "cloud-volume", "zarr", "pyarrow", "uvicorn", "urllib3", "zmesh",
    "scikit-image",
)  # fmt: skip


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def target(goal: Goal) -> str:
    """The limit and the aim."""
    if goal.limit is None:
        return ""
    aim = "" if goal.aim is None else f", aim {number(goal.aim)}"
    return f"{'≤' if goal.at_most else '≥'} {number(goal.limit)}{aim}"


def verdict(result: Result) -> str:
    """MISS, or nothing: a miss is one in every single rotation."""
    return "[bold red]MISS[/bold red]" if result.missed else ""


def table(results: Sequence[Result]) -> Table:
    """A row of the benchmark takes one line, and one more for each contender."""
    made = Table(box=box.SIMPLE_HEAD)
    for name in ("row", "contender"):
        made.add_column(name)
    for name in ("median", "spread", "rate", "ratio", "of rotations"):
        made.add_column(name, justify="right")
    for result in results:
        goal = target(result.goal)
        made.add_row(result.row, f"[bold]{result.title}[/bold]", "", "", "", goal, verdict(result))
        for place, name in enumerate(result.names):
            rate = result.rate(name)
            ratio = "1" if place == 1 else number(median_of(result.ratios(name)))
            made.add_row(
                "",
                _named(result, name),
                _amount(result.median(name), result.work.unit),
                f"{result.spread(name):.0%}",
                "" if rate is None else f"{rate:,.0f} {result.work.amount_unit}/s",
                f"[bold]{ratio}[/bold]" if place == 0 else ratio,
                "" if place == 1 else "  ".join(number(one) for one in result.ratios(name)),
            )
    return made


def _named(result: Result, name: str) -> str:
    asked = result.work.requests.get(name)
    return name if asked is None else f"{name}: {asked} {'request' if asked == 1 else 'requests'}"


def median_of(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 1e6:,.1f} MB"
    if unit != "s":
        return f"{number(value)} {unit}"
    return f"{value * 1e3:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def document(results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "about": "values of each round, contenders in rotation; ratio = median of the second / median of the first",
        "machine": {
            "processor": platform.machine(),
            "cpu_count": os.cpu_count(),
            "python": platform.python_version(),
            **_versions(),
        },
        "rows": {result.row: _row(result) for result in results},
    }


def _versions() -> Mapping[str, str]:
    found = {}
    for name in _PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _row(result: Result) -> dict[str, Any]:
    return {
        "title": result.title,
        "limit": result.goal.limit,
        "aim": result.goal.aim,
        "at_most": result.goal.at_most,
        "missed": result.missed,
        "ratio": result.ratio,
        "ratios": {name: result.ratios(name) for name in result.names},
        "unit": result.work.unit,
        "amount": result.work.amount,
        "amount_unit": result.work.amount_unit,
        **({"requests": dict(result.work.requests)} if result.work.requests else {}),
        "rotations": [{"load": rotation.load, "taken": rotation.taken} for rotation in result.rotations],
    }


def plot(results: Sequence[Result], file: Path) -> None:
    """Ratios in units of the limit, one line for each row that has one; right of 1 is reached."""
    from matplotlib.figure import Figure

    shown = [result for result in results if result.goal.limit is not None][::-1]
    if not shown:
        return
    figure = Figure(figsize=(11, 1.6 + 0.46 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(0, 1, color="#f6dede", zorder=0)
    axes.axvline(1, color="#444444", linewidth=1.2)
    for place, result in enumerate(shown):
        goal, shares = result.goal, sorted(_share(result.goal, ratio) for ratio in result.ratios())
        color = "#c0392b" if result.missed else "#1f77b4"
        axes.plot([shares[0], shares[-1]], [place, place], color=color, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot(shares, [place] * len(shares), "|", color=color, markersize=11)
        axes.plot(median_of(shares), place, "o", color=color, markersize=8)
        if goal.aim is not None:
            axes.plot(_share(goal, goal.aim), place, "D", color="#2e8b57", markersize=6, fillstyle="none")
        text = f"{number(result.ratio)}  ({target(goal)})"
        axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.7), max(high, 1.6))
    ticks = [tick for tick in (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10) if low <= tick <= high or tick == 1]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(shown)), [f"{result.title}   {result.row}" for result in shown], fontsize=9)
    axes.set_xlabel("ratio, in units of what it has to be (◇ aim; red: missed in every rotation)")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    figure.savefig(file, dpi=130)


def _share(goal: Goal, ratio: float) -> float:
    limit = goal.limit or 1.0
    return limit / ratio if goal.at_most else ratio / limit
