"""`make demo`: the main job on the sample, end to end over gRPC, every answer checked; pictures in demo-output/.

Starts the suite (or takes a running one), lists, reads, meshes and transfers with the public SDK, compares everything
with other readers of the same files, and exits with 1 at the first difference. Its processes end with it.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import voxgate
from tools import demo_checks as checks
from tools.demo_picture import Scene, body_colors, save_picture
from tools.demo_references import read_precomputed, require
from tools.demo_report import Report
from tools.demo_suite import SAMPLES, DemoFailed, RunningSuite, running_suite
from voxgate.model.jobs import Job
from voxgate.model.mesh_files import encode_meshes

_FIB25 = SAMPLES / "fib25"
_OURS = ("scratch", "logs", "voxgate.toml", "demo.png", "body.obj", "bodies.glb")
"""What earlier runs left in the output folder, and this one makes anew; nothing else there is touched."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupted)
    report = Report()
    try:
        output = _prepared(options.output)
        with _suite(options, output, report) as suite, voxgate.connect(suite.address) as client:
            _play(client, suite, output, report)
    except (DemoFailed, voxgate.errors.VoxgateError) as error:
        report.console.print(report.table())
        sys.stderr.write(f"the demo failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; every process that the demo started has ended\n")
        return 130
    report.console.print(report.table())
    report.console.print(f"everything matches. Look at [bold]{output / 'demo.png'}[/bold]")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder for pictures and meshes")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--server", metavar="HOST:PORT", help="use this running suite; needs a writable remote scratch")
    where.add_argument("--three-processes", action="store_true", help="start three services instead of voxgate serve")
    return parser.parse_args(arguments)


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _prepared(output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    for name in _OURS:
        there = output / name
        if there.is_dir():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
    return output


@contextlib.contextmanager
def _suite(options: argparse.Namespace, output: Path, report: Report) -> Iterator[RunningSuite]:
    if options.server:
        yield RunningSuite(options.server)
        return
    with contextlib.ExitStack() as stack:
        what = "three services" if options.three_processes else "voxgate serve"
        with report.step(f"start {what}") as step:
            suite = stack.enter_context(running_suite(output, three_processes=options.three_processes))
            step.found = f"gRPC at {suite.address}" + (f", HTTP at {suite.http}" if suite.http else "")
        yield suite


def _play(client: voxgate.Client, suite: RunningSuite, output: Path, report: Report) -> None:
    with report.step("ask the server") as step:
        step.found = checks.describe_server(client)
    with report.step("list the volumes") as step:
        step.found = ", ".join(checks.list_volumes(client))
    em, seg = client.volume("fib25/em"), client.volume("fib25/seg")
    for array, folder in ((em, _FIB25 / "em"), (seg, _FIB25 / "seg")):
        with report.step(f"read {array.name}") as step:
            count = checks.compare_cutouts(array, folder)
            step.found = f"unaligned boxes of {len(array.scales)} scales, {count:,} voxels equal to tensorstore's"
    with report.step("known numbers") as step:
        step.found = checks.check_known_numbers(client.volume("aniso/seg"))
    _play_meshes(em, seg, output, report)
    _play_transfer(client, suite, report)


def _play_meshes(em: voxgate.VolumeArray, seg: voxgate.VolumeArray, output: Path, report: Report) -> None:
    reference = read_precomputed(_FIB25 / "seg", 0)
    with report.step("find the largest bodies") as step:
        big = checks.largest_bodies(seg, reference)
        step.found = f"{len(big)} bodies, the largest {big.ids[0]} with {big.voxel_counts[0]:,} voxels"
    with report.step("mesh them") as step:
        meshes = checks.mesh_bodies(seg, big, reference)
        faces = sum(len(mesh.faces) for mesh in meshes)
        step.found = f"{len(meshes)} meshes, {faces:,} triangles, watertight, bounds exact to the voxel"
    with report.step("save meshes") as step:
        meshes[0].save(output / "body.obj")
        (output / "bodies.glb").write_bytes(encode_meshes(meshes, "glb"))
        step.found = ", ".join(
            f"{name} ({(output / name).stat().st_size / 1e6:.1f} MB)" for name in ("body.obj", "bodies.glb")
        )
    with report.step("draw the picture") as step:
        size = seg.voxel_size_nm
        require(size is not None, "the voxel size of fib25/seg is not known")
        if size is not None:
            counts = dict(zip(big.ids, big.voxel_counts, strict=True))
            scene = Scene(em[-1], seg[-1], meshes, counts, seg.bounds, size)
            save_picture(scene, output / "demo.png", title="voxgate: one gRPC API over every connectomics volume store")
        step.found = f"{len(body_colors(big.ids))} colours, demo.png"


def _play_transfer(client: voxgate.Client, suite: RunningSuite, report: Report) -> None:
    # A running suite may have the copy of an earlier demo.
    name = "scratch/fib25-seg" if suite.scratch else f"scratch/fib25-seg-{time.time_ns()}"
    with report.step("transfer to Zarr v3") as step:
        states: list[Job] = []

        def watched(job: Job) -> None:
            states.append(job)
            report.tell(f"transfer: {job.progress.done_bytes:,} of {job.progress.total_bytes:,} bytes")

        verified = checks.transfer(client, "fib25/seg", name, watched=watched)
        done = states[-1].progress
        step.found = (
            f"{name}: {done.done_block_count} of {done.total_block_count} blocks, "
            f"{verified / 1e6:.1f} MB read back and verified by the service, {len(states)} progress reports"
        )
    with report.step("read the copy") as step:
        count = checks.compare_copy(client.volume(name), _FIB25 / "seg")
        step.found = f"all {count:,} voxels of all scales over gRPC equal to tensorstore's reading of the source"
    with report.step("read its files") as step:
        if suite.scratch is None:
            step.found = "left out: the files of scratch are not on this machine"
        else:
            count = checks.compare_files(suite.scratch / "fib25-seg", _FIB25 / "seg")
            step.found = f"sharded; all {count:,} voxels of all scales equal in zarr-python"


if __name__ == "__main__":
    sys.exit(main())
