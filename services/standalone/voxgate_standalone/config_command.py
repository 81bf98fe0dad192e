"""`voxgate config`: what a voxgate.toml says, what is wrong with it, and whom it makes servers speak to."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from voxgate.cli.failures import FAILED
from voxgate.cli.output import print_json, print_table
from voxgate_gateway.settings import parse_gateway, settings_to_json
from voxgate_serving.auth.settings import parse_auth
from voxgate_serving.settings import load_configuration
from voxgate_standalone.checking import Report, check_file
from voxgate_standalone.egress import edges_of
from voxgate_standalone.sources import configured_remotes


def config_group() -> typer.Typer:
    """The commands below `voxgate config`."""
    group = typer.Typer(help="Check and show a voxgate.toml.", no_args_is_help=True)
    group.command("check")(check)
    group.command("show")(show)
    group.command("egress")(egress)
    return group


def check(
    config: Annotated[Path, typer.Argument(help="voxgate.toml")],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Look at nothing but the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say everything that is wrong with a configuration file, key by key.

    Asks every remote whether it is there, and whether what the file states of its volumes is true. Exits 1 when
    something is wrong.
    """
    report = check_file(config, offline=offline)
    if as_json:
        remotes = [asdict(each) for each in report.remotes]
        print_json(
            {"ok": not report.problems, "problems": [asdict(each) for each in report.problems], "remotes": remotes}
        )
    else:
        _tell(config, report)
    if report.problems:
        raise typer.Exit(FAILED)


def _tell(config: Path, report: Report) -> None:
    print_table(("REMOTE", "STORE", ""), [(each.name, each.store, each.state) for each in report.remotes])
    sys.stdout.flush()
    for problem in report.problems:
        # Some messages name the key by themselves.
        where = "" if problem.key in problem.message else f"{problem.key}: "
        print(f"error: {where}{problem.message}", file=sys.stderr)
        if problem.remedy:
            print(f"  {problem.remedy}", file=sys.stderr)
    if report.problems:
        print(f"{config}: {_count(len(report.problems), 'problem')}", file=sys.stderr)
    elif report.remotes:
        print(f"{config}: good, {_count(len(report.remotes), 'remote')}")
    else:
        print(f"{config}: good, no remotes: `voxgate serve` would serve the samples")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def show(config: Annotated[Path | None, typer.Argument(help="voxgate.toml; without it, the defaults.")] = None) -> None:
    """Show every setting as it would be used: file, environment and defaults together."""
    configuration = load_configuration(config, {})
    remotes = configured_remotes(configuration, [])
    server = configuration.server.model_dump()
    server["jobs_url"] = _without_password(server["jobs_url"])
    gateway = json.loads(settings_to_json(parse_gateway(configuration.gateway)))
    auth = {} if configuration.auth is None else {"auth": parse_auth(configuration.auth).model_dump(mode="json")}
    document = {"server": server, "gateway": gateway, **auth, **remotes.model_dump(mode="json")}
    typer.echo(json.dumps(document, indent=2))


def egress(
    config: Annotated[Path, typer.Argument(help="voxgate.toml")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the hosts and ports that the services connect to: what a firewall or a NetworkPolicy has to allow.

    Nothing is asked. Servers that the environment names count too, as they do for services: run it with theirs.
    """
    edges = edges_of(load_configuration(config, {}), os.environ)
    if as_json:
        print_json({"egress": [asdict(edge) for edge in edges]})
    else:
        rows = [(", ".join(edge.services), edge.host, str(edge.port or "?"), edge.reason) for edge in edges]
        print_table(("SERVICES", "HOST", "PORT", "NAMED BY"), rows)


def _without_password(address: str) -> str:
    """The address of a database as people may see it: of a server, neither user nor options."""
    scheme, _, rest = address.partition("://")
    return (
        address if "@" not in rest and "?" not in rest else f"{scheme}://…{rest.rpartition('@')[2].partition('?')[0]}"
    )
