"""`voxgate properties`: what a store keeps of segments, and which segment has a name."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer

from voxgate.cli.output import print_json, print_table
from voxgate.cli.session import AsJson, Server, Volume, connected, opened
from voxgate.model.segment_properties import NumberColumn, SegmentColumn, SegmentTable, TagColumn
from voxgate.model.texts import TEXT_MATCHES

_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def properties(  # noqa: PLR0913  (every option is a parameter)
    context: typer.Context,
    name: Volume,
    *,
    find: Annotated[
        str | None, typer.Option("--find", metavar="LABEL", help="Only segments of this name.", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only segments with it.", show_default=False)] = None,
    match: Annotated[str, typer.Option(help=f"How --find compares: {', '.join(TEXT_MATCHES)}.")] = "exact",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with a header.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List what the store keeps of segments: names, descriptions, tags, numbers.

    Where no segment has the name or tag, nothing is listed.
    """
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json are two formats; choose one")
    if match not in TEXT_MATCHES:
        raise typer.BadParameter(f"--match is one of {', '.join(TEXT_MATCHES)}")
    with connected(context, server) as client:
        table = opened(client, name).properties()
    if find is not None or tag is not None:
        wanted = np.array(table.find(find, tag=tag, match=match), np.uint64)  # type: ignore[arg-type]  # checked above
        table = table.rows(np.flatnonzero(np.isin(table.segment_ids, wanted)))
    if as_json:
        print_json(_document(name, table))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["segment_id", *(each.name for each in table.columns)])
        writer.writerows(_rows(table, _csv_cell))
    else:
        header = ("SEGMENT", *(_visible(each.name.upper()) for each in table.columns))
        print_table(header, _rows(table, _cell))


def _rows(table: SegmentTable, cell: Any) -> Iterator[list[str]]:
    columns = [[cell(value) for value in _values(each)] for each in table.columns]
    for place, segment_id in enumerate(table.segment_ids.tolist()):
        yield [str(segment_id), *(column[place] for column in columns)]


def _document(name: str, table: SegmentTable) -> dict[str, Any]:
    columns = [_json_values(each) for each in table.columns]
    names = [each.name for each in table.columns]
    listed = [
        {"segment_id": str(segment_id), "values": {key: column[i] for key, column in zip(names, columns, strict=True)}}
        for i, segment_id in enumerate(table.segment_ids.tolist())
    ]
    return {"volume": name, "properties": [_description(each) for each in table.columns], "segments": listed}


def _description(column: SegmentColumn) -> dict[str, Any]:
    if isinstance(column, TagColumn):
        said = column.descriptions or ("",) * len(column.tags)
        tags = [{"tag": tag, "description": text} for tag, text in zip(column.tags, said, strict=True)]
        return {"name": column.name, "kind": "tags", "tags": tags}
    kind = (
        "number" if isinstance(column, NumberColumn) else {"string": "text"}.get(column.role.value, column.role.value)
    )
    facts = {"name": column.name, "kind": kind, "description": column.description}
    return {**facts, "dtype": column.values.dtype.name} if isinstance(column, NumberColumn) else facts


def _values(column: SegmentColumn) -> Any:
    """Texts, tuples of tags, or numbers: with the fewest digits that tell them from their neighbours."""
    if not isinstance(column, NumberColumn):
        return column.values
    return [float(str(each)) for each in column.values] if column.values.dtype.kind == "f" else column.values.tolist()


def _cell(value: str | float | tuple[str, ...]) -> str:
    return _visible(", ".join(value) if isinstance(value, tuple) else str(value))


def _visible(text: str) -> str:
    """A text in one line that a terminal shows and does not obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _csv_cell(value: str | float | tuple[str, ...]) -> str:
    # Any tag may have any character: only a list says where each ends.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else str(value)


def _json_values(column: SegmentColumn) -> list[Any]:
    """As JSON can say them: it has no NaN, and its readers round what is above 2**53."""
    if not isinstance(column, NumberColumn):
        return list(map(list, column.values)) if isinstance(column, TagColumn) else list(column.values)
    if column.values.dtype.kind != "f":
        numbers = column.values.tolist()
        return list(map(str, numbers)) if column.values.dtype.itemsize == 8 else numbers
    return [each if math.isfinite(each) else _NO_NUMBERS[str(each)] for each in _values(column)]
