"""Volumes about which a test knows everything, behind whatever opens them by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from voxgate.model.remotes import Remote
from voxgate.model.volumes import OpenOptions, Volume, VolumeKind
from voxgate_remotes.config import RemoteConfig, RemotesConfig
from voxgate_remotes.registry import Registry
from voxgate_remotes.testing import ScaleFacts, VolumeCase

PATH = "group/volume"
"""Where below the root of a remote volumes are written."""
TIME = 2
"""The time point that is read and written where a volume has several."""


@dataclass(frozen=True)
class KnownVolume:
    """What is true of a volume (see VolumeCase), and what its operator has to state about it."""

    scales: tuple[ScaleFacts, ...]
    kind: VolumeKind
    axes: str = "zyx"
    fill_value: int | float = 0
    time_count: int = 1
    stated: Mapping[str, Any] = field(default_factory=dict)
    path: str = PATH

    def registry(self, root: Path, *, writable: bool) -> Registry:
        """A registry with one remote, `data`, of the volumes in files below `root`."""
        config = RemoteConfig(uri=root.as_uri(), writable=writable, volumes={self.path: self.stated})
        return Registry.from_config(RemotesConfig(remotes={"data": config}))

    def case(self, open_by_name: Callable[[str, OpenOptions], Volume], *, writable: bool) -> VolumeCase:
        """The case, where `data/PATH` opens by name: through a registry, or on a server."""
        time_index = TIME if self.time_count > 1 else None
        return VolumeCase(
            open=lambda options: open_by_name(f"data/{self.path}", replace(options, time_index=time_index)),
            open_missing=lambda: open_by_name("data/group/nothing", OpenOptions()),
            scales=self.scales,
            kind=self.kind,
            axes=self.axes,
            fill_value=self.fill_value,
            time_count=self.time_count,
            writable=writable,
        )


Writer = Callable[[Path], KnownVolume]
"""Writes a volume into a folder."""
Maker = Callable[[], tuple[Remote, KnownVolume]]
"""Makes a remote that holds or computes a volume."""


def opener(remote: Remote) -> Callable[[str, OpenOptions], Volume]:
    """Opens the volumes of one remote by full name, without a registry."""
    return lambda name, options: remote.open(tuple(name.split("/")[1:]), options)
