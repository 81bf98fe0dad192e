"""Where a server keeps its jobs when its operator does not say: a place of its own, never shared by accident.

Jobs name volumes by "remote/path", which means something to the remotes of one server only. So the default place
belongs to one configuration, and to one server at a time: a second one would run the jobs of the first, against remotes
that may live in the first one's memory. Who wants to share states `jobs_url`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from voxgate_jobs.desk import IN_MEMORY
from voxgate_remotes.config import RemotesConfig
from voxgate_serving.logs import logger
from voxgate_serving.settings import Configuration, ServerSettings


def with_jobs_url(
    configuration: Configuration, remotes: RemotesConfig, environment: Mapping[str, str] = os.environ
) -> ServerSettings:
    """The settings with `jobs_url` filled in, where it is not stated.

    The default is a SQLite file in `$XDG_STATE_HOME/voxgate/jobs/SITE`, reserved until the process ends. SITE stands
    for the configuration file, or for the names and URIs of the remotes where there is none. Where that place is taken,
    or cannot be made, jobs are kept in memory and the log says so.
    """
    settings = configuration.server
    if settings.jobs_url:
        return settings
    folder = state_home(environment) / "voxgate" / "jobs" / site(configuration, remotes)
    why = _reserve(folder)
    if why:
        logger().warning("jobs are forgotten when this server stops; state [server] jobs_url", why=why)
    url = IN_MEMORY if why else f"sqlite:///{folder / 'jobs.db'}"
    return settings.model_copy(update={"jobs_url": url})


def state_home(environment: Mapping[str, str]) -> Path:
    """The user's folder for what programs keep between two runs (XDG Base Directory Specification)."""
    stated = environment.get("XDG_STATE_HOME", "")
    return Path(stated) if os.path.isabs(stated) else Path("~/.local/state").expanduser()


def site(configuration: Configuration, remotes: RemotesConfig) -> str:
    """Names what a server's jobs belong to: 16 hex digits."""
    if configuration.path is not None:
        facts: object = str(configuration.path.resolve())
    else:
        facts = sorted((name, remote.uri) for name, remote in remotes.remotes.items())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _reserve(folder: Path) -> str:
    """Take the folder for this process; why not, when it cannot be had.

    The lock ends with the process, however it ends; its file is never closed, and children do not inherit it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return "there is no folder for them"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return "another server with this configuration keeps its jobs in the default place"
    return ""
