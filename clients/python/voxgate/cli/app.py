"""The voxgate command: what it consists of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version as release
from typing import Annotated, Any

import typer

from voxgate.cli import (
    bodies,
    browse,
    bulk_meshing,
    caching,
    exporting,
    importing,
    jobs,
    kept,
    login,
    meshing,
    properties,
    reading,
    segments,
    stores,
    transfers,
    versions,
)
from voxgate.cli.metadata import meta_group
from voxgate.cli.plugins import add_plugins
from voxgate.cli.session import Connect, Session
from voxgate.client.tls import Tls

# Command, and examples for the end of its help.
_COMMANDS: tuple[tuple[Callable[..., Any], tuple[str, ...]], ...] = (
    (browse.ls, ("voxgate ls", "voxgate ls -l fib25", "voxgate ls -r --json")),
    (stores.remotes, ("voxgate remotes", "voxgate remotes --json")),
    (browse.info, ("voxgate info fib25/em", "voxgate info flyem/segmentation@3fa:master --json")),
    (
        segments.segments,
        (
            "voxgate segments fib25/seg --top 3",
            "voxgate segments fib25/seg --scale 1 --box :,:,100:120",
            "voxgate segments fib25/seg --ids-only",
        ),
    ),
    (segments.at, ("voxgate at fib25/seg 120,45,310", "voxgate at fib25/seg 120,45,310 -7,12,0 --json")),
    (segments.bounds, ("voxgate bounds fib25/seg 8675309", "voxgate bounds fib25/seg 12 34 --scale 1 --json")),
    (
        segments.runs,
        ("voxgate runs fib25/seg 8675309 -o voxels.npy", "voxgate runs fib25/seg 12 --box :,:,100:120 -o slab.npy"),
    ),
    (
        properties.properties,
        (
            "voxgate properties lab/seg",
            "voxgate properties lab/seg --find MBON01 --json",
            "voxgate properties lab/seg --find MBON --match prefix --csv > mbons.csv",
        ),
    ),
    (bodies.supervoxels, ("voxgate supervoxels flyem/segmentation@3fa:master 8675309",)),
    (bodies.bodies, ("voxgate bodies flyem/segmentation@3fa:master 12 34 --json",)),
    (bodies.reserve_ids, ("voxgate reserve-ids lab/seg 100",)),
    (
        reading.read,
        (
            "voxgate read fib25/em --box 10:60,5:77,100:231 -o crop.npy",
            "voxgate read fib25/seg --box :,:,150 -o slice.png",
            "voxgate read fib25/em --scale 1 --start-nm 0,0,400 --stop-nm 800,800,1200 -o crop.tif",
        ),
    ),
    (
        exporting.export,
        (
            "voxgate export fib25/em -o slices",
            "voxgate export fib25/em --scale 1 --box :,:,100:200 -o slices --format png",
            "voxgate export fib25/em -o em.ome.tif",
        ),
    ),
    (
        meshing.mesh,
        (
            "voxgate mesh fib25/seg 8675309 -o body.obj",
            "voxgate mesh fib25/seg 12 34 --scale 1 -o two.glb",
            "voxgate mesh fib25/seg 8675309 --max-error-nm 40 --faces 20000 -o body.drc",
        ),
    ),
    (
        bulk_meshing.mesh_all,
        (
            "voxgate mesh-all lab/seg --watch",
            "voxgate mesh-all fib25/seg lab/meshes --scale 1 --sharded --min-voxels 100 --watch",
            "voxgate mesh-all lab/seg --mode overwrite --request-id nightly-2026-11-22 --watch --json",
        ),
    ),
    (
        kept.skeleton,
        (
            "voxgate skeleton flyem/segmentation 1071121755 -o body.swc",
            "voxgate skeleton fib25/seg 8675309 --source computed --scale 1 -o body.swc",
        ),
    ),
    (
        kept.downsample,
        ("voxgate downsample boss/lab/mouse/seg", "voxgate downsample boss/lab/mouse/seg --start"),
    ),
    (
        transfers.transfer,
        (
            "voxgate transfer fib25/seg scratch/seg --format zarr3 --watch",
            "voxgate transfer fib25/em scratch/crop --box 1100:1200,:,3000:3050 --to 0,0,0 --pyramid",
            "voxgate transfer lab/seg scratch/seg --mode update --request-id nightly-2026-11-22 --watch --json",
        ),
    ),
    (transfers.pyramid, ("voxgate pyramid scratch/em --watch", "voxgate pyramid scratch/seg --factor 2,2,1")),
    (
        importing.import_,
        (
            "voxgate import 'slices/*.png' scratch/em --voxel-size 8,8,30 --offset 0,0,0 --pyramid",
            "voxgate import cremi.h5/volumes/labels/neuron_ids lab/seg --kind segmentation",
        ),
    ),
    (jobs.cancel, ("voxgate cancel jobs/0b9f",)),
    (versions.versions, ("voxgate versions flyem/segmentation", "voxgate versions flyem/segmentation --json")),
    (versions.commit, ('voxgate commit flyem/segmentation@3fa:master -m "proofread to layer 4"',)),
    (versions.new_version, ('voxgate new-version flyem/segmentation@3fa:master -m "layer 5"',)),
    (versions.branch, ('voxgate branch flyem/segmentation@3fa:master try-merge -m "an experiment"',)),
    (stores.rm, ("voxgate rm scratch/seg", "voxgate rm scratch/seg --yes")),
    (
        login.login,
        (
            "voxgate login brains.example:50051",
            "voxgate login brains.example:50051 --token < token.txt",
            "voxgate login brains.example:50051 --ca-file lab-ca.pem",
        ),
    ),
)
_META = (
    "voxgate meta ls lab/seg",
    'voxgate meta set lab/seg author "A. Author"',
    "voxgate meta set lab/seg protocol - < protocol.json",
    "voxgate meta get lab/seg protocol",
)
_JOBS = (
    "voxgate jobs",
    "voxgate jobs ls --state running",
    "voxgate jobs watch jobs/0b9f",
    "voxgate jobs resume jobs/0b9f --watch",
    "voxgate jobs manifest jobs/0b9f --json",
)
_FIRST_STEPS = (
    "voxgate serve  (the sample, on localhost:50051)",
    "voxgate ls -l fib25",
    "voxgate read fib25/em --box 10:60,5:77,20 -o slice.png",
)


_CACHE = (
    "voxgate cache warm far/em",
    "voxgate cache warm far/em --scale 2",
    "voxgate cache warm far/seg --box 0:2048,0:2048,100:164 --voxels --json",
)


def build_app(connect: Connect | None = None, *, arguments: Sequence[str] = ()) -> typer.Typer:
    """Put the commands together.

    Args:
        connect: connects to a server; `voxgate.connect` when not given.
        arguments: the command line. Plug-ins are loaded unless it begins with one of our own commands: the server's
            take longer to import than most commands to run.
    """
    app = typer.Typer(
        name="voxgate",
        help="One door to every connectomics volume store: list, read, mesh and move volumes.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True, epilog=_examples(_FIRST_STEPS))
    def root(
        context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the release.")] = False
    ) -> None:
        if version:
            print(f"voxgate {release('voxgate')}")
            raise typer.Exit
        if context.invoked_subcommand is None:
            print(context.get_help())
        context.obj = Session(connect or _connect)

    for command, examples in _COMMANDS:
        # A point may begin with a minus sign, which is no option.
        settings = {"ignore_unknown_options": True} if command is segments.at else {}
        app.command(_name_of(command), epilog=_examples(examples), context_settings=settings)(command)
    app.add_typer(meta_group(_examples(_META)), name="meta")
    app.add_typer(jobs.jobs_group(_examples(_JOBS)), name="jobs")
    app.add_typer(caching.cache_group(_examples(_CACHE)), name="cache")
    own = {"meta", "jobs", "cache", *(_name_of(command) for command, _ in _COMMANDS)}
    if not arguments or arguments[0] not in own:
        add_plugins(app)
    return app


def _name_of(command: Callable[..., Any]) -> str:
    return command.__name__.rstrip("_").replace("_", "-")


def _connect(address: str | None = None, *, token: str | None = None, tls: Tls | None = None) -> Any:
    from voxgate.client.connection import connect  # noqa: PLC0415  (grpc is slow to import, and `serve` may need none)

    return connect(address, token=token, tls=tls)


def _examples(lines: Sequence[str]) -> str:
    r"""An epilog that keeps its lines (\b is click's mark for that)."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
