"""docs/reference/stores.md: what each store can do, and which program that is not ours says so.

python -m tools.stores_table                 render the page from docs/reference/results.json
python -m tools.stores_table --check FILE    fail unless FILE, the proofs of a run, says what the page says
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tools.proof_pages import ROOT, ProofPage

RESULTS = ROOT / "docs/reference/results.json"
PAGE = ROOT / "docs/reference/stores.md"

FEATURES = (
    "read",
    "scales",
    "channels",
    "time",
    "write",
    "create",
    "list",
    "delete",
    "segment ids",
    "segments at points",
    "segment bounds",
    "segment voxels",
    "supervoxels",
    "reserve ids",
    "versions",
    "metadata",
    "stored meshes",
    "stored skeletons",
)
_EVERY = ("read", "scales", "channels", "write", "create", "list", "delete")
STORES: dict[str, tuple[str, ...]] = {
    "precomputed": (*_EVERY, "stored meshes", "stored skeletons"),
    "Zarr v2": (*_EVERY, "time"),
    "Zarr v3": (*_EVERY, "time"),
    "N5": ("read", "scales", "channels", "time", "write", "list", "delete"),
    "HDF5": ("read", "scales", "channels", "time", "list"),
    "TIFF": ("read", "channels", "time", "list"),
    "image stack": ("read", "channels", "list"),
    "BossDB": (
        *("read", "scales", "time", "write", "create", "list", "delete"),
        *("segment ids", "segment bounds", "reserve ids", "metadata"),
    ),
    "DVID": (
        *("read", "scales", "write", "create", "list", "segments at points", "segment bounds", "segment voxels"),
        *("supervoxels", "reserve ids", "versions", "metadata", "stored meshes", "stored skeletons"),
    ),
    "voxgate": (*_EVERY, "time"),
    "over http": ("read", "scales"),
    "over S3": ("read", "scales", "write", "create", "list"),
    "over GCS": ("read", "scales", "write", "create", "list"),
}
"""What each store does by itself; everything else is a surrogate's, or not there at all."""

_HEAD = """# Stores

This table is written by `make conformance`, from what the run proved; nothing in it is typed by hand.

- **✓** a program that is not ours wrote what ours read, or read what ours wrote, in this run. The row below names it
  with its release. Where a store is a server that cannot run here, the program and ours met at a test server of ours
  that behaves as the store is documented to, traps included.
- **½ (own fake)** proved only against a test server of our own.
- **unproved** there is no program to compare with yet.
- **-** the store does not do this by itself. Segments in a box, at points, their bounds and voxels are then answered
  from the voxels (the answer says `SURROGATE`); for the rest there is a typed error, `MissingCapability`. Another
  voxgate does by itself what its own stores do.

What was compared, with how many voxels (ids, keys, vertices), is in [results.json](results.json).
"""


def load(path: Path) -> dict[tuple[str, str], dict[str, int]]:
    """(store, feature) -> peer -> voxels compared.

    Raises:
        SystemExit: for a store or feature that the table does not have.
    """
    cells: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for proof in json.loads(path.read_text()):
        store, feature = proof["store"], proof["feature"]
        if feature not in STORES.get(store, ()):
            sys.exit(f"{path.name}: {store} / {feature} is not a cell of the table: see STORES")
        cells[store, feature][f"{proof['peer']} {proof['version']}".strip()] = proof["voxels"]
    return cells


def mark(peers: dict[str, int] | None) -> str:
    """The mark of a cell."""
    if not peers:
        return "unproved"
    return "✓" if any(peers) else "½ (own fake)"


def render(cells: dict[tuple[str, str], dict[str, int]]) -> str:
    """The page."""
    lines = [_HEAD, f"| | {' | '.join(STORES)} |", f"|---|{'---|' * len(STORES)}"]
    for feature in FEATURES:
        marks = [mark(cells.get((store, feature))) if feature in has else "-" for store, has in STORES.items()]
        lines.append(f"| {feature} | {' | '.join(marks)} |")
    lines.append("\n## Who says so\n")
    for store, has in STORES.items():
        said = [
            (feature, sorted(filter(None, cells.get((store, feature), {})))) for feature in FEATURES if feature in has
        ]
        by_peers: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for feature, peers in said:
            if peers:
                by_peers[tuple(peers)].append(feature)
        lines.append(f"- **{store}**")
        lines += [f"  - {', '.join(features)}: {', '.join(peers)}" for peers, features in by_peers.items()]
    return "\n".join(lines) + "\n"


def differences(stated: Path, found: Path) -> list[str]:
    """Cells whose mark or peers differ between two files of proofs."""
    one, other = load(stated), load(found)
    return [
        f"{store} / {feature}: the page says {mark(one.get(cell))} {sorted(one.get(cell, {}))},"
        f" the run {mark(other.get(cell))} {sorted(other.get(cell, {}))}"
        for cell in sorted({*one, *other})
        for store, feature in (cell,)
        if set(one.get(cell, {})) != set(other.get(cell, {}))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Render or check."""
    page = ProofPage(__doc__ or "", PAGE, RESULTS, lambda results: render(load(results)), differences)
    return page.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
