"""What the page of metrics says of finished meshes that are kept."""

from __future__ import annotations

from voxgate_mesh.finished import CacheCounts
from voxgate_serving.metrics import Metric


def mesh_cache_metrics(counts: CacheCounts) -> list[Metric]:
    """The numbers of one cache."""
    told = {
        "hits": ("segments answered from meshes that were kept", counts.hits),
        "joined": ("segments answered after waiting for a call that was making them already", counts.joined),
        "misses": ("segments that were made, though they could have been kept", counts.misses),
    }
    found = [Metric(f"voxgate_mesh_cache_{name}_total", *_counter(*said)) for name, said in told.items()]
    found.append(Metric("voxgate_mesh_cache_entries", "meshes that are kept", "gauge", {}, counts.entry_count))
    found.append(Metric("voxgate_mesh_cache_bytes", "bytes of meshes that are kept", "gauge", {}, counts.held_bytes))
    return found


def _counter(text: str, count: int) -> tuple[str, str, dict[str, str], int]:
    return text, "counter", {}, count
