"""What every command has: a server to talk to, and the options that all share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray
    from voxgate.client.connection import Client
    from voxgate.client.tls import Tls


class Connect(Protocol):
    """Connects to a server; `voxgate.connect` is one."""

    def __call__(self, address: str | None = None, *, token: str | None = None, tls: Tls | None = None) -> Client:
        """Connect; None means the environment, the profile, then localhost."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What the command line was started with; typer's `context.obj`."""

    connect: Connect


Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        metavar="HOST:PORT",
        help="The server; else $VOXGATE_SERVER, the one of `voxgate login`, localhost:50051.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else; ids are strings.")]
Volume = Annotated[str, typer.Argument(metavar="NAME", help="The volume: remote/path or remote/path@version.")]
ScaleOption = Annotated[
    str | None,
    typer.Option("--scale", metavar="N|KEY", help="The scale, by index (0 is the finest) or key.", show_default=False),
]
BoxOption = Annotated[
    str | None,
    typer.Option(
        "--box",
        metavar="X0:X1,Y0:Y1,Z0:Z1",
        help="Voxels of the scale, global coordinates, half-open, always x,y,z; an end left out is the volume's.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]


def connected(context: typer.Context, server: str | None) -> Client:
    """The client of a command; use it in a `with` statement."""
    session: Session = context.obj
    return session.connect(server)


def opened(client: Client, name: str, scale: str | None = None) -> VolumeArray:
    """A volume by "name" or "name@version", at a scale given as text."""
    array = client.volume(name)
    if scale is None:
        return array
    return array.scale(int(scale) if scale.isdecimal() else scale)
