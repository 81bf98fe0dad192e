"""`voxgate versions`, `commit`, `new-version` and `branch`: the history of a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli.output import print_json, print_table
from voxgate.cli.session import AsJson, Server, Volume, connected, opened
from voxgate.model.versions import VersionInfo

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray

Note = Annotated[str, typer.Option("--note", "-m", metavar="NOTE", help="What is to be said of it.")]


def versions(context: typer.Context, name: Volume, *, server: Server = None, as_json: AsJson = False) -> None:
    """List the versions of a volume.

    Parents before their children; a star marks the one that NAME opens.
    """
    with connected(context, server) as client:
        array = opened(client, name)
        found = list(array.versions())
    if as_json:
        print_json({"volume": array.name, "version": array.version, "versions": [_document(info) for info in found]})
        return
    rows = [
        (
            "*" if info.version == array.version else "",
            info.version,
            "committed" if info.is_committed else "open",
            info.branch or "-",
            info.created or "-",
            info.note,
        )
        for info in found
    ]
    print_table(("", "VERSION", "STATE", "BRANCH", "CREATED", "NOTE"), rows)


def commit(context: typer.Context, name: Volume, *, note: Note, server: Server = None, as_json: AsJson = False) -> None:
    """Close a version for good.

    Its voxels can never change again; go on with new-version or branch. Repeating it changes nothing.
    """
    with connected(context, server) as client:
        _say(opened(client, name).commit(note), as_json=as_json)


def new_version(
    context: typer.Context, name: Volume, *, note: Note, server: Server = None, as_json: AsJson = False
) -> None:
    """Open a child of a closed version on the same branch.

    Prints its name, ready to be written to.
    """
    with connected(context, server) as client:
        _say(opened(client, name).new_version(note), as_json=as_json)


def branch(
    context: typer.Context,
    name: Volume,
    new_branch: Annotated[str, typer.Argument(metavar="BRANCH", help="The name of the new branch.")],
    *,
    note: Note,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Open a child of a closed version on a new branch.

    Prints its name, ready to be written to.
    """
    with connected(context, server) as client:
        _say(opened(client, name).new_branch(new_branch, note), as_json=as_json)


def _say(array: VolumeArray, *, as_json: bool) -> None:
    if as_json:
        print_json({"volume": array.name, "version": array.version, "immutable": array.info.immutable})
    else:
        print(f"{array.name}@{array.version}")


def _document(info: VersionInfo) -> dict[str, Any]:
    return {
        "version": info.version,
        "parents": list(info.parents),
        "branch": info.branch,
        "note": info.note,
        "is_committed": info.is_committed,
        "created": info.created,
    }
