"""`voxgate meta`: values by key beside the voxels."""

from __future__ import annotations

import base64
import sys
from typing import Annotated, Any

import typer

from voxgate.cli.output import print_json
from voxgate.cli.session import AsJson, Server, connected

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A remote, group, volume or instance: remote/path or remote/path@version.")
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key.")]


def meta_group(epilog: str) -> typer.Typer:
    """The commands `ls`, `get`, `set` and `rm` under one name."""
    group = typer.Typer(
        help="Metadata: values by key at a remote, group, volume or instance.", epilog=epilog, no_args_is_help=True
    )
    group.command("ls")(list_keys)
    group.command("get")(get_value)
    group.command("set")(set_value)
    group.command("rm")(delete_key)
    return group


def list_keys(
    context: typer.Context,
    name: Name,
    *,
    prefix: Annotated[str, typer.Option(help="Only keys that start with this.", show_default=False)] = "",
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List the keys at a name, sorted."""
    with connected(context, server) as client:
        keys = client.metadata(name).keys(prefix)
    if as_json:
        print_json({"name": name, "keys": keys})
        return
    for key in keys:
        print(key)


def get_value(context: typer.Context, name: Name, key: Key, *, server: Server = None, as_json: AsJson = False) -> None:
    """Print the value of a key, its bytes as they are.

    With --json it is "text" where it is UTF-8, else "base64".
    """
    with connected(context, server) as client:
        value = client.metadata(name).get(key)
    if as_json:
        print_json({"name": name, "key": key, **_value_document(value)})
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty() and not value.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def set_value(
    context: typer.Context,
    name: Name,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help='The text; "-" takes the bytes of stdin.')],
    *,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Set the value of a key, new or not."""
    data = sys.stdin.buffer.read() if value == "-" else value.encode()
    with connected(context, server) as client:
        client.metadata(name).set(key, data)
    _done(name, key, "set", as_json=as_json)


def delete_key(context: typer.Context, name: Name, key: Key, *, server: Server = None, as_json: AsJson = False) -> None:
    """Delete a key and its value."""
    with connected(context, server) as client:
        client.metadata(name).delete(key)
    _done(name, key, "deleted", as_json=as_json)


def _done(name: str, key: str, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "key": key, what: True})
    else:
        print(f"{name} {key}: {what}")


def _value_document(value: bytes) -> dict[str, Any]:
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
