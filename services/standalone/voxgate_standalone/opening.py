"""`voxgate.open`: the same services in this process, on a loopback port of their own, for one volume."""

from __future__ import annotations

import atexit

from voxgate.client.array import VolumeArray
from voxgate.client.connection import connect
from voxgate.model.errors import UnknownVolume
from voxgate_remotes.config import RemotesConfig, remote_for_path
from voxgate_serving.settings import parse_server
from voxgate_standalone.suite import start_suite


def open_local(path_or_uri: str) -> VolumeArray:
    """Serve one volume within this process and open it; it is served until the process ends.

    Raises:
        UnknownVolume: when the path holds no volume, or several.
    """
    name, config = remote_for_path(path_or_uri)
    # Inline meshing: a notebook must not need a guarded __main__ for worker processes.
    settings = parse_server({}, {"port": 0, "health_port": 0, "worker_processes": 0, "host": "127.0.0.1"})
    suite = start_suite(RemotesConfig(remotes={name: config}), settings, http=False)
    atexit.register(suite.stop, 0)
    client = connect(f"127.0.0.1:{suite.server.port}")
    try:
        found = [entry.name for entry in client.volumes() if entry.is_volume]
        if not found:
            inside = [entry.name.partition("/")[2] for entry in client.volumes(name)]
            hint = f"it holds {', '.join(inside[:10])}" if inside else "nothing there looks like one"
            raise UnknownVolume(f"{path_or_uri} is not a volume", f"name one volume: {hint}")
        return client.volume(found[0])
    except BaseException:
        client.close()
        suite.stop(0)
        raise
