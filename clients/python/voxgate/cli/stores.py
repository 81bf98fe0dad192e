"""`voxgate remotes` and `voxgate rm`: which stores there are, and deleting from them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from voxgate.cli.output import print_json, print_table
from voxgate.cli.session import AsJson, Server, connected


def remotes(context: typer.Context, *, server: Server = None, as_json: AsJson = False) -> None:
    """List the configured remotes.

    What kind of store each is, and whether volumes in it can be written and deleted.
    """
    with connected(context, server) as client:
        found = client.remotes()
    if as_json:
        documents = [
            {"name": each.name, "store": each.store, "writable": each.writable, "deletable": each.deletable}
            for each in found
        ]
        print_json({"remotes": documents})
        return
    rows = [
        (each.name, each.store, "writable" if each.writable else "read-only", "deletable" if each.deletable else "-")
        for each in found
    ]
    print_table(("REMOTE", "STORE", "WRITING", "DELETING"), rows)


def rm(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The volume: remote/path.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Delete a volume for good, voxels and metadata.

    Asks first on a terminal; elsewhere --yes is needed. The operator has to allow it: `voxgate remotes` says where.
    """
    if not yes:
        if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise typer.BadParameter("nobody can be asked here whether to delete; say --yes")
        typer.confirm(f"Delete {name} for good?", abort=True, err=True)
    with connected(context, server) as client:
        client.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        print(f"{name}: deleted")
