"""Keeping what a web server sends of one object within a stated size.

Tensorstore has no limit for what it reads, and takes a range that ends behind an object for an error, so its ranges
cannot serve as one. But its http driver sends headers that are stated to it, and takes the answer to a Range among
them for the whole object exactly if it is that, in one request as without (seen in release 0.1.86: `bytes=0-99` of 100
bytes is read, of 101 is OUT_OF_RANGE). What a Content-Encoding hides is bounded with it: as much as so many bytes can
become. A server that knows no ranges sends everything, as before; the drivers s3 and gcs take no headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorstore as ts

from voxgate_remotes.tensorstores import Tuning, View

_NO_RANGES = "was ignored by server"


def at_most(kvstore: dict[str, Any], limit: int) -> dict[str, Any]:
    """Tensorstore's spec of a kvstore whose objects are errors where they have more than `limit` bytes, if it can be.

    Of what it opens no parts can be read.
    """
    if kvstore.get("driver") != "http":
        return kvstore
    return {**kvstore, "headers": [*kvstore.get("headers", ()), f"Range: bytes=0-{limit - 1}"]}


def ignores_ranges(error: Exception) -> bool:
    """Whether the server sent a whole object where part of it was asked for."""
    return _NO_RANGES in str(error)


def is_shorter(error: Exception) -> bool:
    """Whether an object has not the bytes that were asked for."""
    return str(error).startswith("OUT_OF_RANGE")


def bounded_views(
    views: Sequence[View], limits: Sequence[int | None], kvstore: dict[str, Any], tuning: Tuning
) -> tuple[View, ...]:
    """The same views of arrays, whose chunks may have so many bytes; None where several share an object.

    Their metadata, which may be larger, is not read again: nothing is asked.

    Args:
        views: of arrays in one store.
        limits: of each.
        kvstore: tensorstore's spec of any folder of that store.
        tuning: how tensorstore is run.
    """
    if kvstore.get("driver") != "http":
        return tuple(views)
    context = tuning.context()
    return tuple(
        view if limit is None else _bounded(view, limit, kvstore, context)
        for view, limit in zip(views, limits, strict=True)
    )


def respelled(view: View, kvstore: dict[str, Any]) -> dict[str, Any]:
    """The spec of a view, with all that its store is asked with: tensorstore leaves out who asks, and how often.

    It is without the attributes of Zarr v3, which tensorstore would want to find as they were: they may have changed.

    Args:
        view: of an array.
        kvstore: tensorstore's spec of any folder of the same store.
    """
    spec: dict[str, Any] = view.spec().to_json()
    spec.get("metadata", {}).pop("attributes", None)
    return {**spec, "kvstore": {**kvstore, **spec["kvstore"]}}


def _bounded(view: View, limit: int, kvstore: dict[str, Any], context: Any) -> View:
    spec = respelled(view, kvstore)
    spec |= {"kvstore": at_most(spec["kvstore"], limit), "store_data_equal_to_fill_value": True}
    return ts.open(spec, open=True, assume_metadata=True, context=context).result()
