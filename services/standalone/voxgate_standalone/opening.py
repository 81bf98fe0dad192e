"""`voxgate.open`: the same services in this process, on a loopback port of their own, for one volume."""

from __future__ import annotations

import atexit
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voxgate.client.array import VolumeArray
from voxgate.client.connection import Client, connect
from voxgate.model.errors import UnknownVolume
from voxgate.model.names import VolumeName
from voxgate_remotes.config import RemotesConfig, canonical_uri, remote_for_path
from voxgate_serving.settings import parse_server
from voxgate_standalone.suite import start_suite

_MOST_GROUPS = 1000
_MOST_NAMED = 10


def open_local(path_or_uri: str) -> VolumeArray:
    """Serve one volume within this process and open it; it is served until the process ends.

    Args:
        path_or_uri: a folder that is a volume; a file that is one, or holds one; a file and a path in it,
            "cremi.h5/volumes/raw"; or a URI.

    Raises:
        UnknownVolume: when the path holds no volume, or several.
    """
    store, inner = _file_and_inner(path_or_uri)
    name, config = remote_for_path(store)
    # Inline meshing: a notebook must not need a guarded __main__ for worker processes.
    # No TLS either, whatever the environment says of other servers: nobody else comes here.
    bare = {"tls_cert": "", "tls_key": "", "tls_client_ca": ""}
    settings = parse_server({}, {"port": 0, "health_port": 0, "worker_processes": 0, "host": "127.0.0.1", **bare})
    suite = start_suite(RemotesConfig(remotes={name: config}), settings, http=False)
    atexit.register(suite.stop, 0)
    client = connect(f"127.0.0.1:{suite.server.port}", tls=False)
    try:
        if inner:
            return client.volume(str(VolumeName(name, inner)))
        return client.volume(_the_volume(client, name, path_or_uri, is_file=_local(store).is_file()))
    except BaseException:
        client.close()
        suite.stop(0)
        raise


def _the_volume(client: Client, remote: str, said: str, *, is_file: bool) -> str:
    """The name of the one volume of a remote: itself, or what lies at any depth in a file."""
    if any(entry.is_volume and entry.name == remote for entry in client.volumes()):
        return remote
    found: list[str] = []
    inside: list[str] = []
    groups = [remote]
    for _ in range(_MOST_GROUPS):
        if not groups:
            break
        for entry in client.volumes(groups.pop(0)):
            inside.append(entry.name.partition("/")[2])
            if is_file:
                (found if entry.is_volume else groups).append(entry.name)
    if len(found) == 1 and not groups:
        return found[0]
    names = [name.partition("/")[2] for name in found] or inside
    hint = f"it holds {', '.join(names[:_MOST_NAMED])}" if names else "nothing there looks like one"
    what = f"holds {len(found)} volumes" if found else "is not a volume"
    raise UnknownVolume(f"{said} {what}", f"name one volume: {hint}")


def _file_and_inner(path_or_uri: str) -> tuple[str, tuple[str, ...]]:
    """A path that leads into a file, as the file and the names in it; anything else as it is."""
    path = _local(path_or_uri)
    for depth, above in enumerate(path.parents, 1):
        if path.exists():
            break
        if above.is_file():
            return str(above), path.parts[-depth:]
    return path_or_uri, ()


def _local(path_or_uri: str) -> Path:
    """The path that is meant; of what is not on this machine one that nothing has."""
    parts = urlsplit(canonical_uri(path_or_uri, Path.cwd()))
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path("/dev/null/nothing")
