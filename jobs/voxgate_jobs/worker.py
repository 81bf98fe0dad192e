"""What runs on Dask workers: a plug-in that holds the worker's own workshop, and the one task there is.

A worker of a cluster is an ordinary `dask worker` in whose environment voxgate is installed and VOXGATE_CONFIG names a
voxgate.toml of its own: it opens stores by their names, with its own mounts and credentials. The plug-in is sent to
workers as the name of a function, never with anything that is open or secret.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from distributed import Worker, WorkerPlugin, get_worker

from voxgate.model.errors import ConfigInvalid
from voxgate.model.jobs import JobSpec
from voxgate_jobs.batches import Batch, BatchOutcome, Workshop
from voxgate_jobs.kinds import Opener
from voxgate_jobs.work import OpenWork, Patience, Work
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

CONFIG_VARIABLE = "VOXGATE_CONFIG"
CONFIGURED = "voxgate_jobs.worker:configured_opener"
"""The default opener of workers, by name."""
PLUGIN = "voxgate-workshop"


class WorkshopPlugin(WorkerPlugin):
    """Gives a Dask worker its workshop.

    Args:
        opener: names a function without arguments that answers an OpenWork, "module:function"; called on the worker.
        workshop: the workshop itself, for workers that are threads of this process.
    """

    name = PLUGIN
    idempotent = True

    def __init__(self, opener: str = CONFIGURED, *, workshop: Workshop | None = None) -> None:
        self.opener = opener
        self.workshop = workshop

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  (Dask's shape)
        """Make the workshop; the stores are opened when the first batch comes."""
        if self.workshop is None:
            self.workshop = Workshop(_Later(self.opener))

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  (Dask's shape)
        """Stop what runs."""
        if self.workshop is not None:
            self.workshop.close()


class _Later:
    """An OpenWork that is looked up when it is first needed: a bad configuration fails jobs, with its reason."""

    def __init__(self, opener: str) -> None:
        self._opener = opener
        self._found: OpenWork | None = None

    def __call__(self, spec: JobSpec, patience: Patience) -> Work:
        if self._found is None:
            self._found = cast("OpenWork", resolve_name(self._opener)())
        return self._found(spec, patience)


def run_batch(batch: Batch) -> BatchOutcome:
    """The task: runs on a thread of a worker that has the plug-in."""
    return workshop_of(get_worker()).run(batch)


def workshop_of(worker: Worker) -> Workshop:
    """A worker's workshop.

    Raises:
        KeyError: when it has no plug-in of ours.
    """
    return cast("WorkshopPlugin", worker.plugins[PLUGIN]).workshop  # type: ignore[return-value]  # made by setup()


def stop_run(run: str, *, writing: bool, dask_worker: Worker) -> None:
    """Run by `Client.run` on every worker's event loop, so that it comes through while all threads are busy."""
    workshop_of(dask_worker).stop(run, writing=writing)


def forget_run(run: str, *, dask_worker: Worker) -> None:
    """As `stop_run`."""
    workshop_of(dask_worker).forget(run)


def configured_opener() -> OpenWork:
    """Opens work over the remotes of the file that VOXGATE_CONFIG names, by the installed entry points.

    Raises:
        ConfigInvalid: when the variable names no file that can be read.
    """
    stated = os.environ.get(CONFIG_VARIABLE, "")
    if not stated:
        raise ConfigInvalid(
            "the worker has no configuration", f"start it with {CONFIG_VARIABLE} naming its voxgate.toml"
        )
    path = Path(stated)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(
            f"the worker's configuration cannot be read: {type(error).__name__}", "correct the file"
        ) from error
    registry = Registry.from_config(parse_remotes(document.get("remotes", {}), path.resolve().parent))
    return Opener(registry)
