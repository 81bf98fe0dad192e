"""`voxgate token create`, `list` and `revoke`: the file of static tokens that a server's `[auth]` names."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.output import print_json, print_table
from voxgate.model.errors import ConfigInvalid
from voxgate_serving.auth.settings import parse_auth
from voxgate_serving.auth.tokens import create_token, listed_tokens, revoke_token
from voxgate_serving.settings import read_document

_File = Annotated[Path | None, typer.Option("--file", help="The file of tokens.")]
_Config = Annotated[Path | None, typer.Option("--config", help="voxgate.toml, whose [auth] tokens_file it is.")]
_MOST_DAYS = 36_500


def token_group() -> typer.Typer:
    """The commands below `voxgate token`."""
    group = typer.Typer(help="Make, list and revoke tokens of a server.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(list_)
    group.command("revoke")(revoke)
    return group


def create(
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    *,
    group: Annotated[list[str] | None, typer.Option("--group", help="A group of theirs; repeatable.")] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=_MOST_DAYS, help="Ends after so many days.")] = None,
    file: _File = None,
    config: _Config = None,
) -> None:
    """Make a token and print it, once: the file has a hash of it only.

    A server that reads the file lets its bearer in from then on; no restart is needed.
    """
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    token = create_token(_tokens_file(file, config), name, group or (), expires)
    sys.stderr.write(f"a token for {name}; it is shown this once\n")
    print(token)


def list_(
    *,
    file: _File = None,
    config: _Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List tokens: their ids, whose they are, and when they end."""
    rows = [
        {
            "id": each.id,
            "name": each.name,
            "groups": list(each.groups),
            "created": each.created.isoformat(timespec="seconds"),
            "expires": None if each.expires is None else each.expires.isoformat(timespec="seconds"),
        }
        for each in listed_tokens(_tokens_file(file, config))
    ]
    if as_json:
        print_json({"tokens": rows})
        return
    table = [(r["id"], r["name"], " ".join(r["groups"] or ()), r["created"], r["expires"] or "never") for r in rows]
    print_table(("ID", "NAME", "GROUPS", "CREATED", "EXPIRES"), [tuple(map(str, row)) for row in table])


def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help='As "voxgate token list" shows it.')],
    *,
    file: _File = None,
    config: _Config = None,
) -> None:
    """Revoke a token: servers that read the file let nobody in by it any more."""
    gone = revoke_token(_tokens_file(file, config), identity)
    print(f"{gone.id} of {gone.name} is revoked")


def _tokens_file(file: Path | None, config: Path | None) -> Path:
    """The file that is meant.

    Raises:
        ConfigInvalid: when neither or both are stated, or the configuration names none.
    """
    if (file is None) == (config is None):
        raise ConfigInvalid("state which file of tokens is meant", "--file tokens.toml, or --config voxgate.toml")
    if file is not None:
        return file
    assert config is not None  # noqa: S101  (for the type checker)
    named = parse_auth(read_document(config).get("auth", {})).tokens_file
    if not named:
        raise ConfigInvalid(f"{config.name} names no file of tokens", "state tokens_file in [auth]")
    return config.resolve().parent / named
