"""docs/reference/dialects.md: which program that is not ours reads which store in which dialect of the gateway.

python -m tools.dialects_table                 render the page from docs/reference/dialects.json
python -m tools.dialects_table --check FILE    fail unless FILE, the proofs of a run, says what the page says
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tools.proof_pages import ROOT, ProofPage

RESULTS = ROOT / "docs/reference/dialects.json"
PAGE = ROOT / "docs/reference/dialects.md"

ZARR_CLIENTS = ("tensorstore", "tensorstore auto", "zarr-python", "dask", "cloud-volume", "ome-zarr", "napari")
CLIENTS: dict[str, tuple[str, ...]] = {
    "precomputed": ("tensorstore", "tensorstore auto", "dask", "cloud-volume"),
    "Zarr v3": ZARR_CLIENTS,
    "Zarr v2": ZARR_CLIENTS,
    "BossDB": ("intern",),
}
ADDRESSES = {
    "precomputed": "/ng/NAME/-",
    "Zarr v3": "/zarr/NAME/-",
    "Zarr v2": "/zarr2/NAME/-",
    "BossDB": "/v1/… COLLECTION/EXPERIMENT/CHANNEL",
}
STORES = (
    *("precomputed", "Zarr v2", "Zarr v3", "N5", "HDF5", "TIFF", "image stack", "BossDB", "DVID", "voxgate"),
    *("over http", "over S3", "over GCS", "plug-in"),
)
FACTS = {
    "every scale": "every scale, by factors of 2 and of 3 that differ by axis",
    "several channels": "several channels",
    "place": "where the volume lies",
    "voxel size": "how large its voxels are",
    "absent": "chunks that nobody wrote, as fill values",
}
"""What is looked at beside a box of every store, by the words of the proofs."""
MORE = {
    "BossDB": {
        "made": "making a volume (precomputed, Zarr v2 and v3, memory, BossDB, voxgate)",
        "written": "writing a box of it, and reading what was written",
        "metadata": "key-values (memory, BossDB, voxgate)",
        "mesh": "a mesh of what it reads, which it makes itself",
    }
}
"""Likewise, of dialects that take writes."""

Cell = tuple[str, str, str]
"""Dialect, client, store or fact."""

_FINEST = "opens the finest scale; another one by `scale_index`, with the driver named"
_AS_TENSORSTORE = "has what tensorstore has, which reads its blocks"
_ARRAYS = (
    "reads arrays from index 0, as Zarr has them; attributes say more: OME-Zarr's of the group, `voxgate` of the array"
)
_BY_HAND = "opens one array as the driver does that is named"
_DERIVES = "works out where a coarser scale begins and ends from the finest: right where all factors are whole"
CANNOT: dict[Cell, str] = {
    **{("precomputed", "tensorstore auto", fact): _FINEST for fact in FACTS},
    **{("precomputed", "dask", fact): _AS_TENSORSTORE for fact in FACTS},
    **{
        (dialect, client, fact): _ARRAYS
        for dialect in ("Zarr v3", "Zarr v2")
        for client in ("tensorstore", "zarr-python", "dask")
        for fact in ("place", "voxel size")
    },
    **{(dialect, "tensorstore auto", fact): _BY_HAND for dialect in ("Zarr v3", "Zarr v2") for fact in FACTS},
    **{(dialect, "cloud-volume", "every scale"): _DERIVES for dialect in ("Zarr v3", "Zarr v2")},
    ("Zarr v3", "cloud-volume", "several channels"): "reads no array with a channel axis",
    ("Zarr v2", "cloud-volume", "several channels"): "reads the first and says that there is one",
    ("Zarr v3", "cloud-volume", "place"): "takes the offset's z, y, x for x, y, z",
    ("Zarr v2", "cloud-volume", "place"): "begins at 0",
    ("BossDB", "intern", "voxel size"): (
        "knows the finest; multiplies it by powers of 2 for the others, z too, whatever the levels are"
    ),
    **{(dialect, "napari", "place"): "takes no translation from the metadata" for dialect in ("Zarr v3", "Zarr v2")},
}
"""What there is no proof of, and why. tests/conformance/test_dialect_facts.py fails when cloud-volume learns it."""

_HEAD = """# Dialects

What the gateway serves, read by programs that are not ours. This page is written by `make conformance`, from what the
run proved; nothing in it is typed by hand, but the reasons.

- **✓** the program, unmodified, read the same voxels in this run: of each kind of store a box that begins and ends on
  no chunk's border, of a volume with an offset, unequal voxel sizes and ids above 2⁶³ (in the image stack of 16 bits).
  Every store is the real one: files written by other people's writers, emulators of S3 and GCS, the test servers of
  BossDB and DVID, another voxgate (before files, BossDB, DVID), the plug-in of our tests. None is in memory.
- **a number** not shown, for the reason below the table: what the program does instead.
- **unproved** nobody has looked.

How many voxels were compared is in [dialects.json](dialects.json). The neuroglancer client is tested in a browser
instead (`tests/integration`). How to open what is served: [precomputed](../how-to/use-other-tools.md),
[Zarr](../how-to/zarr-over-http.md), [BossDB](../how-to/bossdb-dialect.md).
"""
_TAIL = """
zarr-python, ome-zarr and napari's plug-in have no reader of precomputed. Dask reads Zarr itself (`from_zarr`); of
precomputed it makes an array whose blocks tensorstore reads. zarr-python reads over fsspec, ome-zarr and napari through
dask. napari's layers are made without a window.

intern takes a length of 1 for no axis, open slices for those of another axis, and steps for nothing. Its meshes lie
half a voxel low, at a corner of the box that is not multiplied by the voxel size, and of several ids it keeps the last:
[where intern itself is wrong](../how-to/bossdb-dialect.md#where-intern-itself-is-wrong). Voxels of uint32 reach it as
uint64.
"""


def load(path: Path) -> dict[Cell, dict[str, int]]:
    """Cell -> peer -> voxels compared.

    Raises:
        SystemExit: for a cell that the page does not have.
    """
    cells: defaultdict[Cell, dict[str, int]] = defaultdict(dict)
    for proof in json.loads(path.read_text()):
        dialect, _, client = proof["feature"].partition(" / ")
        what = proof["store"]
        if client not in CLIENTS.get(dialect, ()) or what not in (*STORES, *FACTS, *MORE.get(dialect, ())):
            sys.exit(
                f"{path.name}: {what} / {proof['feature']} is not a cell of the page: see CLIENTS, STORES, FACTS, MORE"
            )
        if (dialect, client, what) in CANNOT:
            sys.exit(f"{path.name}: {what} / {proof['feature']} is proved, and CANNOT says that it cannot be")
        cells[dialect, client, what][f"{proof['peer']} {proof['version']}"] = proof["voxels"]
    return cells


def render(cells: dict[Cell, dict[str, int]]) -> str:
    """The page."""
    parts = [_HEAD, *(_section(dialect, cells) for dialect in CLIENTS), _TAIL, _releases(cells)]
    return "\n".join(parts)


def _section(dialect: str, cells: dict[Cell, dict[str, int]]) -> str:
    clients = CLIENTS[dialect]
    words = FACTS | MORE.get(dialect, {})
    reasons: list[str] = []
    lines = [f"## {dialect}: `{ADDRESSES[dialect]}`\n"]
    lines += [f"| | {' | '.join(clients)} |", f"|---|{'---|' * len(clients)}"]
    for what in (*STORES, *words):
        marks = [_mark((dialect, client, what), cells, reasons) for client in clients]
        lines.append(f"| {words.get(what, what)} | {' | '.join(marks)} |")
    lines += ["", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1)), ""]
    return "\n".join(lines)


def _mark(cell: Cell, cells: dict[Cell, dict[str, int]], reasons: list[str]) -> str:
    if cells.get(cell):
        return "✓"
    if cell not in CANNOT:
        return "unproved"
    if CANNOT[cell] not in reasons:
        reasons.append(CANNOT[cell])
    return str(reasons.index(CANNOT[cell]) + 1)


def _releases(cells: dict[Cell, dict[str, int]]) -> str:
    peers = sorted({peer for found in cells.values() for peer in found})
    return f"## Releases\n\n{', '.join(peers)}.\n"


def differences(stated: Path, found: Path) -> list[str]:
    """Cells whose peers differ between two files of proofs."""
    one, other = load(stated), load(found)
    return [
        f"{' / '.join(cell)}: the page says {sorted(one.get(cell, {}))}, the run {sorted(other.get(cell, {}))}"
        for cell in sorted({*one, *other})
        if set(one.get(cell, {})) != set(other.get(cell, {}))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Render or check."""
    page = ProofPage(__doc__ or "", PAGE, RESULTS, lambda results: render(load(results)), differences)
    return page.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
