"""Commands that other distributions contribute: `serve` and `config` come with the server."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Annotated

import typer

from voxgate.model.errors import Unimplemented

GROUP = "voxgate.commands"
"""Entry points of this group are called as `register(app: typer.Typer) -> None`."""
_OF_THE_SERVER = {
    "serve": "Serve volumes on this machine (comes with voxgate[server]).",
    "token": "Make, list and revoke tokens of a server (comes with voxgate[server]).",
    "config": "Check or show a server's configuration (comes with voxgate[server]).",
}


def add_plugins(app: typer.Typer) -> None:
    """Let every plug-in register its commands; stand in for the server's where it is not installed."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        entry.load()(app)
    there = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    for name, text in _OF_THE_SERVER.items():
        if name not in there:
            _add_stand_in(app, name, text)


def _add_stand_in(app: typer.Typer, name: str, text: str) -> None:
    def missing(arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:  # noqa: ARG001  (whatever was typed)
        raise Unimplemented(f"this installation has no `voxgate {name}`", "pip install 'voxgate[server]'")

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(name, help=text, context_settings=settings)(missing)
