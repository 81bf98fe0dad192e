"""`voxgate login`: remember a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.output import print_json
from voxgate.cli.session import AsJson, Session
from voxgate.client.profile import Profile, save_profile, stored_tls
from voxgate.client.tls import Tls, as_tls


def login(  # noqa: PLR0913  (options of a command line)
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The server.")],
    *,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token, or read it from stdin when that is piped.")
    ] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS, and believe the authorities that gRPC does.")] = False,
    ca_file: Annotated[Path | None, typer.Option(help="Speak TLS, and believe the authorities of this file.")] = None,
    cert_file: Annotated[Path | None, typer.Option(help="Your certificate, where the server asks for one.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="The key of your certificate.")] = None,
    as_json: AsJson = False,
) -> None:
    """Remember a server, a token for it, and how to speak TLS with it.

    Every later command, and voxgate.connect(), uses them. They are kept in a file that only you can read; the token
    is shown nowhere.
    """
    secret = _ask_token() if token else ""
    session: Session = context.obj
    stated = Tls(*(str(file.resolve()) if file else "" for file in (ca_file, cert_file, key_file)))
    # What the environment says now may be gone later.
    spoken = stated if tls or stated != Tls() else as_tls(stored_tls(address))
    with session.connect(address, token=secret or None, tls=spoken) as client:
        info = client.server_info()
    save_profile(Profile(address, secret, spoken))
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
