"""`voxgate serve` and `voxgate config`: contributed to the command line through the entry point `voxgate.commands`."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voxgate.client.connection import Client, connect
from voxgate.model.errors import ConfigInvalid, VoxgateError
from voxgate_remotes.config import RemotesConfig, parse_remotes, remote_for_path
from voxgate_serving.logs import log_to_stderr
from voxgate_serving.server import stop_on_signals
from voxgate_serving.settings import Configuration, load_configuration
from voxgate_standalone.suite import Suite, start_suite

_EPILOG = """Examples:

  voxgate serve                         serves the sample volumes

  voxgate serve /data/fib25 /data/wasp  every volume below two folders

  voxgate serve --config voxgate.toml   the remotes of a file
"""
_MAX_LISTED = 50


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve", epilog=_EPILOG)(serve)
    config = typer.Typer(help="Check and show a voxgate.toml.", no_args_is_help=True)
    config.command("check")(check)
    config.command("show")(show)
    app.add_typer(config, name="config")


def serve(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH|URI]...", help="Folders or URIs to serve.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="voxgate.toml: [server] and [remotes].")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback, reads only.")] = None,
    port: Annotated[int | None, typer.Option(help="gRPC port; 0 picks a free one.  [default: 50051]")] = None,
    health_port: Annotated[int | None, typer.Option(help="Health port; 0 picks one.  [default: 50052]")] = None,
    http_port: Annotated[int | None, typer.Option(help="HTTP port; 0 picks one.  [default: 8080]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as one JSON line.")] = False,
) -> None:
    """Start every service on this machine: gRPC on one port, HTTP on another, health on a third.

    With nothing named, the sample volumes are served, and a writable remote "scratch" that lives in memory.
    """
    log_to_stderr()
    overrides = {"host": host, "port": port, "health_port": health_port, "http_port": http_port}
    configuration = load_configuration(config, overrides)
    suite = start_suite(configured_remotes(configuration, sources or []), configuration.server)
    stop_on_signals(suite.stop)
    _announce(suite, as_json=as_json)
    suite.server.wait()


def configured_remotes(configuration: Configuration, sources: list[str]) -> RemotesConfig:
    """The remotes of a configuration and of the command line; the sample and scratch where there are none.

    Raises:
        ConfigInvalid: when two of them would have the same name.
    """
    remotes = dict(parse_remotes(configuration.remotes, configuration.base).remotes)
    for source in sources:
        name, remote = remote_for_path(source)
        if name in remotes:
            raise ConfigInvalid(f'two remotes would be called "{name}"', "name one of them in a configuration file")
        remotes[name] = remote
    if not remotes:
        samples = sample_folder()
        table = {name: {"uri": str(samples / name)} for name in ("fib25", "aniso")}
        scratch = {"uri": "memory://", "writable": True, "deletable": True}
        remotes.update(parse_remotes({**table, "scratch": scratch}, samples).remotes)
    return RemotesConfig(remotes=remotes)


def sample_folder() -> Path:
    """Where the sample volumes are: shipped in the package, or in a checkout's `samples/`.

    Raises:
        ConfigInvalid: when this installation has none.
    """
    packaged = Path(str(files("voxgate_standalone"))) / "samples"
    checkout = Path(__file__).resolve().parents[3] / "samples"
    for folder in (packaged, checkout):
        if (folder / "fib25").is_dir():
            return folder
    raise ConfigInvalid("this installation has no sample volumes", "name a folder: voxgate serve PATH")


def _announce(suite: Suite, *, as_json: bool) -> None:
    server, gateway = suite.server, suite.gateway
    url = gateway.url if gateway else ""
    if as_json:
        typer.echo(json.dumps({"grpc": server.address, "http": url, "health_port": server.health_port}))
        return
    console = Console()
    with connect(server.address) as client:
        table = Table("volume", "kind", "dtype", "shape (z, y, x)", "voxel size nm (x, y, z)", "inferred", box=None)
        for row in _rows(client):
            table.add_row(*row)
    console.print(table)
    console.print(f"gRPC  {server.address}\nHTTP  {url}\nstop with Ctrl-C")


def _rows(client: Client) -> list[list[str]]:
    rows: list[list[str]] = []
    waiting = client.volumes()
    while waiting and len(rows) < _MAX_LISTED:
        entry = waiting.pop(0)
        if entry.is_key_values:
            continue
        try:
            if not entry.is_volume:
                waiting[:0] = client.volumes(entry.name)
                continue
            info = client.open(entry.name).info
        except VoxgateError as error:
            rows.append([entry.name, "cannot be read", str(error), "", "", ""])
            continue
        first = info.scales[0]
        size = "unknown" if first.voxel_size_nm is None else " ".join(f"{s:g}" for s in first.voxel_size_nm)
        shape = " ".join(map(str, first.bounds.shape.zyx))
        rows.append([entry.name, info.kind.value, info.dtype.name, shape, size, ", ".join(info.inferred)])
    return rows


def check(
    config: Annotated[Path, typer.Argument(help="voxgate.toml")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check a configuration file; exits 1 and names the key when something is wrong."""
    configuration = load_configuration(config, {})
    remotes = configured_remotes(configuration, [])
    if as_json:
        typer.echo(json.dumps({"ok": True, "remotes": sorted(remotes.remotes)}))
    else:
        typer.echo(f"{config}: good, {len(remotes.remotes)} remotes: {', '.join(sorted(remotes.remotes))}")


def show(config: Annotated[Path | None, typer.Argument(help="voxgate.toml; without it, the defaults.")] = None) -> None:
    """Show every setting as it would be used: file, environment and defaults together."""
    configuration = load_configuration(config, {})
    remotes = configured_remotes(configuration, [])
    document = {"server": configuration.server.model_dump(), **remotes.model_dump(mode="json")}
    typer.echo(json.dumps(document, indent=2))
