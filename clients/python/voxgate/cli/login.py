"""`voxgate login`: remember a server."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from voxgate.cli.output import print_json
from voxgate.cli.session import AsJson, Session
from voxgate.client.profile import Profile, save_profile


def login(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The server.")],
    *,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token, or read it from stdin when that is piped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remember a server and a token for it.

    Every later command, and voxgate.connect(), uses them. They are kept in a file that only you can read; the token
    is shown nowhere.
    """
    secret = _ask_token() if token else ""
    session: Session = context.obj
    with session.connect(address, token=secret or None) as client:
        info = client.server_info()
    save_profile(Profile(address, secret))
    if as_json:
        print_json({"address": address, "server_version": info.server_version, "writes_enabled": info.writes_enabled})
        return
    writes = "takes writes" if info.writes_enabled else "reads only"
    print(f"{address}: voxgate {info.server_version}, {writes}; remembered")


def _ask_token() -> str:
    """The token, never as an argument: arguments are seen by everybody on the machine."""
    if sys.stdin.isatty():
        secret: str = typer.prompt("Token", hide_input=True, err=True)
    else:
        secret = sys.stdin.readline()
    if not secret.strip():
        raise typer.BadParameter("there is no token on stdin")
    return secret.strip()
